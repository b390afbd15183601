package run

import (
	"context"
	"slices"
	"testing"

	"shadowflow/experiment/record"
)

// breaker is a meter that ends the run's context where it looks at the step taken, and would rather not go on then.
type breaker struct {
	schedule
	end context.CancelFunc
}

func (b *breaker) Gauges() []*Gauge                               { return nil }
func (b *breaker) Measure(context.Context, *Point[float64]) error { return nil }
func (b *breaker) Before(context.Context, *Point[float64]) error  { return nil }
func (b *breaker) After(ctx context.Context, _ *Point[float64]) error {
	b.end()
	return ctx.Err()
}

// rows counts what a loop records.
type rows struct{ n int }

func (r *rows) row(int, []record.Value) error { r.n++; return nil }
func (r *rows) between(int) error             { return nil }

func TestARunInterruptedWhileAStepThatWasTakenIsLookedAtEndsBehindIt(t *testing.T) {
	p, err := NewProblem[float64](t.Context(), parse(t, "objective: {name: bilinear}"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := newOptimizer(p, slices.Clone(p.Theta))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	l := newLoop(p.Objective, o)
	l.Steps, l.Every, l.Eps, l.Meters = 10, 1, 1e-8, []Meter[float64]{&breaker{schedule{"breaker", 1}, end}}
	var to rows
	if status, err := l.run(ctx, &to); err != nil || status != Interrupted || o.Steps() != 1 || to.n != 1 {
		t.Errorf("%q, %v, behind %d steps with %d rows; want it interrupted behind 1 step, whose row is recorded", status, err, o.Steps(), to.n)
	}
}
