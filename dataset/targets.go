package dataset

import (
	"fmt"
	"math"

	"shadowflow/internal/plural"
)

// Targets are the numbers that a regression predicts, row-major: as many an
// example as there are Columns. The zero value is that of data with classes.
type Targets struct {
	Columns int
	Values  []float64
}

func (t Targets) n() int { return len(t.Values) / t.Columns }

// NewRegression makes a part of examples of the given shape, [H, W, C] or [D],
// from their values and their targets, both row-major. It keeps the slices, not
// copies. It returns an error if the lengths do not fit together or a target is
// not finite.
func NewRegression[T raw](shape []int, x []T, targets Targets) (Part, error) {
	if targets.Columns < 1 || len(targets.Values)%targets.Columns != 0 {
		return Part{}, fmt.Errorf("dataset: %s in %s; expected as many in each", plural.Count(len(targets.Values), "target"), plural.Count(targets.Columns, "column"))
	}
	for i, y := range targets.Values {
		if math.IsNaN(y) || math.IsInf(y, 0) {
			return Part{}, fmt.Errorf("dataset: target %v of example %d; expected finite numbers", y, i/targets.Columns)
		}
	}
	return newPart(shape, x, targets.n(), Part{Targets: targets})
}

// StandardizeTargets sets TargetMean and TargetStd to the mean and the
// population deviation of each column of the training part's targets, and makes
// both parts' targets (y - TargetMean) / TargetStd. A constant column has
// TargetStd 0 and is only centred. Without targets it does nothing.
func (d *Dataset) StandardizeTargets() {
	columns := d.Train.Targets.Columns
	if columns == 0 {
		return
	}
	d.TargetMean, d.TargetStd = make([]float64, columns), make([]float64, columns)
	for c := range columns {
		d.TargetMean[c], d.TargetStd[c] = floatMeanStd(d.Train.Targets.Values, c, columns)
	}
	for _, p := range []*Part{&d.Train, &d.Test} {
		p.Targets.Values = standardized(p.Targets, d.TargetMean, d.TargetStd)
	}
}

func standardized(t Targets, mean, std []float64) []float64 {
	out := make([]float64, len(t.Values))
	for i, y := range t.Values {
		c := i % t.Columns
		out[i] = y - mean[c]
		if std[c] > 0 {
			out[i] /= std[c]
		}
	}
	return out
}
