package record

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var followed = []Column{
	{Name: "step", Type: IntColumn}, {Name: "loss", Type: FloatColumn, Unit: "nats"}, {Name: "note", Type: TextColumn}, {Name: "test_loss", Type: FloatColumn},
}

func addRow(t *testing.T, d *Dir, step int, loss float64, note string) {
	t.Helper()
	if err := d.Append([]Value{Int(int64(step)), Float(loss), Text(note), {}}); err != nil {
		t.Fatal(err)
	}
}

func readOn(t *testing.T, f *Follower, changed bool, losses ...float64) {
	t.Helper()
	got, err := f.Read(context.Background())
	if err != nil || got != changed {
		t.Fatalf("changed %v, %v; want %v", got, err, changed)
	}
	if now := f.Table().Floats("loss"); !slices.EqualFunc(now, losses, func(a, b float64) bool { return a == b || a != a && b != b }) {
		t.Fatalf("losses %v, want %v", now, losses)
	}
}

func TestAFollowerReadsWhatIsAddedAndLeavesEarlierTablesAlone(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(filepath.Join(dir, "run"), []byte("steps: 1\n"), followed)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f := Follow(d.Path())
	readOn(t, f, true) // the header
	readOn(t, f, false)
	addRow(t, d, 0, 1.5, `a "quoted", word`)
	addRow(t, d, 1, math.NaN(), "")
	readOn(t, f, true, 1.5, math.NaN())
	before := f.Table()
	addRow(t, d, 2, math.Inf(1), "")
	readOn(t, f, true, 1.5, math.NaN(), math.Inf(1))
	if before.Len() != 2 || f.Table().Len() != 3 || before.Unit("loss") != "nats" || before.Measured("test_loss") || !before.Measured("loss") || before.Floats("none") != nil {
		t.Errorf("%d rows before, %d now, unit %q", before.Len(), f.Table().Len(), before.Unit("loss"))
	}
	whole, err := ReadHistory(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"step", "test_loss"} {
		same := func(a, b float64) bool { return a == b || a != a && b != b }
		if !slices.EqualFunc(whole.Floats(c), f.Table().Floats(c), same) {
			t.Errorf("%s: %v by rows, %v by columns", c, whole.Floats(c), f.Table().Floats(c))
		}
	}
}

func TestAFollowerWaitsForTheEndOfALine(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, historyFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, columnsFile), formatColumns(followed[:2]), 0o644); err != nil {
		t.Fatal(err)
	}
	f := Follow(dir)
	write("step,lo")
	readOn(t, f, false)
	write("step,loss\n0,1\n1,2")
	readOn(t, f, true, 1)
	write("step,loss\n0,1\n1,25\n")
	readOn(t, f, true, 1, 25)
}

func TestAFollowerBeginsAnewWhereAHistoryWasCutOff(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, columnsFile), formatColumns(followed[:2]), 0o644); err != nil {
		t.Fatal(err)
	}
	f := Follow(dir)
	for _, history := range []struct {
		text   string
		losses []float64
	}{
		{"step,loss\n0,1\n1,2\n2,3\n", []float64{1, 2, 3}},
		{"step,loss\n0,1\n", []float64{1}},                         // shorter
		{"step,loss\n0,1\n1,7\n", []float64{1, 7}},                 // longer again
		{"step,loss\n0,1\n1,8\n2,9\n", []float64{1, 8, 9}},         // longer, and not what it was
		{"step,loss\n0,4\n1,8\n2,9\n3,1\n", []float64{4, 8, 9, 1}}, // all that was read is within what is compared
	} {
		if err := os.WriteFile(filepath.Join(dir, historyFile), []byte(history.text), 0o644); err != nil {
			t.Fatal(err)
		}
		readOn(t, f, true, history.losses...)
	}
}

func TestAFollowerSaysWhatIsNoHistory(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"another column": {"step,lost\n", `column 2 is "lost"; expected "loss"`},
		"a cell more":    {"step,loss\n0,1,2\n", "row 1: 3 cells; expected 2"},
		"a word":         {"step,loss\n0,1\n1,<b>\n", `row 2, column loss: "<b>" is not a number`},
		"a quote":        {"step,loss\n0,\"\n", "quote"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{columnsFile: string(formatColumns(followed[:2])), historyFile: c.text} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			f := Follow(dir)
			if _, err := f.Read(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %s", err, c.want)
			}
			if f.Table().Len() != 0 {
				t.Errorf("%d rows of a chunk that is none", f.Table().Len())
			}
		})
	}
}

func TestAFollowerReadsLongLinesAndManyChunks(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(filepath.Join(dir, "run"), []byte("steps: 1\n"), followed)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	long := strings.Repeat("x", followChunk+10)
	for i := range 5 {
		note := ""
		if i == 2 {
			note = long
		}
		addRow(t, d, i, float64(i), note)
	}
	f := Follow(d.Path())
	readOn(t, f, true, 0, 1, 2, 3, 4)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	addRow(t, d, 5, 5, "")
	if _, err := f.Read(ended); err == nil {
		t.Error("no error of a context that had ended")
	}
	readOn(t, f, true, 0, 1, 2, 3, 4, 5)
}

func TestBetweenHasTheRowsOfARangeAndOneAtEitherSide(t *testing.T) {
	table := &Table{Columns: followed[:1], filled: []bool{true}, values: [][]float64{{0, 10, 20, 30, 40}}}
	for _, c := range []struct {
		low, high float64
		want      []float64
	}{
		{10, 20, []float64{0, 10, 20, 30}}, {12, 13, []float64{10, 20}}, {-5, 100, []float64{0, 10, 20, 30, 40}}, {50, 60, []float64{40}}, {-9, -5, []float64{0}},
	} {
		if got := table.Between(c.low, c.high).Floats("step"); !slices.Equal(got, c.want) {
			t.Errorf("from %v to %v: %v, want %v", c.low, c.high, got, c.want)
		}
	}
}

func FuzzFollow(f *testing.F) {
	f.Add("step,loss\n0,1\n1,\n")
	f.Add("step,loss\n0,\"1\n\"\n")
	f.Add("step,loss\r\n0,1e999\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		for file, text := range map[string]string{columnsFile: string(formatColumns(followed[:2])), historyFile: text} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		follower := Follow(dir)
		if _, err := follower.Read(context.Background()); err != nil {
			return
		}
		seen := follower.Table()
		if rows := strings.Count(text, "\n") - 1; rows >= 0 && seen.Len() != rows {
			t.Errorf("%d rows of %d lines: %q", seen.Len(), rows, text)
		}
		if len(seen.Floats("loss")) != seen.Len() {
			t.Error("columns of different lengths")
		}
	})
}
