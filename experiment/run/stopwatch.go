package run

import (
	"fmt"
	"time"

	"shadowflow/internal/plural"
)

// stopwatch measures where the time goes.
type stopwatch struct {
	costs   []Cost
	started time.Time
	before  float64 // seconds of earlier parts of the run
}

// seconds returns the run's wall time so far.
func (w *stopwatch) seconds() float64 { return w.before + time.Since(w.started).Seconds() }

// time adds what f takes to a kind's cost; an empty kind is not worth it.
func (w *stopwatch) time(kind string, f func() error) error {
	if kind == "" {
		return f()
	}
	start := time.Now()
	err := f()
	w.add(kind, time.Since(start).Seconds())
	return err
}

// extend adds what f takes to the last piece of work of a kind.
func (w *stopwatch) extend(kind string, f func() error) error {
	start := time.Now()
	err := f()
	for i := range w.costs {
		if w.costs[i].Kind == kind {
			w.costs[i].Seconds += time.Since(start).Seconds()
		}
	}
	return err
}

func (w *stopwatch) add(kind string, seconds float64) {
	for i := range w.costs {
		if w.costs[i].Kind == kind {
			w.costs[i].Count++
			w.costs[i].Seconds += seconds
			return
		}
	}
	w.costs = append(w.costs, Cost{Kind: kind, Count: 1, Seconds: seconds})
}

// String says a cost for people.
func (c Cost) String() string {
	return fmt.Sprintf("%s: %s, %.3g s, %.3g ms each", c.Kind, plural.Of(c.Count, "time"), c.Seconds, 1e3*c.Seconds/float64(c.Count))
}
