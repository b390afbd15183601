package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
)

// halved has nine members whose losses at a step are in the order of their step sizes, and one of them diverges.
const halved = `name: halved
base: {objective: {name: rosenbrock}, steps: 100, record: {every: 7}, optimizer: {name: gd}}
grid: {optimizer.lr: [1e-5, 1e-3, 3e-5, 5e-4, 1e-4, 2e-3, 2e-4, 50, 3e-4]}
halving: {first: 10, eta: 3}
`

func parsed(t *testing.T, text string) *Sweep {
	t.Helper()
	s, err := Parse("halved.yaml", []byte(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// standing says of each run how it ended and where, and all that it recorded.
func standing(t *testing.T, s *Sweep, dir string) (states []string, histories [][]byte) {
	t.Helper()
	statuses, err := s.Status(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range statuses {
		states = append(states, fmt.Sprintf("%s %d %s", st.State, st.Step, st.Reason))
		h, err := os.ReadFile(record.HistoryPath(st.Dir))
		if err != nil {
			t.Fatal(err)
		}
		histories = append(histories, h)
	}
	return states, histories
}

func TestHalvingKeepsTheBestOfEachRung(t *testing.T) {
	s, dir := parsed(t, halved), t.TempDir()
	if err := s.Execute(t.Context(), filepath.Join(dir, "a"), Options{Parallel: 1}); err != nil {
		t.Fatal(err)
	}
	states, histories := standing(t, s, filepath.Join(dir, "a"))
	// By hand, from the losses of whole runs at the steps 10 and 30, which are recorded.
	whole := parsed(t, strings.Split(halved, "halving")[0])
	if err := whole.Execute(t.Context(), filepath.Join(dir, "whole"), Options{}); err != nil {
		t.Fatal(err)
	}
	lossAt := func(i, step int) float64 {
		h, err := record.ReadHistory(whole.RunDirs(filepath.Join(dir, "whole"))[i])
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(h.Rows, func(row []record.Value) bool { return row[0].Float() == float64(step) })
		return h.Floats("loss")[at]
	}
	rest := []int{0, 1, 2, 3, 4, 5, 6, 8} // without the one that diverges, whose loss is the worst
	for _, step := range []int{10, 30} {
		slices.SortFunc(rest, func(a, b int) int {
			if lossAt(a, step) < lossAt(b, step) {
				return -1
			}
			return 1
		})
		rest = rest[:map[int]int{10: 3, 30: 1}[step]]
	}
	if _, of := standing(t, whole, filepath.Join(dir, "whole")); !bytes.Equal(of[rest[0]], histories[rest[0]]) {
		t.Error("the run that waited at each rung recorded something else than the one that did not")
	}
	ended := 0
	for i, state := range states {
		switch {
		case i == 7 && !strings.HasPrefix(state, "ended"), i == rest[0] && !strings.HasPrefix(state, "ended 100"):
			t.Errorf("run %d: %s", i, state)
		case strings.HasPrefix(state, "ended"):
			ended++
		case !strings.HasPrefix(state, "stopped 10 stopped early at step 10 of 100: by loss it was number ") && !strings.HasPrefix(state, "stopped 30 stopped early at step 30 of 100: by loss it was number "):
			t.Errorf("run %d: %s", i, state)
		}
	}
	if ended != 2 || strings.Count(strings.Join(states, "\n"), "stopped 30") != 2 {
		t.Errorf("states:\n%s", strings.Join(states, "\n"))
	}
	table, err := s.Table(t.Context(), filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if row := table.Rows[0]; row[table.Index("status")].String() != "stopped" || !strings.Contains(row[table.Index("reason")].String(), "and halving keeps") {
		t.Errorf("the table's row: %v", row)
	}
	for name, make := range map[string]func(dir string) error{
		"four at once": func(dir string) error { return s.Execute(t.Context(), dir, Options{Parallel: 4}) },
		"interrupted": func(dir string) error {
			for k := range 6 {
				ctx, cancel := context.WithCancel(t.Context())
				done := 0
				opt := Options{Parallel: 2, Progress: func(e Event) {
					if done++; done > 2*k+1 {
						cancel()
					}
				}}
				_ = s.Execute(ctx, dir, opt) // which was interrupted
				cancel()
			}
			return s.Execute(t.Context(), dir, Options{Parallel: 2})
		},
		"one by one, as a cluster does": func(dir string) error {
			for range s.Stages() {
				for i := range slices.Backward(s.Runs) {
					if err := s.RunOne(t.Context(), dir, i, Options{}); err != nil && i != 7 {
						return err
					}
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			other := filepath.Join(dir, name)
			if err := make(other); err != nil {
				t.Fatal(err)
			}
			got, rows := standing(t, s, other)
			if !slices.Equal(got, states) || !slices.EqualFunc(rows, histories, bytes.Equal) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(states, "\n"))
			}
		})
	}
}

func TestSeedsGoOnTogetherByTheirMean(t *testing.T) {
	const text = "base: {steps: 20, data: {subset: 50}, model: {hidden: [4]}, record: {every: 5, bias: 5, state: 10}}\ngrid: {optimizer.lr: [1e-6, 1e-2]}\nseeds: 3\n"
	s, whole, dir := parsed(t, text+"halving: {first: 10, eta: 2}\n"), parsed(t, text), t.TempDir()
	for name, sw := range map[string]*Sweep{"halved": s, "whole": whole} {
		if err := sw.Execute(t.Context(), filepath.Join(dir, name), Options{}); err != nil {
			t.Fatal(err)
		}
	}
	states, rows := standing(t, s, filepath.Join(dir, "halved"))
	_, all := standing(t, whole, filepath.Join(dir, "whole"))
	for i, state := range states {
		if !bytes.HasPrefix(all[i], rows[i]) || i >= 3 && len(all[i]) != len(rows[i]) {
			t.Errorf("run %d recorded something else than without halving", i)
		}
		if stopped := strings.HasPrefix(state, "stopped 10"); stopped != (i < 3) {
			t.Errorf("run %d: %s", i, state)
		}
	}
}

func TestADamagedMemberIsARowAndHoldsNoRungUp(t *testing.T) {
	s, dir := parsed(t, halved), t.TempDir()
	if err := s.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.RunOne(t.Context(), dir, 0, Options{}); err != nil { // to its first rung
		t.Fatal(err)
	}
	if err := os.WriteFile(record.HistoryPath(s.RunDirs(dir)[0]), []byte("step\nnonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	statuses, err := s.Status(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	count := map[State]int{}
	for _, st := range statuses {
		count[st.State]++
	}
	if !statuses[0].Damaged || count[Ended] != 2 || count[Stopped] != 6 {
		t.Errorf("%v; run 0: %s", count, statuses[0].Reason)
	}
	table, err := s.Table(t.Context(), dir)
	if err != nil || len(table.Rows) != 9 {
		t.Errorf("%d rows, %v", len(table.Rows), err)
	}
}

func TestWhereNothingIsMeasuredNoRunIsHopeless(t *testing.T) {
	s, dir := parsed(t, strings.Replace(halved, "eta: 3", "eta: 3, by: test_loss", 1)), t.TempDir() // of which this loss has none
	if err := s.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	statuses, err := s.Status(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range statuses {
		if st.State != Ended {
			t.Errorf("run %d: %s %s", i, st.State, st.Reason)
		}
	}
}

func TestRungsAreBelowTheEnd(t *testing.T) {
	for _, c := range []struct {
		h     halving
		steps int
		want  []int
	}{
		{halving{First: 10, Eta: 3}, 100, []int{10, 30, 90}},
		{halving{First: 10, Eta: 3}, 90, []int{10, 30}},
		{halving{First: 100, Eta: 2}, 100, nil},
		{halving{First: 1, Eta: 1.3}, 6, []int{1, 2, 3, 4}},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			if got := c.h.rungs(c.steps); !slices.Equal(got, c.want) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAWrongHalvingIsRefusedWhereItStands(t *testing.T) {
	for text, want := range map[string]string{
		"true":                "expected keys and values, like {first: 100, eta: 3, by: loss}",
		"{first: 0}":          "s.yaml:2:18: halving.first: 0 is out of range",
		"{eta: 1}":            "halving.eta: 1 is out of range",
		"{by: excess}":        `unknown value "excess"`,
		"{first: 5, last: 3}": "halving.last: unknown key",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := Parse("s.yaml", []byte("seeds: 2\nhalving: "+text+"\n"), 0)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Otherwise each stage on a cluster would make it again, and a decision that was made could become another.
func TestAFailedRunIsTheWorstOfItsRungUntilItIsToBeMadeAgain(t *testing.T) {
	s, dir := parsed(t, halved), t.TempDir()
	fails := Options{Run: func(context.Context, *config.Config, string) error { return errors.New("no luck") }}
	if err := s.RunOne(t.Context(), dir, 1, fails); err == nil {
		t.Fatal("no error")
	}
	state := func() State {
		statuses, err := s.Status(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return statuses[1].State
	}
	if err := s.RunOne(t.Context(), dir, 1, Options{}); err == nil || !strings.Contains(err.Error(), "--retry-failed: no luck") || state() != Failed {
		t.Errorf("error %v, state %v", err, state())
	}
	if err := s.RunOne(t.Context(), dir, 1, Options{RetryFailed: true}); err != nil || state() == Failed {
		t.Errorf("error %v, state %v", err, state())
	}
}
