package record

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func testColumns() []Column {
	return []Column{
		{Name: "step", Type: IntColumn, Meaning: "steps taken"},
		{Name: "loss", Type: FloatColumn, Unit: "nat", Meaning: "training loss, before the step"},
		{Name: "regime", Type: TextColumn, Meaning: `what the curve does, "in words"`},
	}
}

func testRows() [][]Value {
	return [][]Value{
		{Int(0), Float(0.1), Text("monotone")},
		{Int(1), Float(math.Nextafter(0.1, 1)), {}},
		{Int(2), {}, Text(`a "quoted", text`)},
		{Int(3), Float(math.Inf(-1)), Text(" spaces ")},
		{Int(math.MaxInt64), Float(math.SmallestNonzeroFloat64), Text("µ")},
		{Int(math.MinInt64), Float(math.Copysign(0, -1)), {}},
	}
}

func writeHistory(t *testing.T, dir string, rows [][]Value) {
	t.Helper()
	w, err := createHistory(dir, testColumns())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.append(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
}

func TestHistoryKeepsEveryBit(t *testing.T) {
	dir := t.TempDir()
	writeHistory(t, dir, testRows())
	h, err := ReadHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(h.Rows, testRows()) || !reflect.DeepEqual(h.Columns, testColumns()) {
		t.Errorf("got %+v", h)
	}
	if got := h.Floats("loss"); got[1] != math.Nextafter(0.1, 1) || !math.IsNaN(got[2]) {
		t.Errorf("loss %v", got)
	}
	if h.Floats("lass") != nil || h.Index("regime") != 2 {
		t.Error("columns are not found by name")
	}
}

func TestNaNIsAMeasurementAndAnEmptyCellIsNone(t *testing.T) {
	dir := t.TempDir()
	writeHistory(t, dir, [][]Value{{Int(0), Float(math.NaN()), {}}, {Int(1), {}, {}}})
	h, err := ReadHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	if v := h.Rows[0][1]; !v.Measured() || !math.IsNaN(v.Float()) {
		t.Errorf("a NaN became %v", v)
	}
	if h.Rows[1][1].Measured() {
		t.Error("an empty cell became a measurement")
	}
}

func TestATornLastLineIsNotRead(t *testing.T) {
	dir := t.TempDir()
	writeHistory(t, dir, testRows())
	path := filepath.Join(dir, historyFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	header := len(lines[0])
	for size := header; size <= len(data); size++ {
		if err := os.WriteFile(path, data[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		h, err := ReadHistory(dir)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if want := bytes.Count(data[header:size], []byte("\n")); len(h.Rows) != want {
			t.Errorf("%d bytes: %d rows, want %d", size, len(h.Rows), want)
		}
	}
}

func TestDamagedHistoriesAreRefusedWithTheirPlace(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "history.csv: no header; the file is empty or cut short"},
		{"torn header", "step,lo", "history.csv: no header; the file is empty or cut short"},
		{"other header", "step,lass,regime\n", `history.csv: column 2 is "lass"; expected "loss", as in columns.csv`},
		{"missing cell", "step,loss,regime\n1,2\n", "history.csv: record on line 2: wrong number of fields"},
		{"word for a number", "step,loss,regime\n1,2,\n2,x,\n", `history.csv: line 3: column loss: "x" is not a number`},
		{"fraction of a step", "step,loss,regime\n1.5,2,\n", `history.csv: line 2: column step: "1.5" is not a whole number`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := parseHistory(historyFile, []byte(test.text), testColumns())
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestRowsThatDoNotFitAreRefused(t *testing.T) {
	w, err := createHistory(t.TempDir(), testColumns())
	if err != nil {
		t.Fatal(err)
	}
	before := w.size
	tests := []struct {
		name string
		row  []Value
		want string
	}{
		{"too few cells", []Value{Int(1)}, "a row of 1 value for 3 columns"},
		{"another type", []Value{Int(1), Text("x"), {}}, "column loss: a value of type text, expected float"},
		{"two lines", []Value{Int(1), {}, Text("a\nb")}, `column regime: "a\nb" has a line break`},
		{"no step", []Value{{}, Float(1), {}}, "a row without a step"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := w.append(test.row); err == nil || !strings.HasSuffix(err.Error(), "history.csv: "+test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if w.size != before {
		t.Error("something was written")
	}
}

func TestColumnsAreChecked(t *testing.T) {
	tests := []struct {
		name    string
		columns []Column
		want    string
	}{
		{"none", nil, "the first column of a history must be step, of type int"},
		{"a step of floats", []Column{{Name: "step", Type: FloatColumn}}, "the first column of a history must be step, of type int"},
		{"an unknown type", []Column{{Name: "step", Type: IntColumn}, {Name: "x", Type: "complex"}}, `column "x": unknown type "complex"; expected int, float or text`},
		{"one twice", []Column{{Name: "step", Type: IntColumn}, {Name: "step", Type: IntColumn}}, `column "step" is there twice`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := createHistory(t.TempDir(), test.columns); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// A fullDisk takes only so many bytes, and then part of a write.
type fullDisk struct {
	*os.File
	room int64
}

func (d *fullDisk) WriteAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= d.room {
		return d.File.WriteAt(p, off)
	}
	n, _ := d.File.WriteAt(p[:max(0, d.room-off)], off)
	return n, syscall.ENOSPC
}

func TestAFullDiskLosesNoRecordedRow(t *testing.T) {
	dir := t.TempDir()
	w, err := createHistory(dir, testColumns())
	if err != nil {
		t.Fatal(err)
	}
	disk := &fullDisk{File: w.file.(*os.File), room: 100}
	w.file = disk
	recorded := 0
	for ; ; recorded++ {
		if err = w.append([]Value{Int(int64(recorded)), Float(math.Pi), {}}); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), w.path) {
		t.Errorf("got %v", err)
	}
	check := func(want int) {
		t.Helper()
		data, err := os.ReadFile(w.path)
		if err != nil {
			t.Fatal(err)
		}
		h, size, err := parseHistory(w.path, data, testColumns())
		if err != nil || len(h.Rows) != want || size != int64(len(data)) {
			t.Errorf("%d rows in %d of %d bytes, %v; want %d rows", len(h.Rows), size, len(data), err, want)
		}
	}
	check(recorded)
	disk.room = 1000 // somebody made room
	if err := w.append([]Value{Int(99), {}, {}}); err != nil {
		t.Fatal(err)
	}
	check(recorded + 1)
}

func FuzzParseHistory(f *testing.F) {
	f.Add([]byte("step,loss,regime\n1,0.5,\n2,,\"a,b\"\n3,NaN,x"))
	f.Add([]byte("step,loss,regime\n\n\"1\",2,\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, size, err := parseHistory("fuzz", data, testColumns())
		if err != nil {
			return
		}
		if size > int64(len(data)) {
			t.Fatalf("%d bytes of %d", size, len(data))
		}
		again := formatRecord([]string{"step", "loss", "regime"})
		for _, row := range h.Rows {
			line, err := formatRow(row, h.Columns)
			if err != nil {
				return // a text with a line break, or no step: readable, but never written
			}
			again = append(again, line...)
		}
		h2, _, err := parseHistory("again", again, testColumns())
		if err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		if fmt.Sprint(h.Rows) != fmt.Sprint(h2.Rows) {
			t.Errorf("%v became %v", h.Rows, h2.Rows)
		}
	})
}

func FuzzParseColumns(f *testing.F) {
	f.Add(formatColumns(testColumns()))
	f.Add([]byte("name,type,unit,meaning\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		columns, err := parseColumns(data)
		if err != nil {
			return
		}
		again, err := parseColumns(formatColumns(columns))
		if err != nil || !reflect.DeepEqual(columns, again) {
			t.Errorf("%+v became %+v, %v", columns, again, err)
		}
	})
}

func TestTheLastStepIsThatOfTheLastCompleteRow(t *testing.T) {
	for text, want := range map[string]int{
		"step,loss\n0,1\n7,0.5\n": 7, "step,loss\n0,1\n7,0.5\n12,0.": 7, "step,loss\n": 0, "step,loss\n3,1\n": 3, "": 0, "step": 0, "\n": 0,
		"step,loss\n" + strings.Repeat("1,0.25\n", 20000) + "20000,0.5\n": 20000,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, historyFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := LastStep(dir); got != want {
			t.Errorf("%.30q: %d, want %d", text, got, want)
		}
	}
	if got := LastStep(t.TempDir()); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}
