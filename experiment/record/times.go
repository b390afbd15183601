package record

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"shadowflow/internal/atomicfile"
	"shadowflow/internal/userfile"
)

// Times is the wall time of each recorded step, beside the history: the history of a run is the same however often it was
// interrupted, its times are not.
type Times struct {
	path string
	file *os.File
}

const (
	timesFile   = "times.csv"
	timesHeader = "step,seconds"
)

// OpenTimes opens the times of the run in a directory, which goes on from a step behind all that its history has: those from that step on are cut off, and
// lines that are damaged left out, which are counted. Lost counts the recorded steps whose times are not there.
func (d *Dir) OpenTimes(step int) (f *Times, damaged, lost int, err error) {
	path := d.file(timesFile)
	data, err := userfile.ReadAll(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, 0, err
	}
	kept, damaged := keepTimes(data, step)
	if lost, err = d.untimed(kept); err != nil {
		return nil, 0, 0, err
	}
	if err := atomicfile.WriteBytes(path, kept); err != nil {
		return nil, 0, 0, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, 0, 0, err
	}
	return &Times{path, file}, damaged, lost, nil
}

// untimed returns the number of rows of the history that times, as keepTimes returns them, have nothing of.
func (d *Dir) untimed(kept []byte) (int, error) {
	data, err := userfile.ReadAll(d.file(historyFile))
	if err != nil {
		return 0, err
	}
	h, _, err := parseHistory(d.file(historyFile), data, d.columns)
	if err != nil {
		return 0, err
	}
	times, lost := timesOf(kept), 0
	for _, step := range h.Floats(d.columns[0].Name) {
		if _, ok := times[int(step)]; !ok {
			lost++
		}
	}
	return lost, nil
}

// keepTimes returns the header and the lines of steps before the given one, as they stand in the file. A last line may be cut short.
func keepTimes(data []byte, step int) (kept []byte, damaged int) {
	kept = []byte(timesHeader + "\n")
	last, before := -1, 0.
	for line := range strings.Lines(string(data)) {
		text, whole := strings.CutSuffix(line, "\n")
		if !whole || text == timesHeader && len(kept) == len(timesHeader)+1 {
			continue
		}
		n, seconds, ok := timeOf(text)
		if !ok || n <= last || seconds < before {
			damaged++
			continue
		}
		if last, before = n, seconds; n < step {
			kept = append(kept, line...)
		}
	}
	return kept, damaged
}

// ReadTimes returns the seconds of work at the end of each step that the times of a run know, nothing where there are none.
func ReadTimes(dir string) (map[int]float64, error) {
	data, err := userfile.ReadAll(filepath.Join(dir, timesFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	kept, _ := keepTimes(data, math.MaxInt)
	return timesOf(kept), nil
}

// timesOf returns the seconds of each step that times, as keepTimes returns them, have.
func timesOf(kept []byte) map[int]float64 {
	out := map[int]float64{}
	for line := range strings.Lines(string(kept)) {
		if n, seconds, ok := timeOf(strings.TrimSuffix(line, "\n")); ok { // not so in the header
			out[n] = seconds
		}
	}
	return out
}

// timeOf returns the step and the seconds of a line that Add wrote.
func timeOf(line string) (step int, seconds float64, ok bool) {
	before, after, _ := strings.Cut(line, ",")
	step, err := strconv.Atoi(before)
	seconds, fault := strconv.ParseFloat(after, 64)
	const longest = 1e9 // 30 years
	return step, seconds, err == nil && fault == nil && step >= 0 && seconds >= 0 && seconds <= longest
}

// Add says that the record of a step was complete after so many seconds of work.
func (f *Times) Add(step int, seconds float64) error {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Microsecond)
	_, err := fmt.Fprintf(f.file, "%d,%.6f\n", step, d.Seconds())
	return err
}

// Close closes the file.
func (f *Times) Close() error { return f.file.Close() }
