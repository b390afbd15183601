package run

import (
	"context"
	"encoding/json"
	"fmt"

	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/internal/plural"
)

// heldRow is a row that waits for the next point to be complete. It is part of a checkpoint, since that may be written in between.
type heldRow struct {
	step   int
	values []record.Value
}

// emit records the readings behind n steps, or holds them if something of theirs is to come.
func (l *Loop[T]) emit(to sink, n int) error {
	for _, m := range l.Meters {
		if a, ok := m.(Awaiter[T]); ok && a.Waits() {
			l.held = &heldRow{n, l.readings()}
			return nil
		}
	}
	return to.row(n, l.readings())
}

// complete records the row that is held, with what its meters read at the present point.
func (l *Loop[T]) complete(ctx context.Context, to sink) error {
	if l.held == nil {
		return nil
	}
	for _, m := range l.Meters {
		if a, ok := m.(Awaiter[T]); ok && a.Waits() {
			if err := l.watch.extend(m.Name(), func() error { return a.Next(ctx, &l.point) }); err != nil {
				return err
			}
		}
	}
	for i, v := range l.readings() {
		if v.Measured() {
			l.held.values[i] = v
		}
	}
	err := to.row(l.held.step, l.held.values)
	l.held = nil
	return err
}

// passed is what a checkpoint has of points that have passed: the row that is held, and what meters keep.
type passed struct {
	Step int      `json:"held_step,omitempty"`
	Row  []string `json:"held_row,omitempty"`
	// Kept is by the meters' names.
	Kept map[string]json.RawMessage `json:"kept,omitempty"`
}

// passed returns it.
func (l *Loop[T]) passed() (p passed, err error) {
	if l.held != nil {
		p.Step = l.held.step
		for _, v := range l.held.values {
			p.Row = append(p.Row, v.String())
		}
	}
	p.Kept = map[string]json.RawMessage{}
	for _, k := range keepers(l.Meters) {
		if p.Kept[k.Name()], err = json.Marshal(k.Kept()); err != nil {
			return p, err
		}
	}
	return p, nil
}

// takeUp restores it.
func (l *Loop[T]) takeUp(p passed) error {
	for _, k := range keepers(l.Meters) {
		if err := json.Unmarshal(p.Kept[k.Name()], k.Kept()); err != nil {
			return fmt.Errorf("what the meter %q keeps: %w", k.Name(), err)
		}
	}
	if len(p.Row) == 0 {
		return nil
	}
	columns := l.columns()
	if len(p.Row) != len(columns) {
		return fmt.Errorf("a row of %s waits to be completed: want %d", plural.Count(len(p.Row), "value"), len(columns))
	}
	l.held = &heldRow{step: p.Step}
	for i, text := range p.Row {
		v, err := record.ParseValue(text, columns[i].Type)
		if err != nil {
			return fmt.Errorf("a row that waits to be completed: column %s: %w", columns[i].Name, err)
		}
		l.held.values = append(l.held.values, v)
	}
	return nil
}

func keepers[T graph.Float](meters []Meter[T]) []Keeper {
	var out []Keeper
	for _, m := range meters {
		if k, ok := m.(Keeper); ok {
			out = append(out, k)
		}
	}
	return out
}
