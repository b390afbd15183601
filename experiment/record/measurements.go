package record

import "slices"

// Measurements are the columns of a run's record as numbers, one for each recorded step: a whole [History], or what a [Follower] has read.
type Measurements interface {
	// Len returns the number of rows.
	Len() int
	// Index returns the number of the column of that name, -1 if there is none.
	Index(name string) int
	// Floats returns a column, NaN where nothing was measured; nil if there is no such column. It is not to be changed.
	Floats(name string) []float64
	// Measured reports whether there is a column of that name with anything in it, be it not a number.
	Measured(name string) bool
	// Unit returns the unit of a column, "" for a pure number or where there is none.
	Unit(name string) string
}

var (
	_ Measurements = (*History)(nil)
	_ Measurements = (*Table)(nil)
)

// Len implements [Measurements].
func (h *History) Len() int { return len(h.Rows) }

// Measured implements [Measurements].
func (h *History) Measured(name string) bool {
	i := h.Index(name)
	return i >= 0 && slices.ContainsFunc(h.Rows, func(row []Value) bool { return row[i].Measured() })
}

// Unit implements [Measurements].
func (h *History) Unit(name string) string { return unitOf(h.Columns, name) }

// indexOf returns the number of the column of that name, -1 if there is none.
func indexOf(columns []Column, name string) int {
	return slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
}

func unitOf(columns []Column, name string) string {
	if i := indexOf(columns, name); i >= 0 {
		return columns[i].Unit
	}
	return ""
}

// A Table is measurements kept by columns, in a fifth of a [History]'s memory: texts are left out.
type Table struct {
	Columns []Column
	values  [][]float64 // a column each
	filled  []bool      // columns that have anything
}

// Len implements [Measurements].
func (t *Table) Len() int {
	if len(t.values) == 0 {
		return 0
	}
	return len(t.values[0])
}

// Index implements [Measurements].
func (t *Table) Index(name string) int { return indexOf(t.Columns, name) }

// Floats implements [Measurements].
func (t *Table) Floats(name string) []float64 {
	i := t.Index(name)
	if i < 0 {
		return nil
	}
	return t.values[i]
}

// Measured implements [Measurements].
func (t *Table) Measured(name string) bool {
	i := t.Index(name)
	return i >= 0 && t.filled[i]
}

// Unit implements [Measurements].
func (t *Table) Unit(name string) string { return unitOf(t.Columns, name) }

// Between returns the rows whose first column, the step, is from low to high, both included, and one more at either side, so that curves reach the ends.
func (t *Table) Between(low, high float64) *Table {
	from, to := 0, t.Len()
	if to > 0 {
		steps := t.values[0] // they grow
		from, _ = slices.BinarySearch(steps, low)
		to, _ = slices.BinarySearchFunc(steps, high, func(step, high float64) int {
			if step <= high {
				return -1
			}
			return 1
		})
		from, to = max(0, from-1), min(len(steps), to+1)
	}
	cut := &Table{Columns: t.Columns, filled: t.filled, values: make([][]float64, len(t.values))}
	for i, v := range t.values {
		cut.values[i] = v[from:to:to]
	}
	return cut
}

// Bytes returns the memory that the numbers take.
func (t *Table) Bytes() int64 { return int64(t.Len()) * int64(len(t.values)) * 8 }
