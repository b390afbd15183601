package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"shadowflow/internal/atomicfile"
	"shadowflow/internal/plural"
	"shadowflow/internal/userfile"
	"shadowflow/internal/visible"
)

// The files of a history: the measurements, and what their columns are.
const (
	historyFile = "history.csv"
	columnsFile = "columns.csv"
)

// A History is a table of measurements, one row a recorded step.
type History struct {
	Columns []Column
	Rows    [][]Value
}

// Index returns the number of the column of that name, -1 if there is none.
func (h *History) Index(name string) int { return indexOf(h.Columns, name) }

// Floats returns a column as numbers, NaN where nothing was measured; nil if there
// is no such column.
func (h *History) Floats(name string) []float64 {
	i := h.Index(name)
	if i < 0 {
		return nil
	}
	out := make([]float64, len(h.Rows))
	for j, row := range h.Rows {
		out[j] = row[i].Float()
	}
	return out
}

// ReadHistory reads the history of a run directory, also of one in use: a last
// line that is not complete is left out. A history, columns or config that are not those that the newest checkpoint was written with, or that the run ended
// with, are refused.
func ReadHistory(dir string) (*History, error) {
	if err := thereIsARun(dir); err != nil {
		return nil, err
	}
	if err := CheckConfig(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // a history alone is one too
		return nil, err
	}
	columns, err := readColumns(filepath.Join(dir, columnsFile))
	if err != nil {
		return nil, err
	}
	data, err := readBound(dir)
	if errors.Is(err, errAltered) { // or a run was resumed meanwhile, which cuts it off
		data, err = readBound(dir)
	}
	if err != nil {
		return nil, err
	}
	h, _, err := parseHistory(filepath.Join(dir, historyFile), data, columns)
	return h, err
}

// LastStep returns the step of the last complete row of the history of a run, which may be going on, 0 where there is none that can be read.
func LastStep(dir string) int {
	file, size, err := userfile.Open(filepath.Join(dir, historyFile))
	if err != nil {
		return 0
	}
	defer func() { _ = file.Close() }() // it was only read
	const enough = 1 << 16              // for two rows of the widest history
	tail := make([]byte, min(size, enough))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil {
		return 0
	}
	tail = tail[:bytes.LastIndexByte(tail, '\n')+1]
	last := bytes.TrimSuffix(tail, []byte("\n"))
	step, _, _ := bytes.Cut(last[bytes.LastIndexByte(last, '\n')+1:], []byte(","))
	n, _ := strconv.Atoi(string(step)) // the header is none
	return n
}

// CheckHistory refuses a history, or columns, of a run that has ended, which are not those that it ended with.
func CheckHistory(dir string) error {
	if err := CheckFile(dir, columnsFile); err != nil {
		return err
	}
	return CheckFile(dir, historyFile)
}

// thereIsARun says what is not there where a directory has no run.
func thereIsARun(dir string) error {
	if err := isDir(dir); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(dir, columnsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return noRun(dir, columnsFile)
	}
	return err
}

// isDir says what is wrong where a path is not that of a directory.
func isDir(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s: it has another name, or was moved or deleted: %w", path, fs.ErrNotExist)
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s is not a directory; want that of a run", visible.Line(path))
	}
	return err
}

func noRun(dir, lacks string) error {
	return fmt.Errorf("no run is in %s, which would have a file %s: %w", dir, lacks, fs.ErrNotExist)
}

// readBound reads the bytes of a history, once they are known to be those that were recorded: by the sums of the run's end or, before that, by the
// newest checkpoint that is whole.
func readBound(dir string) ([]byte, error) {
	s, err := readSums(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := checkpointsAmong(entries)
	slices.Reverse(names)
	var newest []*Checkpoint // seen before the history, which grows meanwhile
	for _, name := range names {
		if c, err := peekCheckpoint(filepath.Join(dir, name)); err == nil {
			c.name = name
			newest = append(newest, c)
		}
	}
	columns, history, err := recordedIn(dir)
	if err != nil {
		return nil, err
	}
	if err = errors.Join(s.check(dir, columnsFile), s.check(dir, historyFile)); err == nil && s == nil {
		err = bindTo(newest, dir, columns, history)
	}
	if errors.Is(err, errAltered) {
		return nil, fmt.Errorf("%w; put it back as it was, or go on from a checkpoint before that, if there is one, with: shadowflow run --resume %s", err, dir)
	}
	return history, err
}

// parseHistory reads the complete lines of a history, and returns how many bytes they are.
func parseHistory(path string, data []byte, columns []Column) (h *History, size int64, err error) {
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = len(columns)
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("%s: no header; the file is empty or cut short", path)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	for i, c := range columns {
		if header[i] != c.Name {
			return nil, 0, fmt.Errorf("%s: column %d is %q; expected %q, as in %s", path, i+1, header[i], c.Name, columnsFile)
		}
	}
	h = &History{Columns: columns}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return h, int64(len(data)), nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", path, err)
		}
		row := make([]Value, len(columns))
		for i, c := range columns {
			if row[i], err = ParseValue(record[i], c.Type); err != nil {
				line, _ := r.FieldPos(i)
				return nil, 0, fmt.Errorf("%s: line %d: column %s: %w", path, line, c.Name, err)
			}
		}
		h.Rows = append(h.Rows, row)
	}
}

// bindTo says why what is recorded is not that of the newest of the checkpoints that is whole.
func bindTo(newest []*Checkpoint, dir, columns string, history []byte) error {
	for _, c := range newest {
		err := c.belongsTo(dir, columns, history)
		if err == nil {
			return nil
		}
		if _, fault := openCheckpoint(filepath.Join(dir, c.name)); fault == nil {
			return err
		} // else it is the checkpoint that is damaged, or is gone
	}
	return nil
}

var columnsHeader = []string{"name", "type", "unit", "meaning"}

func formatColumns(columns []Column) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	records := [][]string{columnsHeader}
	for _, c := range columns {
		records = append(records, []string{c.Name, string(c.Type), c.Unit, c.Meaning})
	}
	_ = w.WriteAll(records) // a bytes.Buffer takes all
	return b.Bytes()
}

func readColumns(path string) ([]Column, error) {
	data, err := userfile.ReadAll(path)
	if err != nil {
		return nil, err
	}
	columns, err := parseColumns(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return columns, nil
}

func parseColumns(data []byte) ([]Column, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = len(columnsHeader)
	records, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) == 0 || !slices.Equal(records[0], columnsHeader) {
		return nil, fmt.Errorf("expected the header %s", strings.Join(columnsHeader, ","))
	}
	var columns []Column
	for _, record := range records[1:] {
		columns = append(columns, Column{Name: record[0], Type: ColumnType(record[1]), Unit: record[2], Meaning: record[3]})
	}
	return columns, checkColumns(columns)
}

// formatRow returns a line of a history, with its end.
func formatRow(row []Value, columns []Column) ([]byte, error) {
	if len(row) != len(columns) {
		return nil, fmt.Errorf("a row of %s for %s", plural.Count(len(row), "value"), plural.Count(len(columns), "column"))
	}
	record := make([]string, len(row))
	for i, v := range row {
		if v.Measured() && v.typ != columns[i].Type {
			return nil, fmt.Errorf("column %s: a value of type %s, expected %s", columns[i].Name, v.typ, columns[i].Type)
		}
		record[i] = v.String()
		if strings.ContainsAny(record[i], "\r\n") {
			return nil, fmt.Errorf("column %s: %q has a line break", columns[i].Name, record[i])
		}
	}
	if !row[0].Measured() {
		return nil, fmt.Errorf("a row without a step")
	}
	return formatRecord(record), nil
}

func formatRecord(record []string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(record) // a bytes.Buffer takes all
	w.Flush()
	return b.Bytes()
}

// historyWriter appends rows to a history file. A row is in the file whole or not at
// all: what a failed write left behind is cut off again.
type historyWriter struct {
	path    string
	file    appendFile
	columns []Column
	size    int64     // of the complete lines
	sum     hash.Hash // SHA-256 of them
}

// appendFile is what historyWriter needs of an *os.File.
type appendFile interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// createHistory starts a history with its header.
func createHistory(dir string, columns []Column) (*historyWriter, error) {
	if err := checkColumns(columns); err != nil {
		return nil, err
	}
	if err := atomicfile.WriteBytes(filepath.Join(dir, columnsFile), formatColumns(columns)); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, historyFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	w := &historyWriter{path: path, file: file, columns: columns, sum: sha256.New()}
	header := make([]string, len(columns))
	for i, c := range columns {
		header[i] = c.Name
	}
	if err := errors.Join(w.write(formatRecord(header)), w.sync()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w, nil
}

// headerSize returns the length of a history's first line.
func headerSize(data []byte) int64 { return int64(bytes.IndexByte(data, '\n') + 1) }

// reopenHistory continues a history behind its first size bytes and cuts off the
// rest; a size of 0 means behind the header.
func reopenHistory(dir string, columns []Column, size int64) (*historyWriter, error) {
	path := filepath.Join(dir, historyFile)
	data, err := userfile.ReadAll(path)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		size = headerSize(data)
	}
	data = data[:min(size, int64(len(data)))]
	if _, _, err := parseHistory(path, data, columns); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	w := &historyWriter{path: path, file: file, columns: columns, size: size, sum: sha256.New()}
	w.sum.Write(data)
	if err := errors.Join(file.Truncate(size), w.sync()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w, nil
}

// append writes one row.
func (w *historyWriter) append(row []Value) error {
	line, err := formatRow(row, w.columns)
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return w.write(line)
}

func (w *historyWriter) write(line []byte) error {
	if _, err := w.file.WriteAt(line, w.size); err != nil {
		return fmt.Errorf("%s: the row was not recorded, all before it are: %w", w.path,
			errors.Join(err, w.file.Truncate(w.size)))
	}
	w.size += int64(len(line))
	w.sum.Write(line)
	return nil
}

// sync makes all rows durable.
func (w *historyWriter) sync() error {
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return nil
}

func (w *historyWriter) close() error { return errors.Join(w.sync(), w.file.Close()) }
