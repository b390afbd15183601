package dataset

import (
	"fmt"
	"math"
)

// Representable returns an error that names the column if an input or a target of d, as training takes it, is infinite in T: a table of
// large numbers that stay as they are.
func Representable[T Float](d *Dataset) error {
	for _, p := range []Part{d.Train, d.Test} {
		if i, x := beyondInput[T](p); i >= 0 {
			return beyondType[T]("an input", x, d.FeatureNames, i, "standardize: true")
		}
		for i, y := range p.Targets.Values {
			if math.IsInf(float64(T(y)), 0) {
				return beyondType[T]("a target", y, d.TargetNames, i%p.Targets.Columns, "standardize_target: true")
			}
		}
	}
	return nil
}

// beyondInput returns the first channel or column of p with an input that is infinite in T, and the input; -1 if there is none.
func beyondInput[T Float](p Part) (column int, x float64) {
	s := newScaler[float64](p)
	for j, x := range p.raw.f32 {
		if x := s.value(float64(x), j%s.channels); math.IsInf(float64(T(x)), 0) {
			return j % s.channels, x
		}
	}
	for j, x := range p.raw.f64 {
		if x := s.value(x, j%s.channels); math.IsInf(float64(T(x)), 0) {
			return j % s.channels, x
		}
	}
	return -1, 0
}

func beyondType[T Float](what string, x float64, names []string, i int, mend string) error {
	return fmt.Errorf("%s in column %s is %g, and infinite in %T; want %s, dtype float64, or smaller numbers", what, columnName(names, i), x, T(0), mend)
}

// columnName returns what the i-th column is called: its name, or else its number.
func columnName(names []string, i int) string {
	if i < len(names) {
		return fmt.Sprintf("%.60q", names[i])
	}
	return fmt.Sprint(1 + i)
}
