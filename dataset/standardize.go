package dataset

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Standardize sets Mean and Std to the mean and the population deviation of
// each channel of the training part, or each column if it is a table, and makes
// both parts' inputs (x - Mean) / Std. What is constant has Std 0 and is only
// centred.
func (d *Dataset) Standardize() {
	channels := d.Train.channels()
	d.Mean = make([]float64, channels)
	d.Std = make([]float64, channels)
	for c := range channels {
		d.Mean[c], d.Std[c] = d.Train.raw.meanStd(c, channels)
	}
	for _, p := range []*Part{&d.Train, &d.Test} {
		p.mean, p.std = d.Mean, d.Std
	}
}

// beyond returns the first channel or column whose numbers are so large that float64 has no mean or no deviation of them, -1 if
// there is none.
func beyond(mean, std []float64) int {
	for i := range mean {
		if x := mean[i] + std[i]; math.IsInf(x, 0) || math.IsNaN(x) {
			return i
		}
	}
	return -1
}

// tooLarge says that the i-th column of a file cannot be standardized.
func tooLarge(key, path string, names []string, i int) error {
	return &FieldError{key, fmt.Sprintf("column %s of %s has numbers whose squares are beyond the largest, 1.8e308; scale them", columnName(names, i), path)}
}

// meanStd returns the mean and population deviation of channel c.
func (v values) meanStd(c, channels int) (mean, std float64) {
	switch {
	case v.u8 != nil:
		return histogramMeanStd(v.u8, c, channels)
	case v.f32 != nil:
		return floatMeanStd(v.f32, c, channels)
	default:
		return floatMeanStd(v.f64, c, channels)
	}
}

// histogramMeanStd counts first: sums of counts are whole numbers, so the mean
// is the same in any order of the examples.
func histogramMeanStd(x []uint8, c, channels int) (mean, std float64) {
	var value, count [256]float64
	for b := range value {
		value[b] = float64(b)
	}
	for j := c; j < len(x); j += channels {
		count[x[j]]++
	}
	return stat.PopMeanStdDev(value[:], count[:])
}

func floatMeanStd[T Float](x []T, c, channels int) (mean, std float64) {
	column := make([]float64, 0, len(x)/channels)
	for j := c; j < len(x); j += channels {
		column = append(column, float64(x[j]))
	}
	// Rounding in the mean would make the deviation of a constant tiny instead of 0.
	if slices.Min(column) == slices.Max(column) {
		return column[0], 0
	}
	mean, std = stat.PopMeanStdDev(column, nil)
	if !(std < smallestSquared) { // or it is no number, of numbers too large
		return mean, std
	}
	// The squares have lost digits, or are 0: those of the same numbers of a size near 1 have not.
	_, exponent := math.Frexp(max(math.Abs(slices.Min(column)), math.Abs(slices.Max(column))))
	for i, v := range column {
		column[i] = math.Ldexp(v, -exponent)
	}
	mean, std = stat.PopMeanStdDev(column, nil)
	return math.Ldexp(mean, exponent), math.Ldexp(std, exponent)
}

// smallestSquared is 2^-484: the squares of what is less may be denormal, and 54 digits of it below.
const smallestSquared = 0x1p-484
