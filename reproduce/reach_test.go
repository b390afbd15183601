package reproduce

import (
	"math"
	"strings"
	"testing"

	"shadowflow/experiment/config"
)

// The records made in place of training have defects of lr^2 and 100 lr^3 and a state defect of 10 lr: all hold up to lr 1e-3, whatever the betas and eps are.
func TestHowFarTheEquationsReachIsJudgedBySeeds(t *testing.T) {
	r, err := Find("reach")
	if err != nil {
		t.Fatal(err)
	}
	found, err := r.reach(t.Context(), Laptop, recorded(t, r, decaying, func(_ *config.Config, n int) float64 { return math.Exp(-float64(n) / 5) }))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		numbers []float64 // of each seed
		outcome Outcome
	}{
		"lr":    {[]float64{1, 1, 1, 0}, Supported},
		"beta1": {[]float64{.75, .75, .75}, Undecided},
		"beta2": {[]float64{.75, .75, .75, .75}, Undecided},
		"eps":   {[]float64{.75, .75, .75}, Undecided},
	} {
		h := found.hypothesis(name)
		if h == nil {
			t.Errorf("no hypothesis %q", name)
			continue
		}
		if len(h.Numbers) != 8 || h.Outcome != want.outcome {
			t.Errorf("%s: %d seeds, %s, want 8 and %s", name, len(h.Numbers), h.Outcome, want.outcome)
		}
		for _, row := range h.Numbers {
			for i, v := range row {
				if len(row) != len(want.numbers) || float64(v) != want.numbers[i] {
					t.Fatalf("%s: %v, want %v", name, row, want.numbers)
				}
			}
		}
	}
	for _, name := range []string{"state", "state at eps 1e-08", "state at eps 0.01"} {
		if h := found.hypothesis(name); h == nil || h.Outcome != Supported || h.Effect != 1 || h.agreeing() != .75 {
			t.Errorf("%s: %v, want 0.75 of the combinations, and supported", name, h)
		}
	}
	closeness := "By how close the betas are, in the longer of both memories, 1/(1 - beta), over the shorter: the equation without memory is borne out at a share of 0.75 [0.75, 0.75] where it is equally long (24 combinations), 0.75 [0.75, 0.75] where it is up to ten times as long (60 combinations), 0.75 [0.75, 0.75] where it is longer still (60 combinations), means over seeds with bootstrap intervals. Where they are far apart one of them is long, too, so that this is not closeness alone."
	if found.Notes[0] != closeness {
		t.Errorf("%q, want %q", found.Notes[0], closeness)
	}
	if want := "eps 1e-08 outside the root, full batch, lr 1e-05, 0.0001, 0.001 and 0.01: of 48 combinations of betas and lr 48 are stable; the state equation of order 2 predicts nearly all steps to 5% in 36, most steps bear out the equation of order 2 without memory in 36."; !strings.Contains(found.Notes[1], want) {
		t.Errorf("%q, want %q in it", found.Notes[1], want)
	}
}
