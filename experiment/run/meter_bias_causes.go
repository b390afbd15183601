package run

import (
	"context"
	"fmt"

	"shadowflow/diagnose"
	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/rule"
)

// causes measures how much of dN/dt is due to the change of lr, and to clipping.
//
// The change of lr is in the second-order term alone, by how long ago the memory's steps were in steps of this one's size: its part is -h q.(C -
// C'), with C' that of steps all of this one's size. Clipping is in U: its part is -q.(U - U'), with U' the update that this step would have made
// from the same memory, had its own gradient not been clipped.
type causes[T graph.Float] struct {
	terms     *modeq.Terms[T]       // of steps of one size: one of both, nil where the sizes do not change
	general   *modeq.SecondOrder[T] //
	unclipped *rule.Stepper[T]      // nil where nothing is clipped
	other     []T                   // C', and then U'
	f         []T

	schedule, clip *Gauge // nil where there is no such cause
}

// newCauses prepares the measurement of the causes that a problem has: of lr where a bias is predicted, of clipping where it is asked for.
func newCauses[T graph.Float](p *Problem[T], s *secondOrder[T], predicted, clipped bool) (*causes[T], error) {
	dim := len(p.Theta)
	c := &causes[T]{other: make([]T, dim), f: make([]T, dim)}
	var err error
	if p.Schedule.Varies() && predicted {
		c.schedule = gauge("drive.schedule", "1/h", "the part of drive.predicted that the change of lr makes, -h q.(C - C'), with C' that of steps all of this one's size: decay lengthens the memory's age in steps, warmup shortens it")
		if s.field != nil {
			c.terms, err = modeq.NewTerms[T](p.Rule, dim, p.Threads)
		} else {
			c.general, err = modeq.NewSecondOrder(p.Rule, p.Objective, modeq.SecondOptions{Order: p.Order, Threads: p.Threads})
		}
	}
	if with := p.Rule.Conditioning(); err == nil && (with.ClipNorm > 0 || with.ClipValue > 0) && clipped {
		c.clip = gauge("drive.clip", "1/h", "dN/dt by clipping, -q.(U - U'), with U' the update that the step from here would have made from the same memory, had its own gradient not been clipped")
		c.unclipped, err = rule.NewStepper[T](p.Rule.Unclipped(), p.Objective.Blocks(), engine.Options{Threads: p.Threads})
	}
	if err != nil {
		return nil, fmt.Errorf("causes of the bias: %w", err)
	}
	return c, nil
}

// predict measures the part of lr's change in the term of second order s at a point, q being the gradient of N.
func (c *causes[T]) predict(ctx context.Context, at *Point[T], s *secondOrder[T], q []T) error {
	if c.schedule == nil {
		return nil
	}
	var err error
	if c.terms != nil {
		err = c.terms.SecondOrder(at.Step, at.Gradient, at.Theta, s.f, s.hf, c.other)
	} else {
		err = c.general.At(ctx, at.Step, at.Theta, c.f, c.other)
	}
	c.schedule.Set(-at.LR * (diagnose.Dot(q, s.c) - diagnose.Dot(q, c.other)))
	return err
}

// realize measures the part of clipping in the update u of the step from a point, which the optimizer is about to take.
func (c *causes[T]) realize(ctx context.Context, at *Point[T], o *Optimizer[T], u, q []T) error {
	if c.clip == nil {
		return nil
	}
	if err := c.unclipped.Restore(at.Step, o.stepper.State()); err != nil {
		return err
	}
	if err := c.unclipped.Update(ctx, at.LR, at.Theta, at.Gradient, c.other); err != nil {
		return err
	}
	diagnose.Subtract(c.other, u, nil)
	c.clip.Set(diagnose.Dot(q, c.other))
	return nil
}
