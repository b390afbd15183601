package rule

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"shadowflow/graph"
)

// snapshot is all that a stepper and its parameters are.
func snapshot(s *Stepper[float64], theta []float64) [][]float64 {
	out := [][]float64{slices.Clone(theta)}
	for _, a := range s.State() {
		out = append(out, slices.Clone(a))
	}
	return out
}

func equal(a, b [][]float64) bool { return slices.EqualFunc(a, b, slices.Equal[[]float64]) }

// TestAStepThatIsBrokenOffHasMovedNothing breaks steps off at some time within them: until, of one that has been, some of what it makes was
// made.
func TestAStepThatIsBrokenOffHasMovedNothing(t *testing.T) {
	const side, most = 128, 400
	weights := []graph.Block{{Name: "w", Shape: []int{side, side}}, {Name: "v", Shape: []int{side, side}, Offset: side * side}}
	for _, name := range []string{"shampoo", "soap", "muon"} {
		t.Run(name, func(t *testing.T) {
			s := mustStepper[float64](t, ruleOfWeights(t, name, nil, weights), weights)
			theta, g := make([]float64, s.dim), make([]float64, s.dim)
			for i := range g {
				g[i] = math.Sin(float64(i * i))
			}
			start := time.Now()
			if err := s.StepContext(t.Context(), 0.1, theta, g); err != nil {
				t.Fatal(err)
			}
			whole := time.Since(start)
			within := 0
			for k := 0; within < 3; k++ {
				if k == most {
					t.Fatalf("of %d steps none was broken off within", k)
				}
				for _, a := range s.aside {
					a[0], a[len(a)-1] = math.NaN(), math.NaN()
				}
				n, before := s.Steps(), snapshot(s, theta)
				ctx, cancel := context.WithTimeout(t.Context(), whole*time.Duration(k%16)/16)
				err := s.StepContext(ctx, 0.1, theta, g)
				cancel()
				switch {
				case err == nil: // it came too late
					if s.Steps() != n+1 {
						t.Fatalf("%d steps behind %d", s.Steps(), n)
					}
				case !errors.Is(err, context.DeadlineExceeded) || s.Steps() != n || !equal(snapshot(s, theta), before):
					t.Fatalf("broken off, it returned %v, and %d steps are taken, of %d", err, s.Steps(), n)
				case slices.ContainsFunc(s.aside, func(a []float64) bool { return a[0] == a[0] || a[len(a)-1] == a[len(a)-1] }):
					within++
				}
			}
		})
	}
}

func TestAStepBehindOnesThatWereBrokenOffIsAsWithoutThem(t *testing.T) {
	for _, name := range []string{"shampoo", "soap", "muon", "adam"} {
		t.Run(name, func(t *testing.T) {
			r := ruleOfWeights(t, name, nil, shaped())
			s, plain := mustStepper[float64](t, r, shaped()), mustStepper[float64](t, r, shaped())
			want, g := make([]float64, 12), make([]float64, 12)
			for i := range g {
				g[i] = float64(i*i%7) - 3
			}
			theta := slices.Clone(want)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			for n := range 3 {
				if !r.short() {
					if err := s.StepContext(ended, 0.1, theta, g); !errors.Is(err, context.Canceled) || s.Steps() != n {
						t.Fatalf("step %d returned %v, and %d are taken", n, err, s.Steps())
					}
				}
				if err := errors.Join(s.StepContext(t.Context(), 0.1, theta, g), plain.Step(0.1, want, g)); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(theta, want) || !equal(s.State(), plain.State()) {
				t.Errorf("behind broken steps it stands at %v, and else at %v", theta, want)
			}
		})
	}
}
