package run

import "shadowflow/experiment/record"

// Gauge is a column of a meter, and its reading at the present point. Only through it can the column be set: a meter keeps its gauges
// from where it declares them, so that a column that nobody owns cannot be written, nor one that is owned be misspelt.
type Gauge struct {
	record.Column
	reading record.Value
}

// gauge returns a gauge for numbers.
func gauge(name, unit, meaning string) *Gauge {
	return &Gauge{Column: record.Column{Name: name, Type: record.FloatColumn, Unit: unit, Meaning: meaning}}
}

// counter returns a gauge for whole numbers.
func counter(name, unit, meaning string) *Gauge {
	return &Gauge{Column: record.Column{Name: name, Type: record.IntColumn, Unit: unit, Meaning: meaning}}
}

// Set makes v the reading.
func (g *Gauge) Set(v float64) { g.reading = record.Float(v) }

// Count makes n the reading.
func (g *Gauge) Count(n int) { g.reading = record.Int(int64(n)) }

// take returns the reading, and leaves none.
func (g *Gauge) take() record.Value {
	v := g.reading
	g.reading = record.Value{}
	return v
}
