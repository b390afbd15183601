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
}

// score returns that of a source's predictions: the accuracy of classes, or R^2 of numbers; nil in closed form.
func (s *source) score() *score {
	switch {
	case s.data == nil:
		return nil
	case s.data.Classes > 0:
		return &score{"accuracy", "share of ", " classified rightly", objective.Evaluation.Accuracy}
	}
	return &score{"r2", "R^2 of ", ": 1 less the squared residuals over the squared deviations from the mean; of several targets, the mean of theirs",
		func(e objective.Evaluation) float64 { return e.R2 }}
}

// scored is the column of some examples' score; the zero value is none.
type scored struct {
	column *Gauge
	of     func(objective.Evaluation) float64
}

func (s *score) gauge(prefix, examples string) scored {
	if s == nil {
		return scored{}
	}
	return scored{gauge(prefix+s.name, "", s.before+examples+s.after), s.of}
}

func (s scored) gauges() []*Gauge {
	if s.column == nil {
		return nil
	}
	return []*Gauge{s.column}
}

// set leaves the column empty where the score is not defined, as R^2 is not of a constant.
func (s scored) set(e objective.Evaluation) {
	if s.column == nil {
		return
	}
	if v := s.of(e); !math.IsNaN(v) {
		s.column.Set(v)
	}
}
