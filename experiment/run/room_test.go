package run

import (
	"strings"
	"testing"
)

func TestWhatCannotFitIsRefusedBeforeItIsAllocated(t *testing.T) {
	// 5e13 bytes a vector: more than any machine has, and small enough to be counted.
	for name, c := range map[string]struct{ set, want string }{
		"nothing":      {"record={bias: 0, sharpness: 0}", ""},
		"bias":         {"record={bias: 1, sharpness: 0}", "more than 7 vectors"},
		"mini-batches": {"record={bias: 1, sharpness: 0},batch={mode: shuffled, size: 10}", "more than 28 vectors"},
		"sharpness":    {"record={bias: 0, sharpness: 1}", "more than 24 vectors"},
		"beside":       {"record={bias: 0, sharpness: 0},beside=[state-2, memoryless-1]", "more than 8 vectors"},
	} {
		t.Run(name, func(t *testing.T) {
			err := roomFor(parse(t, "", c.set), 1<<43, 8)
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "are left: want fewer parameters") {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := roomFor(parse(t, ""), 1000, 8); err != nil {
		t.Errorf("a small run is refused: %v", err)
	}
}

func TestPathsThatCannotFitAreRefusedBeforeAStepIsTaken(t *testing.T) {
	p, err := NewProblem[float64](t.Context(), parse(t, "objective: {name: bilinear}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Iterate(t.Context(), *p, Iteration{Steps: 1 << 40, Orders: []int{1}}); err == nil || !strings.Contains(err.Error(), "on 2 paths, are kept until they are printed, which needs") {
		t.Errorf("got %v", err)
	}
	if err := timesFit(1<<42, true); err == nil || !strings.Contains(err.Error(), "want a larger lr or a shorter time") {
		t.Errorf("got %v", err)
	}
}
