package record

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"shadowflow/internal/userfile"
	"shadowflow/internal/visible"
)

// A Follower reads the history of a run that may be going on, again and again, each time only what was added. It takes no lock and writes nothing, so the
// run does not notice. What it shows is what stands in the file: that an ended run's history is the recorded one says [CheckHistory].
type Follower struct {
	dir     string
	columns []Column
	values  [][]float64
	filled  []bool
	read    int64  // bytes of the complete lines that were read, the header too
	last    []byte // the end of them, by which a history that was cut off and has grown again is known
}

// Follow returns a follower of the run in a directory, which has read nothing yet.
func Follow(dir string) *Follower { return &Follower{dir: dir} }

// Table returns what was read. Later reads leave it as it is.
func (f *Follower) Table() *Table {
	seen := &Table{Columns: f.columns, filled: slices.Clone(f.filled), values: make([][]float64, len(f.values))}
	for i, v := range f.values {
		seen.values[i] = slices.Clip(v)
	}
	return seen
}

// The sizes of a follower.
const (
	followChunk = 4 << 20
	followLast  = 256
)

// Read reads what was added since the last time, and reports whether anything has changed. A last line that is not complete waits for the next time. A
// history that was cut off, as resuming does, is read from its start. The error is the context's cause if that ends first; what was read stays.
func (f *Follower) Read(ctx context.Context) (changed bool, err error) {
	file, size, err := userfile.Open(filepath.Join(f.dir, historyFile))
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }() // it was only read
	if f.read > 0 && !f.continues(file, size) {
		*f, changed = Follower{dir: f.dir}, true
	}
	if f.read == 0 {
		if f.columns, err = readColumns(filepath.Join(f.dir, columnsFile)); err != nil {
			return changed, err
		}
		f.values, f.filled = make([][]float64, len(f.columns)), make([]bool, len(f.columns))
	}
	for want := int64(followChunk); f.read < size; {
		if ctx.Err() != nil {
			return changed, context.Cause(ctx)
		}
		chunk := make([]byte, min(want, size-f.read))
		n, err := file.ReadAt(chunk, f.read)
		if err != nil && !errors.Is(err, io.EOF) {
			return changed, err
		}
		lines := chunk[:bytes.LastIndexByte(chunk[:n], '\n')+1]
		switch {
		case len(lines) > 0:
		case int64(n) < want || f.read+want >= size:
			return changed, nil // a line that is not complete
		default: // one longer than the chunk
			want *= 2
			continue
		}
		if err := f.take(lines); err != nil {
			return changed, fmt.Errorf("%s: %w", visible.Line(file.Name()), err)
		}
		changed = true
	}
	return changed, nil
}

// continues reports whether what was read is still what the file begins with, as far as its end tells.
func (f *Follower) continues(file *os.File, size int64) bool {
	if size < f.read {
		return false
	}
	there := make([]byte, len(f.last))
	_, err := file.ReadAt(there, f.read-int64(len(there)))
	return err == nil && bytes.Equal(there, f.last)
}

// take reads complete lines. Where one is not of the history, nothing of them is taken.
func (f *Follower) take(lines []byte) error {
	rows := f.rows()
	begun := f.read > 0
	var fields []string
	for line := range strings.Lines(string(lines)) {
		var err error
		if fields, err = splitLine(line, fields); err == nil {
			err = f.row(fields, begun)
		}
		if err != nil {
			for i := range f.values {
				f.values[i] = f.values[i][:rows]
			}
			return err
		}
		begun = true
	}
	f.read += int64(len(lines))
	f.last = slices.Clone(lines[max(0, len(lines)-followLast):])
	return nil
}

func (f *Follower) rows() int {
	if len(f.values) == 0 {
		return 0
	}
	return len(f.values[0])
}

// row takes one line, the header if nothing has begun.
func (f *Follower) row(fields []string, begun bool) error {
	n := f.rows() + 1
	if len(fields) != len(f.columns) {
		return fmt.Errorf("row %d: %d cells; expected %d, as in %s", n, len(fields), len(f.columns), columnsFile)
	}
	for i, c := range f.columns {
		if !begun {
			if fields[i] != c.Name {
				return fmt.Errorf("column %d is %.80q; expected %q, as in %s", i+1, fields[i], c.Name, columnsFile)
			}
			continue
		}
		x := math.NaN()
		if fields[i] != "" && c.Type != TextColumn {
			var err error
			if x, err = strconv.ParseFloat(fields[i], 64); err != nil && !errors.Is(err, strconv.ErrRange) {
				return fmt.Errorf("row %d, column %s: %.80q is not a number", n, c.Name, fields[i])
			}
		}
		f.values[i], f.filled[i] = append(f.values[i], x), f.filled[i] || fields[i] != ""
	}
	return nil
}

// splitLine returns the cells of a line of CSV, in the room of fields.
func splitLine(line string, fields []string) ([]string, error) {
	fields = fields[:0]
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if strings.Contains(line, `"`) {
		return csv.NewReader(strings.NewReader(line)).Read()
	}
	for {
		cell, rest, more := strings.Cut(line, ",")
		fields = append(fields, cell)
		if !more {
			return fields, nil
		}
		line = rest
	}
}
