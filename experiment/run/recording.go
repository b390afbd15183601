package run

import (
	"context"
	"errors"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/schema"
)

// Recording is a run that no directory keeps.
type Recording struct {
	Config *config.Config
	// History has the rows that [Run] would record, to the bit.
	History *record.History
	// Result is the summary, without what the run read.
	Result *Result
	// Paths are the points at the recorded steps: those of the optimizer, and then those of each equation that the config has beside it, in its order.
	// The points of an equation are its whole states, the parameters first.
	Paths []Path
}

// InMemory carries out a config in float64 without a directory: nothing is written, and nothing can be resumed. It is an error if the context ends before
// the run does.
func InMemory(ctx context.Context, c *config.Config) (r *Recording, err error) {
	if c.DType != "float64" {
		return nil, &schema.Error{Key: "dtype", Problem: c.DType + ": a run that is kept in memory is in float64"}
	}
	t, err := newTraining[float64](ctx, c, Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	every := max(1, c.Record.Every)
	if err := pathsFit(c.Steps/every, len(t.problem.Theta), 1+len(t.beside)); err != nil {
		return nil, err
	}
	trace := newTracer(t.problem, t.beside, every)
	kept := &memorySink{&record.History{Columns: t.columns()}}
	t.loop.Meters = append(t.loop.Meters, trace) // without columns
	status, err := t.loop.run(ctx, kept)
	switch {
	case err != nil:
		return nil, err
	case status == Interrupted:
		return nil, context.Cause(ctx)
	}
	return &Recording{Config: c, History: kept.history, Result: t.summarize(status, kept.history), Paths: trace.finish()}, nil
}

// memorySink keeps what a loop records.
type memorySink struct{ history *record.History }

// row implements sink.
func (s *memorySink) row(_ int, values []record.Value) error {
	s.history.Rows = append(s.history.Rows, values)
	return nil
}

// between implements sink.
func (s *memorySink) between(int) error { return nil }
