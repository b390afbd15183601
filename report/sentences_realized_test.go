package report

import (
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/schema"
)

func TestWhatTheRealizedBiasDidIsToldByWhatNWouldHaveDone(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		main, realized, observed []float64
		want                     string
	}{
		"against a fall": {[]float64{-2, -4}, []float64{1, 2}, nil,
			"Realized: the bias of the steps hindered N's fall at all 2 measured steps, by 50.0% of the main drive in the median and at most 50.0%."},
		"with a fall": {[]float64{-2}, []float64{-1}, nil, "Realized: the bias of the steps added to N's fall at the one measured step, by 50.0% of the main drive."},
		"with a rise": {[]float64{182, -100}, []float64{22.6, 50}, nil,
			"hindered N's fall at 1 of 2 measured steps, by 50.0% of the main drive, and added to N's rise at 1, by 12.4% of the main drive."},
		"against a rise": {[]float64{604}, []float64{-151}, []float64{450}, "hindered N's rise at the one measured step, by 25.0% of the main drive."},
		"so far that the fall became a rise": {[]float64{-10, -10, -10}, []float64{9, 12, 13}, []float64{-1, 2, 3},
			"hindered N's fall at all 3 measured steps, by 120.0% of the main drive in the median and at most 130.0% (N rose at 2 of them)."},
		"nothing at the first step": {[]float64{-543, -500}, []float64{0, 100}, nil,
			"hindered N's fall at 1 of 2 measured steps, by 20.0% of the main drive, and was none beyond rounding at 1."},
		"nothing at any step":  {[]float64{-543}, []float64{0}, nil, "Realized: the steps had no bias beyond rounding at the one measured step."},
		"nothing was measured": {[]float64{-543}, []float64{nan}, nil, ""},
		"next to nothing":      {[]float64{-1}, []float64{2e-7}, nil, "by 2.00e-5% of the main drive."},
		"nothing to be beside": {[]float64{0, -1}, []float64{1, -1}, nil, "added to N's fall at the one measured step, by 100.0% of the main drive."},
		"many times the other": {[]float64{-1}, []float64{250}, nil, "by 25,000% of the main drive."},
	} {
		t.Run(name, func(t *testing.T) {
			r := measured(map[string][]float64{"drive.main": c.main, "drive.realized": c.realized, "drive.observed": c.observed})
			if got := r.sayRealized(); !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("%q lacks %q", got, c.want)
			}
		})
	}
}

func TestNothingIsComparedWithAnUpdateThatReachesTooFar(t *testing.T) {
	const why = "no step goes where that points"
	for name, c := range map[string]struct {
		excess, main, realized []float64
		want                   string
		marks                  int
	}{
		"at any step": {[]float64{2, 2}, []float64{-4e6, -2e6}, []float64{4e6, 2e6},
			"Realized: nothing can be compared at all 2 measured steps: within one step the update without memory would change N by 1,500 times N (median), and " + why + ".", 0},
		"at one": {[]float64{2}, []float64{-4e6}, []float64{4e6},
			"Realized: nothing can be compared at the one measured step: within one step the update without memory would change N by 2,000 times N, and " + why + ".", 0},
		"at some": {[]float64{2, 2, 2}, []float64{4e3, -1e3, -1e3}, []float64{4e3, 500, 0},
			"Realized: the bias of the steps hindered N's fall at 1 of 3 measured steps, by 50.0% of the main drive, and was none beyond rounding at 1. At 1 nothing can be compared: within one step the update without memory would change N by 2 times N, and " + why + ".", 1},
		"at none": {[]float64{2, 2}, []float64{-2e3, -1e3}, []float64{500, 500},
			"Realized: the bias of the steps hindered N's fall at all 2 measured steps, by 37.5% of the main drive in the median and at most 50.0%.", 2},
	} {
		t.Run(name, func(t *testing.T) {
			ones := slices.Repeat([]float64{1}, len(c.main))
			r := measured(map[string][]float64{"excess": c.excess, "drive.main": c.main, "drive.realized": c.realized, "drive.observed": c.main,
				"bias.realized_share": ones, "realized.penalized": ones, "realized.hindered": ones, "realized.penalized_weight": ones})
			r.Config.Optimizer.LR = 1e-3
			got := r.sayRealized()
			if said, _, _ := strings.Cut(got, " With the main term"); said != c.want {
				t.Errorf("%q\nwant %q", said, c.want)
			}
			if all := len(c.want) > 0 && c.marks == 0; all != !strings.Contains(got, "With the main term") || all != (r.sayReach() == "") {
				t.Errorf("%q, %q", got, r.sayReach())
			}
			marks := 0
			for _, s := range r.signAxes().Series {
				marks += len(s.X)
			}
			if marks != c.marks {
				t.Errorf("%d marks, want %d", marks, c.marks)
			}
		})
	}
}

func TestARunWhoseUpdateWithoutMemoryIsNotKnownSaysSo(t *testing.T) {
	for name, want := range map[string]string{
		"adagrad": "Realized: not measured, for optimizer adagrad has no update without memory that is known: it remembers the sum of all squared gradients, of which it forgets none, so that its memory has no length (v = if(n > 0, v, initial) + g^2 grows without end while the gradient stays).",
		"rprop":   "Realized: not measured, for optimizer rprop has no update without memory that is known: it remembers a step size of each element, which shrinks where the sign of the gradient changes, grows to its bound where it stays, whatever lr is, and is no sum over gradients (what ",
		"soap":    "Realized: not measured; the log says why.", // for in bases of its weights' shapes it has none, which a config does not tell
		"adopt":   "", "adadelta": "", "adabelief": "", "gd": "",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := config.New(schema.Set("optimizer.name", name))
			if err != nil {
				t.Fatal(err)
			}
			columns := map[string][]float64{"loss": {1, 2}}
			if want == "" {
				columns["drive.realized"] = []float64{math.NaN(), math.NaN()}
			}
			r := measured(columns)
			r.Config = c
			if got := r.sayRealized(); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestAStepWithoutBiasHasNoMarkOfASign(t *testing.T) {
	r := measured(map[string][]float64{"bias.realized_share": {1e-16, 0.5, 0.5}, "drive.realized": {0, -1, 1}})
	for _, s := range r.signAxes().Series {
		if len(s.X) != 1 {
			t.Errorf("%s has marks at %v, want one", s.Name, s.X)
		}
	}
}

func TestABiasAgainstThePredictedOneIsNotSaidToBePartOfIt(t *testing.T) {
	for want, explained := range map[string][]float64{
		"; of its bias 40.0% is realized, at":                          {0.3, 0.5},
		"; along its bias the realized one is 2.47 times as large, at": {2.47, 2.47},
		"; of its bias 198.5% is realized, at":                         {1.5, 2.47},
	} {
		t.Run(want, func(t *testing.T) {
			r := measured(map[string][]float64{"monitor.second_over_first": {0.5, 0.5}, "bias.cosine": {0.934, 0.9993}, "bias.explained": explained})
			if got := r.sayPrediction(); !strings.Contains(got, want) || !strings.Contains(got, "at a cosine of 0.967 with") {
				t.Errorf("%q lacks %q", got, want)
			}
		})
	}
}
