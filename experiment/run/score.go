package run

import (
	"math"

	"shadowflow/objective"
)

// score is what is said of predictions beside their loss.
type score struct {
	name          string
	before, after string // what its meaning says around the examples
	of            func(objective.Evaluation) float64
	bits          bool // the loss is recorded in bits per byte, too
}

// score returns that of a source's predictions: the accuracy of classes, or R^2 of numbers; nil in closed form.
func (s *source) score() *score {
	switch {
	case s.worker != nil && s.worker.Info().Score == "", s.worker == nil && s.data == nil:
		return nil
	case s.worker != nil && s.worker.Info().Score == "accuracy", s.data != nil && s.data.Classes > 0:
		return &score{name: "accuracy", before: "share of ", after: " classified rightly", of: objective.Evaluation.Accuracy}
	}
	return &score{
		name: "r2", before: "R^2 of ", after: ": 1 less the squared residuals over the squared deviations from the mean; of several targets, the mean of theirs",
		of: func(e objective.Evaluation) float64 { return e.R2 },
	}
}

// scored is the column of some examples' score; the zero value is none.
type scored struct {
	column *Gauge
	of     func(objective.Evaluation) float64
	bits   *Gauge // nil but for a text
}

func (s *score) gauge(prefix, examples string) scored {
	if s == nil {
		return scored{}
	}
	out := scored{column: gauge(prefix+s.name, "", s.before+examples+s.after), of: s.of}
	if s.bits {
		out.bits = gauge(prefix+"bits_per_byte", "bits", "mean loss on "+examples+" in bits: loss / log 2")
	}
	return out
}

func (s scored) gauges() []*Gauge {
	if s.column == nil {
		return nil
	}
	if s.bits != nil {
		return []*Gauge{s.column, s.bits}
	}
	return []*Gauge{s.column}
}

// set leaves the column empty where the score is not defined, as R^2 is not of a constant.
func (s scored) set(e objective.Evaluation) {
	if s.column == nil {
		return
	}
	if s.bits != nil {
		s.bits.Set(e.Loss / math.Ln2)
	}
	if v := s.of(e); !math.IsNaN(v) {
		s.column.Set(v)
	}
}
