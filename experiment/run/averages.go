package run

import (
	"shadowflow/graph"
	"shadowflow/objective"
)

// averages keeps the running averages of an objective that has them as they were before a step, so that the step can be broken off.
type averages[T graph.Float] struct {
	in      objective.Averager[T] // nil without any
	running []float64
	batches int64
}

func (a *averages[T]) of(o objective.Objective[T]) { a.in, _ = o.(objective.Averager[T]) }

// keep notes what a step may change.
func (a *averages[T]) keep() {
	if a.in == nil {
		return
	}
	running, batches := a.in.Running()
	a.running, a.batches = a.running[:0], batches
	for _, v := range running {
		a.running = append(a.running, float64(v))
	}
}

// update moves the averages by the batch that was evaluated.
func (a *averages[T]) update() {
	if a.in != nil {
		a.in.UpdateRunning()
	}
}

// undo takes back what was changed since keep.
func (a *averages[T]) undo() {
	if a.in != nil {
		a.in.SetRunning(a.running, a.batches)
	}
}
