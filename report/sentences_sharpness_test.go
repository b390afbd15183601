package report

import (
	"math"
	"strings"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/experiment/run"
)

func TestSharpnessIsSaidBesideItsEdges(t *testing.T) {
	for name, c := range map[string]struct {
		periodTwo, edge, rows, flip []float64
		want, unsaid                string
	}{
		"calm": {[]float64{0.1, 0.2}, []float64{0.5, 0.9}, []float64{0, 0}, []float64{0.9, 0.9}, "at 0 of 2 measured steps; it came to 20.0% of it at step 10.", "beyond"},
		"memory's edge": {[]float64{0.1, 0.2}, []float64{0.5, 3}, []float64{0, 0}, []float64{0.9, -0.9},
			"Preconditioned sharpness was beyond the edge from which the series of the equations without memory diverges at 1 of 2 measured steps, at most 3 times it.", "side"},
		"past the edge": {[]float64{1.1, 1.3}, []float64{80, 95}, []float64{0, 1}, []float64{0.9, -1.1},
			"Of 2 steps measured above it 1 turned the gradient along the sharpest direction to between -2 and -0.5 of itself, as a two-cycle from side to side turns it to -1.", "lift"},
		"any negative value is no two-cycle": {[]float64{1.1, 1.2, 1.3}, []float64{80, 90, 95}, []float64{0, 1}, []float64{-70.9, -0.1, -1.9}, "Of 3 steps measured above it 1 turned", "spike"},
		"beyond for a moment":                {[]float64{1.1, 0.9, 0.8}, []float64{80, 95, 95}, []float64{0, 1, 0}, []float64{0.8, -1, 0.5}, "Of 1 step measured above it 0 turned the gradient", "spike"},
		"as often below it":                  {[]float64{1.1, 0.9, 0.8}, []float64{80, 95, 95}, []float64{0, 1, 0}, []float64{-1, -1, -1}, "turns it to -1; of the 2 below it, 2 did.", "spike"},
		"a spike":                            {[]float64{1.1, 1.3}, []float64{80, 95}, []float64{1, 2}, nil, "Sharpness along the gradient was above 2/h at 2 measurements in sequence, steps 0 to 10: a warning of a spike of the loss.", "NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			r := measured(map[string][]float64{
				"stability_threshold": {38000, 38000, 38000}, "monitor.period_two": c.periodTwo, "monitor.memory_edge": c.edge, "monitor.spike_rows": c.rows, "monitor.flip": c.flip})
			if got := r.saySharpness(); !strings.Contains(got, c.want) || strings.Contains(got, c.unsaid) {
				t.Errorf("want %q, and not %q, in\n%s", c.want, c.unsaid, got)
			}
		})
	}
}

func TestSharpnessWithoutAThresholdIsSaidToHaveNone(t *testing.T) {
	nan := math.NaN()
	r := measured(map[string][]float64{"preconditioned_sharpness": {1, 2}, "stability_threshold": {nan, nan}, "monitor.period_two": {nan, nan}})
	if got := r.saySharpness(); got != "Preconditioned sharpness has no threshold here: elements of the step answer to past gradients each in its own way." {
		t.Errorf("%q", got)
	}
	if got := measured(map[string][]float64{"loss": {1, 2}}).saySharpness(); got != "" {
		t.Errorf("nothing was measured: %q", got)
	}
}

// Two monitors speak of the equations without memory: where its series diverges order 2 may be borne out all the same, and the reader is told which counts.
func TestAnEquationBorneOutBeyondItsEdgeIsReconciledWithIt(t *testing.T) {
	const first = " Preconditioned sharpness was beyond the edge from which the series of the equations without memory diverges at 3 of 3 measured steps, at most 134 times it"
	for name, c := range map[string]struct {
		ratios, cosines []float64
		want            string
	}{
		"borne out at some": {[]float64{4, 3, 0.5}, []float64{0.8, 0.8, 0.8},
			first + ": higher orders then come no nearer, while its first two terms may. What order 2 misses of the steps is measured, and that is what counts: it is borne out at 1 of 3 steps."},
		"borne out at none": {[]float64{4, 3, 2}, []float64{0.8, 0.8, 0.8}, first + "."},
		"not measured":      {nil, nil, first + "."},
	} {
		t.Run(name, func(t *testing.T) {
			r := measured(map[string][]float64{"monitor.memory_edge": {20, 134, 30}, "monitor.second_over_first": c.ratios, "bias.cosine": c.cosines})
			if got := r.sayEdge(); got != c.want {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}

func TestWhichEquationWasNearerIsSaidWhereBothKindsRan(t *testing.T) {
	for name, c := range map[string]struct {
		beside    []string
		distances map[string][]float64
		want      string
	}{
		"a lift was":            {[]string{"state-2", "lift-1", "lift-2"}, map[string][]float64{"state-2": {1, 0.437}, "lift-1": {1, 0.991}, "lift-2": {1, 0.347}}, " At the end lift-2 was nearer to the iterates than state-2, the nearest stable flow."},
		"a stable flow was":     {[]string{"state-1", "state-2", "lift-1"}, map[string][]float64{"state-1": {1, 0.5}, "state-2": {1, 0.4}, "lift-1": {1, 0.9}}, " At the end state-2, a stable flow, was nearer to the iterates than lift-1."},
		"rounding hides which":  {[]string{"state-2", "lift-1"}, map[string][]float64{"state-2": {0.1, 0.0929}, "lift-1": {0.1, 0.0931}, "rounding": {0, 0.0994}}, " At the end rounding hides whether lift-1 or state-2, a stable flow, was nearer to the iterates."},
		"neither follows":       {[]string{"state-2", "lift-1"}, map[string][]float64{"state-2": {1, 0.998}, "lift-1": {1, 0.812}}, " At the end neither lift-1 nor state-2, the nearest of their kinds, was near the iterates: at 0.812 and 0.998 of the way."},
		"no lift ran":           {[]string{"state-2"}, map[string][]float64{"state-2": {1, 4}}, ""},
		"no stable flow ran":    {[]string{"central"}, map[string][]float64{"central": {1, 4}}, ""},
		"the lift had run away": {[]string{"state-2", "lift-1"}, map[string][]float64{"state-2": {1, 4}, "lift-1": {1}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			columns := map[string][]float64{"loss": {1, 1}}
			for at, d := range c.distances {
				columns[at+".relative_distance"] = d
			}
			columns["iterates.rounding"] = c.distances["rounding"]
			r := measured(columns)
			r.Config.Beside = c.beside
			if got := r.sayNearest(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestAWarningOfASpikeIsSaidWithWhatBecameOfIt(t *testing.T) {
	for want, c := range map[string]struct {
		loss   []float64
		regime diagnose.Regime
	}{
		"steps 10 to 20: a warning of a spike of the loss, which behind it came to at most 3 times what it was there.":   {[]float64{9, 2, 1, 3, 2}, diagnose.Spiking},
		"steps 10 to 20: a warning of a spike of the loss, which behind it came to at most 0.5 times what it was there.": {[]float64{9, 2, 1, 0.5, 0.4}, diagnose.Monotone},
		"steps 10 to 20: a warning of a spike of the loss.":                                                              {[]float64{9, 2, 1}, diagnose.Monotone},
		"steps 10 to 20, in a run that diverged.":                                                                        {[]float64{9, 2, 1, 3, 2e9}, diagnose.Diverged},
	} {
		t.Run(want, func(t *testing.T) {
			r := measured(map[string][]float64{"loss": c.loss, "monitor.spike_rows": {0, 1, 2}})
			r.Result = &run.Result{Regime: c.regime}
			if got := r.saySpikes(); !strings.HasSuffix(got, "Sharpness along the gradient was above 2/h at 2 measurements in sequence, "+want) {
				t.Errorf("%q does not end with %q", got, want)
			}
		})
	}
}

// A record that something has altered may count more measurements in sequence than there are.
func TestNoMoreMeasurementsInSequenceAreSaidThanThereAre(t *testing.T) {
	r := measured(map[string][]float64{"loss": {9, 2, 1}, "monitor.spike_rows": {0, 1e6, 2}})
	if got, want := r.saySpikes(), "above 2/h at 2 measurements in sequence, steps 0 to 10:"; !strings.Contains(got, want) {
		t.Errorf("%q lacks %q", got, want)
	}
}

func TestUnderAScheduleTheThresholdIsThatOfEachStep(t *testing.T) {
	nan := math.NaN()
	r := measured(map[string][]float64{
		"sharpness": {1, 1, 1, 1, nan}, "preconditioned_sharpness": {nan, nan, 1, 1, nan}, "lr": {0, 0.1, 0.2, 0.1, 0.1}, "clip.factor": {0.5, 0.5, 1, 1, 0.5},
		"stability_threshold": {nan, nan, 50667, 5002551, nan}, "monitor.period_two": {nan, nan, 0.5, 0.1, nan},
	})
	const want = "Preconditioned sharpness was above the stability threshold of its step, which goes from 50,667 to 5.00e6, at 0 of 2 measured steps; it came to 50.0% of it at step 20. " +
		"There is none of it at 2 more where sharpness was measured: 1 whose gradient was clipped and 1 with an lr of 0."
	if got := r.saySharpness(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
