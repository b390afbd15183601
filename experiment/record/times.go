package record

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

	"shadowflow/internal/atomicfile"
)

// Times is the wall time of each recorded step, beside the history: the history of a run is the same however often it was
// interrupted, its times are not.
type Times struct {
	path string
	file *os.File
}

const timesFile = "times.csv"

// OpenTimes opens the times of a run that goes on from a step: those from that step on are cut off.
func OpenTimes(dir string, step int) (*Times, error) {
	path := filepath.Join(dir, timesFile)
	kept, err := readTimes(path, step)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.WriteBytes(path, kept); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &Times{path, file}, nil
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

// Add says that the record of a step was complete after so many seconds of work.
func (f *Times) Add(step int, seconds float64) error {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Microsecond)
	_, err := fmt.Fprintf(f.file, "%d,%.6f\n", step, d.Seconds())
	return err
}

// Close closes the file.
func (f *Times) Close() error { return f.file.Close() }
