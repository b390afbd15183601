package run

import (
	"strings"
	"testing"
)

func TestWhatCannotFitIsRefusedBeforeItIsAllocated(t *testing.T) {
	// 5e13 bytes a vector: more than any machine has, and small enough to be counted.
	for name, c := range map[string]struct {
		set  string
		want int64 // bytes a parameter
	}{
		"nothing":      {"record={bias: 0, sharpness: 0, state: 0}", 0},
		"bias":         {"record={bias: 1, sharpness: 0, state: 0}", 7 * 4},
		"in float64":   {"record={bias: 1, sharpness: 0, state: 0},dtype=float64", 7 * 8},
		"mini-batches": {"record={bias: 1, sharpness: 0, state: 0},batch={mode: shuffled, size: 10}", 28 * 4},
		"the bias of an optimizer without the memory form":          {"record={bias: 1, sharpness: 0, state: 0},optimizer.name=adamax", 7 * 4},
		"that of mini-batches, which is not measured":               {"record={bias: 1, sharpness: 0, state: 0},optimizer.name=adamax,batch={mode: shuffled, size: 10}", 0},
		"the state equations, of theta and two moments, in float64": {"record={bias: 0, sharpness: 0, state: 1}", 16 * 3 * 8},
		"those of an optimizer that remembers nothing":              {"record={bias: 0, sharpness: 0, state: 1},optimizer={name: gd, lr: 1}", 16 * 8},
		"those of a penalized loss, which is not followed":          {"record={bias: 0, sharpness: 0, state: 1},regularizer={kind: perturbed-one-norm, weight: 1}", 0},
		"the central flow": {"record={bias: 0, sharpness: 0, state: 0},beside=[central]", 74*4 + 33*8},
		"sharpness":        {"record={bias: 0, sharpness: 1, state: 0}", (41 + 8) * 4},
		"beside, with the stages of one at a time": {"record={bias: 0, sharpness: 0, state: 0},beside=[state-2, memoryless-1]", (4*3 + 4 + 5*3) * 8},
	} {
		t.Run(name, func(t *testing.T) {
			const dim = 1 << 43
			own := int64(12 * 4) // parameters, moments, gradient, update, a checkpoint being written
			config := parse(t, "beside: []", c.set)
			if config.DType == "float64" {
				own *= 2
			}
			r, err := config.Optimizer.Rule()
			if err != nil {
				t.Fatal(err)
			}
			if got := Room(config, r, dim)/dim - own; got != c.want {
				t.Errorf("%d bytes a parameter beside its own, want %d", got, c.want)
			}
			if err := roomFor(config, r, dim, nil, 0, false); err == nil || !strings.Contains(err.Error(), "are left: want fewer parameters") {
				t.Errorf("got %v", err)
			}
		})
	}
	small := parse(t, "")
	if r, err := small.Optimizer.Rule(); err != nil || roomFor(small, r, 1000, nil, 0, false) != nil {
		t.Errorf("a small run is refused: %v, %v", err, roomFor(small, r, 1000, nil, 0, false))
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
