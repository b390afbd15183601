package run

import (
	"strings"
	"testing"
)

func TestWhatCannotFitIsRefusedBeforeItIsAllocated(t *testing.T) {
	const dim = 1 << 43 // 5e13 bytes a vector: more than any machine has, and small enough to be counted
	for name, set := range map[string]string{
		"nothing": "dtype=float32", "in float64": "dtype=float64", "the bias of mini-batches": "record.bias=1,batch={mode: shuffled, size: 10}",
		"the bias of an optimizer without the memory form": "record.bias=1,optimizer.name=adamax", "sharpness": "record.sharpness=1",
		"the central flow": "beside=[central]", "equations": "beside=[state-2, memoryless-1]",
	} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, "record: {bias: 0, sharpness: 0, state: 0}", set)
			r, err := c.Optimizer.Rule()
			if err != nil {
				t.Fatal(err)
			}
			err = roomFor(c, Subject{Rule: r, Dim: dim})
			for _, want := range []string{"are left (vectors of parameters take ", "want fewer parameters, dtype float32"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nshould say %q", err, want)
				}
			}
		})
	}
	small := parse(t, "")
	r, err := small.Optimizer.Rule()
	if err != nil {
		t.Fatal(err)
	}
	if err := roomFor(small, Subject{Rule: r, Dim: 1000}); err != nil {
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
	for name, c := range map[string]struct {
		set  string
		want []string
	}{
		"a memory of more steps than any program counts": {"optimizer.beta2=0.9999999999999999", []string{"steps backwards to fill the memory, of at most 1000000000", "want smaller betas, start cold"}},
		"one beyond the bound alone":                     {"optimizer.beta2=0.99999997", []string{"steps backwards to fill the memory", "the memory as state"}},
		"a step back of which is large":                  {"optimizer.beta2=0.9999999,objective={name: rosenbrock, dim: 1000000}", []string{"of 1000000 parameters each, which needs", "are left: want smaller betas, start cold"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := NewProblem[float64](t.Context(), parse(t, "objective: {name: bilinear}", c.set))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Verify(t.Context(), *p, VerifyOptions{Orders: []int{1}, LR: []float64{1e-4}, Time: .1})
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nshould say %q", err, want)
				}
			}
		})
	}
}
