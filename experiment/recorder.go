package experiment

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// recorder fills one row of a history.
type recorder struct {
	index map[string]int
	row   []Value
}

func newRecorder(columns []Column) *recorder {
	r := &recorder{index: map[string]int{}, row: make([]Value, len(columns))}
	for i, c := range columns {
		r.index[c.Name] = i
	}
	return r
}

func (r *recorder) set(name string, v Value) {
	if i, ok := r.index[name]; ok {
		r.row[i] = v
	}
}

func (r *recorder) float(name string, v float64) { r.set(name, Float(v)) }

// timesFile is the wall time of each recorded step, beside the history: the history of a run is the same however often it was
// interrupted, its times are not.
type timesFile struct {
	path string
	file *os.File
}

const timesName = "times.csv"

// openTimes opens the times of a run that goes on from a step: those from that step on are cut off.
func openTimes(dir string, step int) (*timesFile, error) {
	path := filepath.Join(dir, timesName)
	kept, err := readTimes(path, step)
	if err != nil {
		return nil, err
	}
	if err := replaceFile(path, kept); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &timesFile{path, file}, nil
}

// readTimes returns the header and the lines of steps before the given one, as they stand in the file.
func readTimes(path string, step int) ([]byte, error) {
	kept := []byte("step,seconds\n")
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return kept, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r := csv.NewReader(file)
	for {
		record, err := r.Read()
		var parse *csv.ParseError
		if errors.Is(err, io.EOF) || errors.As(err, &parse) { // a last line may be cut short
			return kept, nil
		}
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(record[0])
		if err == nil && n < step {
			kept = append(kept, formatRecord(record)...)
		}
	}
}

// add says that the record of a step was complete after so many seconds of work.
func (f *timesFile) add(step int, seconds float64) error {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Microsecond)
	_, err := fmt.Fprintf(f.file, "%d,%.6f\n", step, d.Seconds())
	return err
}

func (f *timesFile) close() error { return f.file.Close() }
