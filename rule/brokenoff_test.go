package rule

import (
	"context"
	"errors"
	"slices"
	"testing"

	"shadowflow/engine"
)

func TestAStepThatIsBrokenOffHasMovedNothing(t *testing.T) {
	for name, whole := range map[string]bool{"shampoo": true, "soap": true, "muon": true, "adam": false} {
		t.Run(name, func(t *testing.T) {
			r := ruleOfWeights(t, name, nil, shaped())
			plain, err := NewStepper[float64](r, shaped(), engine.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			s, err := NewStepper[float64](r, shaped(), engine.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			want, g := make([]float64, 12), make([]float64, 12)
			for i := range g {
				g[i] = float64(i*i%7) - 3
			}
			theta := slices.Clone(want)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			for n := range 3 {
				before := slices.Clone(theta)
				if whole {
					if err := s.StepContext(ended, 0.1, theta, g); !errors.Is(err, context.Canceled) || s.Steps() != n || !slices.Equal(theta, before) {
						t.Fatalf("step %d returned %v, and %d are taken", n, err, s.Steps())
					}
				}
				if err := errors.Join(s.StepContext(t.Context(), 0.1, theta, g), plain.Step(0.1, want, g)); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(theta, want) || !slices.EqualFunc(s.State(), plain.State(), slices.Equal[[]float64]) {
				t.Errorf("behind broken steps it stands at %v, and else at %v", theta, want)
			}
		})
	}
}
