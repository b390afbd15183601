package sweep

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

const pendingSweep = "base: {steps: 4, data: {subset: 50, test_subset: 20}, model: {hidden: [4]}}\ngrid: {optimizer.lr: [1e-3, 1e-4]}\nseeds: %d\n"

// Counted in allocations, of which each look at a config makes dozens.
func TestTheWorkOfATableGrowsNoFasterThanItsRuns(t *testing.T) {
	work := func(seeds int) float64 {
		s, dir := mustParse(t, fmt.Sprintf(pendingSweep, seeds)), t.TempDir()
		return testing.AllocsPerRun(1, func() {
			table, err := s.Table(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Means(t.Context(), table); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := work(25), work(200); many > 12*few {
		t.Errorf("%.0f allocations for 50 runs, %.0f for 400", few, many)
	}
}

// An endingContext ends when it is asked for the last time that it is to last.
type endingContext struct {
	context.Context
	end  context.CancelCauseFunc
	left int
}

var errStopped = errors.New("stopped")

func endingAfter(t *testing.T, asked int) *endingContext {
	ctx, end := context.WithCancelCause(t.Context())
	t.Cleanup(func() { end(nil) })
	return &endingContext{ctx, end, asked}
}

func (c *endingContext) Err() error {
	if c.left == 0 {
		c.end(errStopped)
	}
	c.left--
	return c.Context.Err()
}

func TestATableEndsAtAnyRowWhereItIsInterrupted(t *testing.T) {
	s, dir := mustParse(t, fmt.Sprintf(pendingSweep, 5)), t.TempDir()
	if err := s.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	table, err := s.Table(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		do    func(context.Context) error
		least int // places where it may end
	}{
		"Status":      {func(ctx context.Context) error { _, err := s.Status(ctx, dir); return err }, 10},
		"Table":       {func(ctx context.Context) error { _, err := s.Table(ctx, dir); return err }, 40},
		"WriteTables": {func(ctx context.Context) error { _, err := s.WriteTables(ctx, dir); return err }, 56},
		"Means":       {func(ctx context.Context) error { _, err := Means(ctx, table); return err }, 12},
	} {
		t.Run(name, func(t *testing.T) {
			places := 0
			for ; ; places++ {
				err := c.do(endingAfter(t, places))
				if err == nil {
					break
				}
				if !errors.Is(err, errStopped) {
					t.Fatalf("asked %d times, it ended with %v", places, err)
				}
			}
			if places < c.least {
				t.Errorf("it asked %d times whether to end, want at least %d", places, c.least)
			}
		})
	}
}
