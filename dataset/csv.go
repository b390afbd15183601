package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"shadowflow/internal/plural"
	"shadowflow/schema"
	"slices"
	"strconv"
	"strings"
)

// CSV, as RFC 4180 and Go's encoding/csv have it: a line of names, then a row of
// cells an example. The file may be compressed with gzip. Cells are separated by
// commas or, where the first line has none, by semicolons or tabs.
const (
	csvMaxBytes   = 1 << 30
	csvMaxColumns = 1 << 16
	csvMaxRecord  = 1 << 24 // bytes of a row, line breaks in quotes included
)

// table is what a CSV file holds of a data set.
type table struct {
	features []string
	x        []float64 // [N, len(features)]
	target   *targetColumns
}

// readCSV reads a table, and splits it into a training and a test part.
func readCSV(ctx context.Context, s Spec) (*Dataset, error) {
	var t *table
	err := withFile(ctx, s.Path, func(c *cursor) (err error) {
		t, err = parseCSV(c, s, csvMaxBytes)
		return err
	})
	if err != nil {
		return nil, err
	}
	d := &Dataset{Name: s.Name, Shape: []int{len(t.features)}, FeatureNames: t.features}
	all := Part{Shape: d.Shape, raw: values{f64: t.x}}
	if t.target.classes(s.Task) {
		d.ClassNames, all.Labels = t.target.labels()
		if d.Classes = len(d.ClassNames); d.Classes > maxClasses {
			return nil, &FieldError{"target", fmt.Sprintf("%s has %d different values in %s; expected at most %d classes",
				s.Target[0], d.Classes, s.Path, maxClasses)}
		}
	} else {
		d.TargetNames, all.Targets = s.Target, Targets{Columns: len(s.Target), Values: t.target.numbers}
		if s.Task != TaskRegression {
			d.NoteOnTargets = wholeTargetsNote(all.Targets, fmt.Sprintf("the column %.80q", s.Target[0]))
		}
	}
	d.Train, d.Test, err = all.split(d.Classes, s.testFraction())
	return d, err
}

// tableReader reads rows of cells and knows where they are.
type tableReader struct {
	c     *cursor
	csv   *csv.Reader
	names []string
	most  int64 // bytes
	begin int64 // where the present row begins
}

// Read reads a row and what is buffered behind it.
func (r *tableReader) Read(p []byte) (int, error) {
	n, err := r.c.Read(p)
	if r.c.off-r.begin > csvMaxRecord {
		return 0, r.c.fail(r.begin, "a row of more bytes", fmt.Sprintf("at most %d between two line breaks that are not in quotes", csvMaxRecord))
	}
	return n, err
}

// parseCSV reads the columns that the Spec asks for, of a table of less than so
// many bytes.
func parseCSV(c *cursor, s Spec, most int64) (*table, error) {
	r := &tableReader{c: c, most: most}
	if err := r.header(); err != nil {
		return nil, err
	}
	target, err := r.columns("target", s.Target)
	if err != nil {
		return nil, err
	}
	inputs, err := r.columns("features", s.Features)
	if err != nil {
		return nil, err
	}
	predicted := map[int]bool{}
	for _, i := range target {
		predicted[i] = true
	}
	if len(inputs) == 0 {
		inputs = allRows(len(r.names))
		inputs = slices.DeleteFunc(inputs, func(i int) bool { return predicted[i] })
	}
	for _, i := range inputs {
		if predicted[i] {
			return nil, &FieldError{"features", fmt.Sprintf("%.80q is a target, too; leave it out of one of them", r.names[i])}
		}
	}
	if len(inputs) == 0 {
		return nil, &FieldError{"target", fmt.Sprintf("%.80q are all columns of %s; expected others, to predict them from", s.Target, c.file)}
	}
	t := &table{target: &targetColumns{columns: target, words: len(target) == 1 && s.Task != TaskRegression, task: s.Task, place: map[string]int32{}}}
	for _, i := range inputs {
		t.features = append(t.features, r.names[i])
	}
	for {
		row, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if t.x, err = extend(t.x, len(inputs)); err != nil {
			return nil, fmt.Errorf("%s: %w", c.file, err)
		}
		for _, i := range inputs {
			v, ok := number(row[i])
			if !ok {
				return nil, r.wrong(i, row[i], "a finite number, or the columns of numbers alone to be named in data.features"+whyNone(row[i]))
			}
			t.x = append(t.x, v)
		}
		if err := t.target.read(r, row); err != nil {
			return nil, err
		}
	}
	if len(t.x) == 0 {
		return nil, &FormatError{File: c.file, Line: 2, Got: "the file ends", Want: "a row of cells for each example"}
	}
	return t, t.target.check()
}

// header reads the names.
func (r *tableReader) header() error {
	in := bufio.NewReaderSize(io.LimitReader(r, r.most), 1<<16)
	if mark, _ := in.Peek(3); string(mark) == "\xef\xbb\xbf" { // of UTF-8, as Excel writes it
		_, _ = in.Discard(3)
	}
	r.csv = csv.NewReader(in)
	first, _ := in.Peek(1 << 16) // errors come again when the content is read
	if bytes.HasPrefix(first, []byte("\xff\xfe")) || bytes.HasPrefix(first, []byte("\xfe\xff")) {
		return &FormatError{File: r.c.file, Line: 1, Got: "text in UTF-16", Want: "UTF-8; a spreadsheet saves it as \"CSV UTF-8\""}
	}
	first, _, _ = bytes.Cut(first, []byte("\n"))
	if cr := bytes.IndexByte(first, '\r'); cr >= 0 && cr < len(first)-1 {
		return &FormatError{File: r.c.file, Line: 1, Got: "a carriage return within the line", Want: "lines that end with a line feed"}
	}
	for _, separator := range ",;\t" {
		if bytes.ContainsRune(first, separator) {
			r.csv.Comma = separator
			break
		}
	}
	r.csv.TrimLeadingSpace = r.csv.Comma != '\t'
	names, err := r.next()
	if err == io.EOF {
		return &FormatError{File: r.c.file, Line: 1, Got: "the file ends", Want: "a line of column names"}
	}
	if err != nil {
		return err
	}
	if len(names) > csvMaxColumns {
		return &FormatError{File: r.c.file, Line: 1, Got: plural.Count(len(names), "column"),
			Want: fmt.Sprintf("at most %d", csvMaxColumns)}
	}
	numbers, seen := 0, map[string]bool{}
	for i, name := range names {
		name = strings.TrimSpace(name)
		if name == "" || seen[name] {
			return &FormatError{File: r.c.file, Line: 1, Column: name, Got: fmt.Sprintf("the name %.80q of column %d", name, i+1),
				Want: "different names, none of them empty"}
		}
		if _, ok := number(name); ok {
			numbers++
		}
		r.names, seen[name] = append(r.names, name), true
	}
	if numbers == len(names) {
		return &FormatError{File: r.c.file, Line: 1, Got: fmt.Sprintf("only numbers, %.60q", strings.Join(names, ",")),
			Want: "a line of column names"}
	}
	r.csv.ReuseRecord = true
	return nil
}

// next returns the cells of the next row, which the one behind it overwrites, or
// io.EOF.
func (r *tableReader) next() ([]string, error) {
	r.begin = r.csv.InputOffset()
	row, err := r.csv.Read()
	var parse *csv.ParseError
	switch {
	case err != nil && r.c.off >= r.most:
		return nil, r.c.fail(r.c.off, "more bytes", fmt.Sprintf("a table of less than %d", r.most))
	case errors.As(err, &parse) && parse.Err == csv.ErrFieldCount:
		return nil, &FormatError{File: r.c.file, Line: parse.StartLine, Got: plural.Count(len(row), "cell"),
			Want: fmt.Sprintf("%d, one for each column", len(r.names)), Err: err}
	case errors.As(err, &parse):
		return nil, &FormatError{File: r.c.file, Line: parse.Line, Got: fmt.Sprintf("at character %d: %v", parse.Column, parse.Err),
			Want: "cells of a CSV file", Err: err}
	case err == io.EOF:
		return nil, err
	case err != nil:
		return nil, r.c.ended(err, "a table")
	}
	return row, nil
}

// columns returns the places of the columns that a field names.
func (r *tableReader) columns(field string, names []string) ([]int, error) {
	var out []int
	place := map[string]int{}
	for i, name := range r.names {
		place[name] = i
	}
	for _, name := range names {
		i, ok := place[name]
		if !ok {
			return nil, &FieldError{field, fmt.Sprintf("%.80q is no column of %s; expected some of %s", name, r.c.file, listed(r.names))}
		}
		out = append(out, i)
	}
	return out, nil
}

func listed(names []string) string {
	const shown = 20
	var out []string
	for _, name := range names[:min(shown, len(names))] {
		out = append(out, fmt.Sprintf("%.80s", name))
	}
	if more := len(names) - shown; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(out, ", "), more)
	}
	return strings.Join(out, ", ")
}

// wrong says that the cell of a column of the present row is not what it should be.
func (r *tableReader) wrong(column int, cell, want string) error {
	line, _ := r.csv.FieldPos(column)
	got := fmt.Sprintf("%.60q", cell)
	if strings.TrimSpace(cell) == "" {
		got = "an empty cell"
	}
	return &FormatError{File: r.c.file, Line: line, Column: r.names[column], Got: got, Want: want}
}

func number(cell string) (float64, bool) {
	v, err := schema.ParseNumber(strings.TrimSpace(cell))
	return v, err == nil
}

// whyNone adds to what is expected why a number is none that can be taken.
func whyNone(cell string) string {
	if why := schema.Beyond(strings.TrimSpace(cell)); why != "" {
		return ": " + why
	}
	return ""
}

// meantAsNumber reports whether a cell is a number that cannot be taken as it is: none at all, infinity, with a decimal comma, beyond float64.
func meantAsNumber(cell string) bool {
	_, err := strconv.ParseFloat(strings.Replace(cell, ",", ".", 1), 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// targetColumns are the columns to predict. While they may be classes, the
// different cells are kept as they are, too.
type targetColumns struct {
	columns []int
	task    string
	words   bool // whether the only column may be classes

	numbers   []float64
	cells     []int32 // the place of each row's cell among the different ones
	different []string
	place     map[string]int32
	noun      error // about the first cell that is no number
	nouns     int
	nounIs    string // that cell
}

// maxSpellings bounds the different cells of a column of classes: a number may
// be written in several ways.
const maxSpellings = 4 * maxClasses

func (t *targetColumns) read(r *tableReader, row []string) (err error) {
	if t.numbers, err = extend(t.numbers, len(t.columns)); err != nil {
		return err
	}
	for _, i := range t.columns {
		v, ok := number(row[i])
		cell := strings.TrimSpace(row[i])
		if !ok {
			err := r.wrong(i, cell, "a finite number to predict"+whyNone(cell))
			if !t.words || cell == "" {
				return err
			}
			if t.nouns++; t.noun == nil {
				t.noun, t.nounIs = err, strings.Clone(cell)
			}
		}
		t.numbers = append(t.numbers, v)
		if !t.words {
			continue
		}
		if err := t.keep(r, i, cell); err != nil {
			return err
		}
	}
	return nil
}

// keep keeps a cell of what may be classes. Too many different numbers are none.
func (t *targetColumns) keep(r *tableReader, column int, cell string) (err error) {
	at, known := t.place[cell]
	switch {
	case known:
	case len(t.different) < maxSpellings:
		at = int32(len(t.different))
		cell = strings.Clone(cell)
		t.different, t.place[cell] = append(t.different, cell), at
	case t.task == TaskClassification || t.nouns > 0:
		return r.wrong(column, cell, fmt.Sprintf("one of the %d different values before: there are at most %d classes", maxSpellings, maxClasses))
	default:
		t.words, t.cells = false, nil
		return nil
	}
	if t.cells, err = extend(t.cells, 1); err == nil {
		t.cells = append(t.cells, at)
	}
	return err
}

// check refuses a column of numbers with words among them, unless it is said to
// hold classes.
func (t *targetColumns) check() error {
	if t.task == TaskClassification || t.nouns == 0 || t.nouns == len(t.cells) {
		return nil
	}
	var at *FormatError
	if !meantAsNumber(t.nounIs) && errors.As(t.noun, &at) {
		at.Want = fmt.Sprintf("a number, as %d other rows have; or all cells to be classes, by data.task: %s",
			len(t.cells)-t.nouns, TaskClassification)
	}
	return t.noun
}

func (t *targetColumns) classes(task string) bool {
	return task == TaskClassification || t.nouns > 0
}

// labels returns the different cells in their order, of numbers if all are, and
// which of them each example has. Numbers written in several ways are one class.
func (t *targetColumns) labels() (names []string, labels []int32) {
	type class struct {
		name   string
		number float64
	}
	of := func(cell string) class {
		if v, _ := number(cell); t.nouns == 0 {
			return class{strconv.FormatFloat(v, 'g', -1, 64), v}
		}
		return class{name: cell}
	}
	compare := func(a, b class) int { return cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.name, b.name)) }
	var all []class
	for _, cell := range t.different {
		all = append(all, of(cell))
	}
	slices.SortFunc(all, compare)
	all = slices.CompactFunc(all, func(a, b class) bool { return compare(a, b) == 0 })
	place := map[string]int32{}
	for i, c := range all {
		names, place[c.name] = append(names, c.name), int32(i)
	}
	for _, i := range t.cells {
		labels = append(labels, place[of(t.different[i]).name])
	}
	return names, labels
}
