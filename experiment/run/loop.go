package run

import (
	"context"
	"fmt"
	"math"
	"time"

	"shadowflow/diagnose"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/objective"
)

// divergedLoss is the loss, relative to the first, at which a run is given up.
const divergedLoss = 1e4

// Loop takes the steps of an optimizer on an objective. Processes move beside it on the same batches, and meters look at the points that
// it passes. It is not for concurrent use.
type Loop[T graph.Float] struct {
	Objective objective.Objective[T]
	Optimizer *Optimizer[T]
	Beside    []Process[T]
	Meters    []Meter[T]
	// Order gives the batch of each step. If nil, every step takes the full batch.
	Order func(step int) int
	// Steps is the number of steps to take.
	Steps int
	// Every is the number of steps between rows that are recorded for the meters without an interval of their own; 0: never.
	Every int
	// Eps is that of the perturbed one-norm.
	Eps float64
	// Field is the direction F of which meters may want the product with the Hessian; nil if none does.
	Field *objective.Direction
	// StopLoss and StopSeconds end the loop where the loss over all examples is below the one, or the wall time has reached the other; 0:
	// never. With mini-batches the loss is looked at once an epoch.
	StopLoss, StopSeconds float64
	// Progress, if not nil, is told of the point where the loop begins, before anything is measured there, of each step that was taken, and of
	// the last point.
	Progress func(at *Point[T])

	watch     stopwatch
	point     Point[T]
	held      *heldRow
	first     int // the step that it begins with
	firstLoss float64
	averages  averages[T]
}

// sink takes what a loop records.
type sink interface {
	// row takes the readings behind n steps, in the order of the meters' gauges.
	row(n int, values []record.Value) error
	// between is called between two steps, n of which have been taken.
	between(n int) error
}

// newLoop returns a loop at the optimizer's point.
func newLoop[T graph.Float](o objective.Objective[T], optimizer *Optimizer[T]) *Loop[T] {
	l := &Loop[T]{Objective: o, Optimizer: optimizer, firstLoss: math.NaN(), watch: stopwatch{started: time.Now()}}
	l.point = Point[T]{Theta: optimizer.theta, Gradient: objective.Vector(o)}
	l.averages.of(o)
	return l
}

// columns returns the columns of all meters.
func (l *Loop[T]) columns() []record.Column {
	var out []record.Column
	for _, m := range l.Meters {
		for _, g := range m.Gauges() {
			out = append(out, g.Column)
		}
	}
	return out
}

// run takes the steps that are left. A nil sink records nothing. When the context ends, so does the loop, with Interrupted and as if the
// step at hand had not been begun.
func (l *Loop[T]) run(ctx context.Context, to sink) (Status, error) {
	l.makeRoom()
	l.first = l.Optimizer.Steps()
	for n := l.first; ; n++ {
		if ctx.Err() != nil {
			return Interrupted, nil
		}
		if n > l.first && to != nil {
			if err := to.between(n); err != nil {
				return "", err
			}
		}
		l.averages.keep()
		status, err := l.advance(ctx, to, n)
		if err != nil && ctx.Err() != nil && l.Optimizer.Steps() == n {
			l.averages.undo()
			return Interrupted, nil
		}
		if err != nil {
			return "", fmt.Errorf("step %d: %w", n, err)
		}
		if status != "" {
			return status, nil
		}
	}
}

// makeRoom allocates what the point holds of the field.
func (l *Loop[T]) makeRoom() {
	if l.Field != nil {
		l.point.Field, l.point.HField = objective.Vector(l.Objective), objective.Vector(l.Objective)
	}
}

// release gives back the vectors of the loop and of its optimizer, for another loop on the same loss. Nothing of the loop but its readings is of
// use then.
func (l *Loop[T]) release() {
	objective.Release(l.Objective, l.point.Theta, l.point.Gradient, l.point.Field, l.point.HField)
}

// advance measures at the point behind n steps and takes the next step. A status says that there is no next.
func (l *Loop[T]) advance(ctx context.Context, to sink, n int) (Status, error) {
	at := &l.point
	if err := l.observe(ctx, n); err != nil {
		return "", err
	}
	recorded := l.records(n)
	if recorded || l.held != nil || n == l.first {
		at.Norms = diagnose.GradientNorms(at.Gradient, l.Eps)
	}
	if err := l.complete(ctx, to); err != nil {
		return "", err
	}
	status, err := l.ending(ctx, recorded)
	if err != nil {
		return "", err
	}
	if (recorded || status != "") && status != Diverged {
		if err := l.Optimizer.checkMemory(); err != nil {
			return "", err
		}
	}
	if status != "" && !recorded {
		recorded = true
		at.Norms = diagnose.GradientNorms(at.Gradient, l.Eps)
	}
	var measured []Meter[T]
	if recorded {
		measured = l.due(n, status != "")
	}
	if n == l.first && l.Progress != nil {
		l.Progress(at)
	}
	for _, m := range measured {
		if err := l.watch.time(m.Name(), func() error { return m.Measure(ctx, at) }); err != nil {
			return "", err
		}
	}
	if status == "" {
		if err := l.step(ctx, measured); err != nil {
			return "", err
		}
	}
	if recorded && to != nil {
		if err := l.emit(to, n); err != nil {
			return "", err
		}
	}
	if l.Progress != nil {
		l.Progress(at)
	}
	return status, nil
}

// observe evaluates the loss and the gradient that step n sees, with the optimizer's F and the Hessian times it if something at this step
// needs them.
func (l *Loop[T]) observe(ctx context.Context, n int) error {
	if d, ok := l.Objective.(objective.Drawer); ok {
		d.Draw(n)
	}
	at := &l.point
	at.Step, at.Batch, at.LR, at.HasField = n, objective.Full, l.Optimizer.LR(n), l.needsField(n)
	if l.Order != nil {
		at.Batch = l.Order(n)
	}
	want, kind := objective.Want[T]{Gradient: at.Gradient}, "gradient"
	if at.HasField {
		want.Direction, want.Field, want.HField = l.Field, at.Field, at.HField
		kind = "gradient and Hessian-vector product"
	}
	estimates := l.Optimizer.hessian.want(n, &want)
	if estimates {
		kind = "gradient and Hessian-vector product"
	}
	err := l.watch.time(kind, func() (err error) {
		at.Seen, err = l.Objective.Evaluate(ctx, at.Theta, at.Batch, want)
		return err
	})
	if err != nil {
		return err
	}
	if estimates {
		l.Optimizer.stepper.SetHessian(l.Optimizer.hessian.estimate())
	}
	l.averages.update()
	if math.IsNaN(l.firstLoss) {
		l.firstLoss = at.Seen.Loss
	}
	return nil
}

// needsField reports whether F is to come with the gradient of step n.
func (l *Loop[T]) needsField(n int) bool {
	if l.Field == nil {
		return false
	}
	if l.Optimizer.needsField() {
		return true
	}
	for _, m := range l.Meters {
		if m.NeedsField() && due(m.Every(), n) {
			return true
		}
	}
	return false
}

// records reports whether a row is recorded behind n steps, should the run not end there.
func (l *Loop[T]) records(n int) bool {
	if due(l.Every, n) {
		return true
	}
	for _, m := range l.Meters {
		if due(m.Every(), n) {
			return true
		}
	}
	return false
}

// due returns the meters that are read in the row behind n steps: all of them in the last.
func (l *Loop[T]) due(n int, last bool) []Meter[T] {
	var out []Meter[T]
	for _, m := range l.Meters {
		if last || m.Every() == 0 || due(m.Every(), n) {
			out = append(out, m)
		}
	}
	return out
}

// readings takes the readings of all gauges.
func (l *Loop[T]) readings() []record.Value {
	var row []record.Value
	for _, m := range l.Meters {
		for _, g := range m.Gauges() {
			row = append(row, g.take())
		}
	}
	return row
}

// ending returns the status with which the loop ends at the present point, "" if it goes on. The norms count where they are known.
func (l *Loop[T]) ending(ctx context.Context, normed bool) (Status, error) {
	at := &l.point
	if !finite(at.Seen.Loss) || normed && !finite(at.Norms.Two) || at.Seen.Loss > divergedLoss*max(l.firstLoss, 1e-3) {
		return Diverged, nil
	}
	reached, err := l.lossReached(ctx)
	switch {
	case err != nil:
		return "", err
	case reached:
		return LossReached, nil
	case at.Step >= l.Steps:
		return Finished, nil
	case l.StopSeconds > 0 && l.watch.seconds() >= l.StopSeconds:
		return TimeUp, nil
	}
	return "", nil
}

// lossReached reports whether the loss over all examples is looked at here, and below StopLoss.
func (l *Loop[T]) lossReached(ctx context.Context) (bool, error) {
	at := &l.point
	switch {
	case l.StopLoss == 0:
		return false, nil
	case at.Batch == objective.Full:
		return at.Seen.Loss < l.StopLoss, nil
	case at.Step%l.Objective.Batches() != 0:
		return false, nil
	}
	var full objective.Evaluation
	err := l.watch.time("loss over all examples", func() (err error) {
		full, err = l.Objective.Evaluate(ctx, at.Theta, objective.Full, objective.Want[T]{})
		return err
	})
	return full.Loss < l.StopLoss, err
}

// step takes the step from the present point: every process finds its next point, and then all move, the optimizer first, whose move the context
// may still break off.
func (l *Loop[T]) step(ctx context.Context, measured []Meter[T]) error {
	at := &l.point
	for _, m := range measured {
		if f, ok := m.(Follower[T]); ok {
			if err := l.watch.extend(m.Name(), func() error { return f.Before(ctx, at) }); err != nil {
				return err
			}
		}
	}
	for _, p := range l.Beside {
		if err := l.watch.time(p.Name(), func() error { return p.Advance(ctx, at) }); err != nil {
			return fmt.Errorf("%s: %w", p.Name(), err)
		}
	}
	if err := l.Optimizer.Advance(ctx, at); err != nil {
		return err
	}
	if err := l.watch.time(l.Optimizer.Name(), func() error { return l.Optimizer.Commit(ctx) }); err != nil {
		return err
	}
	for _, p := range l.Beside {
		if err := p.Commit(); err != nil {
			return err
		}
	}
	taken := context.WithoutCancel(ctx) // the step is: what is measured of it is, too, and the next one ends the loop
	for _, m := range measured {
		if f, ok := m.(Follower[T]); ok {
			if err := f.After(taken, at); err != nil {
				return err
			}
		}
	}
	return nil
}
