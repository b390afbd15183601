package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/sbinet/npyio/npz"
)

// exportable returns a run directory's history with every kind of cell.
func exportable(t *testing.T) (dir string, h *History) {
	t.Helper()
	dir = t.TempDir()
	columns := []Column{
		{Name: "step", Type: IntColumn, Meaning: "steps taken"},
		{Name: "seconds", Type: FloatColumn, Unit: "s", Meaning: "wall time"},
		{Name: "a loss, written oddly", Type: FloatColumn, Meaning: "training loss"},
		{Name: "epoch", Type: IntColumn},
		{Name: "regime", Type: TextColumn},
	}
	w, err := createHistory(dir, columns)
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]Value{
		{Int(0), Float(0.5), Float(math.Pi), {}, Text("monotone")},
		{Int(10), Float(1.25), {}, Int(-3), {}},
		{Int(1 << 40), {}, Float(math.Inf(1)), Int(4), Text("µ, oscillating")},
	}
	for _, row := range rows {
		if err := w.append(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return dir, &History{Columns: columns, Rows: rows}
}

func export(t *testing.T, format string) (path string, h *History) {
	t.Helper()
	dir, h := exportable(t)
	path, _, err := Export(dir, format, "")
	if err != nil {
		t.Fatal(err)
	}
	return path, h
}

func TestParquetHasEveryCellAndTheColumnsOrder(t *testing.T) {
	path, h := export(t, "parquet")
	data := readFile(t, path)
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range file.Schema().Fields() {
		if f.Name() != h.Columns[i].Name || f.Optional() != (i > 0) {
			t.Errorf("field %d is %s, optional: %v", i, f.Name(), f.Optional())
		}
	}
	if meaning, ok := file.Lookup("seconds"); !ok || meaning != "wall time [s]" {
		t.Errorf("seconds means %q", meaning)
	}
	rows := make([]parquet.Row, 5)
	r := parquet.NewReader(file)
	n, err := r.ReadRows(rows)
	if err != nil && !errors.Is(err, io.EOF) || n != len(h.Rows) {
		t.Fatalf("%d rows, %v", n, err)
	}
	for i, row := range h.Rows {
		for j, v := range row {
			got := rows[i][j]
			var back Value
			switch {
			case got.IsNull():
			case got.Kind() == parquet.Int64:
				back = Int(got.Int64())
			case got.Kind() == parquet.Double:
				back = Float(got.Double())
			default:
				back = Text(string(got.ByteArray()))
			}
			if back != v {
				t.Errorf("row %d, %s: %v, want %v", i, h.Columns[j].Name, back, v)
			}
		}
	}
}

func TestCSVIsTheHistoryWithoutATornLine(t *testing.T) {
	dir, _ := exportable(t)
	want := readFile(t, dir, historyFile)
	if err := os.WriteFile(filepath.Join(dir, historyFile), append(want, "17,0."...), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "table.csv")
	path, _, err := Export(dir, "csv", out)
	if err != nil || path != out {
		t.Fatal(path, err)
	}
	if got := readFile(t, out); !bytes.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestNPZHasAnArrayForEachColumn(t *testing.T) {
	path, _ := export(t, "npz")
	r, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var step []int64
	if err := r.Read("step.npy", &step); err != nil || !reflect.DeepEqual(step, []int64{0, 10, 1 << 40}) {
		t.Errorf("step %v, %v", step, err)
	}
	for name, want := range map[string][]float64{
		"seconds": {0.5, 1.25, math.NaN()}, "epoch": {math.NaN(), -3, 4}, "a loss, written oddly": {math.Pi, math.NaN(), math.Inf(1)},
	} {
		var got []float64
		if err := r.Read(name+".npy", &got); err != nil || len(got) != len(want) {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		for i := range got {
			if got[i] != want[i] && !(math.IsNaN(got[i]) && math.IsNaN(want[i])) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
	file, err := r.Open("regime.npy")
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	length := int(binary.LittleEndian.Uint16(data[8:]))
	header, data := string(data[10:10+length]), data[10+length:]
	if !strings.HasPrefix(header, "{'descr': '<U14', 'fortran_order': False, 'shape': (3,), }") || (10+length)%64 != 0 {
		t.Errorf("header %q", header)
	}
	for i, want := range []string{"monotone", "", "µ, oscillating"} {
		var got strings.Builder
		for j := range 14 {
			if r := binary.LittleEndian.Uint32(data[4*(14*i+j):]); r != 0 {
				got.WriteRune(rune(r))
			}
		}
		if got.String() != want {
			t.Errorf("text %d is %q, want %q", i, got.String(), want)
		}
	}
}

// The check value of CRC-32C is that of "123456789", 0xe3069283.
func TestChecksumIsTheMaskedCRC32C(t *testing.T) {
	const crc = 0xe3069283
	want := uint32((crc>>15|crc<<17)&0xffffffff) + 0xa282ead8
	if got := maskedCRC([]byte("123456789")); got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
}

func TestExportNeverReplacesTheRecord(t *testing.T) {
	dir, _ := exportable(t)
	before := readFile(t, dir, historyFile)
	if _, _, err := Export(dir, "csv", filepath.Join(dir, historyFile)); err == nil || !strings.HasSuffix(err.Error(), "is part of the run's record; choose another file") {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(readFile(t, dir, historyFile), before) {
		t.Error("the history changed")
	}
}

func TestNamesOfTheRecordAreNoOthersWhetherTheyAreThereOrNot(t *testing.T) {
	dir, _ := exportable(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	for name, want := range map[string]bool{
		"history.csv": true, "result.json": true, "failure.json": true, "standardization.json": true, "SHA256SUMS": true, "lock": true, "times.csv": true,
		"weights.safetensors": true, "average.safetensors": true, "Result.JSON": true,
		"checkpoint-000000000005.safetensors": true, "checkpoint-000000000005-ended.safetensors": true, "checkpoint-mine.safetensors": true,
		"mine.safetensors": false, "export.csv": false, "checkpoint.csv": false,
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []string{dir, link, dir + "/../" + filepath.Base(dir)} {
				if err := RefuseRecord(filepath.Join(in, name)); (err != nil) != want {
					t.Errorf("in %s: %v", in, err)
				}
			}
			if err := RefuseRecord(filepath.Join(t.TempDir(), name)); err != nil {
				t.Errorf("in no run: %v", err)
			}
		})
	}
	other, _ := exportable(t)
	if _, _, err := Export(other, "csv", filepath.Join(dir, "result.json")); err == nil {
		t.Error("a run is exported into the record of another")
	}
}

func TestAnEmptyHistoryIsExported(t *testing.T) {
	for _, format := range ExportFormats() {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			writeHistory(t, dir, nil)
			path, _, err := Export(dir, format, filepath.Join(t.TempDir(), "out"))
			if err != nil {
				t.Fatal(err)
			}
			if len(readFile(t, path)) == 0 {
				t.Error("nothing was written")
			}
		})
	}
}

func TestUnknownFormatsAndRunsAreRefused(t *testing.T) {
	dir, _ := exportable(t)
	if _, _, err := Export(dir, "parket", ""); err == nil || err.Error() != `unknown format "parket"; did you mean parquet?` {
		t.Errorf("got %v", err)
	}
	if _, _, err := Export(t.TempDir(), "csv", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
