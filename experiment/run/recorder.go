package run

import (
	"shadowflow/experiment/record"
)

// recorder fills one row of a history.
type recorder struct {
	index map[string]int
	row   []record.Value
}

func newRecorder(columns []record.Column) *recorder {
	r := &recorder{index: map[string]int{}, row: make([]record.Value, len(columns))}
	for i, c := range columns {
		r.index[c.Name] = i
	}
	return r
}

func (r *recorder) set(name string, v record.Value) {
	if i, ok := r.index[name]; ok {
		r.row[i] = v
	}
}

func (r *recorder) float(name string, v float64) { r.set(name, record.Float(v)) }
