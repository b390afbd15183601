package record

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A ColumnType says what a history's column holds.
type ColumnType string

// The types of columns.
const (
	IntColumn   ColumnType = "int"   // 64-bit whole numbers
	FloatColumn ColumnType = "float" // float64, all bits kept
	TextColumn  ColumnType = "text"  // text without line breaks
)

// A Column describes one column of a history.
type Column struct {
	Name    string
	Type    ColumnType
	Unit    string // "" for a pure number
	Meaning string
}

// A Value is one cell of a history. The zero Value is a cell that was not measured.
type Value struct {
	typ  ColumnType
	bits uint64
	text string
}

// Int returns the value of a cell of an IntColumn.
func Int(v int64) Value { return Value{typ: IntColumn, bits: uint64(v)} }

// Float returns the value of a cell of a FloatColumn.
func Float(v float64) Value { return Value{typ: FloatColumn, bits: math.Float64bits(v)} }

// Text returns the value of a cell of a TextColumn. An empty text is a cell that was
// not measured.
func Text(v string) Value {
	if v == "" {
		return Value{}
	}
	return Value{typ: TextColumn, text: v}
}

// Measured reports whether the cell has a value.
func (v Value) Measured() bool { return v.typ != "" }

// Int returns a whole number, 0 if the value is not one.
func (v Value) Int() int64 {
	if v.typ != IntColumn {
		return 0
	}
	return int64(v.bits)
}

// Float returns a number as a float64, NaN if the value is not one.
func (v Value) Float() float64 {
	switch v.typ {
	case IntColumn:
		return float64(int64(v.bits))
	case FloatColumn:
		return math.Float64frombits(v.bits)
	}
	return math.NaN()
}

// Any returns the value as an int64, a float64 or a string, nil if not measured.
func (v Value) Any() any {
	switch v.typ {
	case IntColumn:
		return v.Int()
	case FloatColumn:
		return v.Float()
	case TextColumn:
		return v.text
	}
	return nil
}

// String returns the value as a history file has it: floats with as many digits as
// tell them from all others, and nothing if not measured.
func (v Value) String() string {
	switch v.typ {
	case IntColumn:
		return strconv.FormatInt(int64(v.bits), 10)
	case FloatColumn:
		return strconv.FormatFloat(math.Float64frombits(v.bits), 'g', -1, 64)
	}
	return v.text
}

// ParseValue reads what [Value.String] wrote, as a cell of a column of that type.
func ParseValue(text string, typ ColumnType) (Value, error) {
	if text == "" {
		return Value{}, nil
	}
	switch typ {
	case IntColumn:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Value{}, fmt.Errorf("%q is not a whole number", text)
		}
		return Int(n), nil
	case FloatColumn:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return Value{}, fmt.Errorf("%q is not a number", text)
		}
		return Float(x), nil
	}
	return Text(text), nil
}

// checkColumns says what is wrong with the columns of a history. The first is the step.
func checkColumns(columns []Column) error {
	if len(columns) == 0 || columns[0].Name != "step" || columns[0].Type != IntColumn {
		return fmt.Errorf("the first column of a history must be step, of type int")
	}
	seen := map[string]bool{}
	for _, c := range columns {
		switch c.Type {
		case IntColumn, FloatColumn, TextColumn:
		default:
			return fmt.Errorf("column %q: unknown type %q; expected int, float or text", c.Name, c.Type)
		}
		if c.Name == "" || strings.ContainsAny(c.Name+c.Unit+c.Meaning, "\r\n") {
			return fmt.Errorf("column %q: a name must not be empty, and nothing may have line breaks", c.Name)
		}
		if seen[c.Name] {
			return fmt.Errorf("column %q is there twice", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}
