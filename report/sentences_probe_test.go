package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
)

func TestAPointsPredictionIsSaidToBeOne(t *testing.T) {
	for share, want := range map[float64]string{5: "do not take it for what happens", 0.1: "nothing here says whether it is that of steps"} {
		t.Run(fmt.Sprintf("share %g", share), func(t *testing.T) {
			all := strings.Join(Probed(&run.Probed{PredictedBias: &run.PredictedBias{Share: record.Number(share)}, Accuracy: record.Number(math.NaN())}), "\n")
			if !strings.Contains(all, want) || !strings.Contains(all, "predicted bias") || strings.Contains(all, "accuracy") {
				t.Errorf("%q lacks %q", all, want)
			}
		})
	}
}

func TestProbedSaysWhatTheNextStepDoesWhereTheMomentsAreKnown(t *testing.T) {
	p := &run.Probed{PredictedBias: &run.PredictedBias{}, Next: &run.NextStep{
		Steps: 10, Notes: []string{"optimizer.beta2 is 0.99, where the optimizer of a.pt had 0.999"},
		Columns: map[string]record.Number{
			"step_norm": 0.25, "drive.main": -3, "drive.observed": -2, "drive.realized": 1.5, "bias.realized_share": 0.5, "realized.penalized": 0.125,
			"realized.hindered": 0.875, "monitor.state_defect": 0.01, "drive.predicted": 77, "bias_share": 77, "penalized": 0.77, "hindered": 0.77,
			"monitor.second_over_first": 3, "bias.cosine": -0.25,
		},
	}}
	all := strings.Join(Probed(p), "\n")
	for _, want := range []string{
		"note: optimizer.beta2 is 0.99", "moments that 10 steps left (two-norm 0.25)",
		"realized bias: size 0.5 of the main term; dN/dt 1.5; it penalizes 0.125 and hinders 0.875", "-3 by the main term, -2 as it is", "to 0.01 of its length",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s\nshould say %q", all, want)
		}
	}
}

// The prediction's numbers are shown where the step bears it out, and nowhere else, with the words of a run.
func TestProbedShowsAPredictionThatTheStepBearsOut(t *testing.T) {
	for name, c := range map[string]struct {
		second, noRealized string
		ratio, cosine      record.Number
		want               string
		shown              bool
	}{
		"borne out":   {"borne out", "", 0.5, 0.75, "by a tenth or more and with a bias along the realized one, at a cosine of 0.75", true},
		"worse":       {"worse", "", 3, 0.75, "worse than no correction (3 times)", false},
		"hardly":      {"hardly better", "", 0.95, 0.75, "better than no correction, but by less than a tenth", false},
		"against":     {"against the realized bias", "", 0.5, -0.25, "goes against the realized bias, at a cosine of -0.25", false},
		"first step":  {"idle", "", 1, 0, "no bias to compare it with", false},
		"rounding":    {"unknown", "", 0, 0, "dtype float64 tells more", false},
		"regularized": {"unknown", "a regularizer moves the optimizer, too", 0, 0, "nothing realized stands beside it: a regularizer moves", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := &run.Probed{PredictedBias: &run.PredictedBias{Share: 0.7654, Penalized: 0.7654}, Next: &run.NextStep{Second: c.second, NoRealized: c.noRealized, Columns: map[string]record.Number{
				"drive.predicted": 0.7654, "bias_share": 0.7654, "monitor.second_over_first": c.ratio, "bias.cosine": c.cosine,
			}}}
			all := strings.Join(Probed(p), "\n")
			if !strings.Contains(all, c.want) || strings.Contains(all, "not shown as this step's") == c.shown || strings.Contains(all, "not shown as the bias here") == c.shown {
				t.Errorf("%s\nshould say %q", all, c.want)
			}
			if n := strings.Count(all, "0.7654"); n > 0 != c.shown {
				t.Errorf("%s\nhas %d numbers of the prediction", all, n)
			}
		})
	}
}

func TestProbedSaysThatAnOptimizerWithoutMemoryHasNoRealizedBias(t *testing.T) {
	all := strings.Join(Probed(&run.Probed{WithoutMemory: true, PredictedBias: &run.PredictedBias{Share: 0.7654, MainDrive: -3}}), "\n")
	if !strings.Contains(all, "no realized bias: the optimizer remembers nothing") || strings.Contains(all, "0.7654") || !strings.Contains(all, "-3 by the main term") {
		t.Errorf("it says\n%s", all)
	}
}
