package dataset

import (
	"fmt"
	"math"
)

// Representable returns an error that names the column if an input or a target of d, as training takes it, is infinite in T, or the square of a target is, of
// which a loss is made: a table of large numbers that stay as they are.
func Representable[T Float](d *Dataset) error {
	const inputs, targets = "standardize: true", "standardize_target: true"
	for _, p := range []Part{d.Train, d.Test} {
		if i, x := firstInput(p, infinite[T]); i >= 0 {
			return fmt.Errorf("an input in column %s is %g, and infinite in %T; want %s, dtype float64, or smaller numbers", columnName(d.FeatureNames, i), x, T(0), inputs)
		}
		for i, y := range p.Targets.Values {
			column := columnName(d.TargetNames, i%max(p.Targets.Columns, 1))
			switch {
			case infinite[T](y):
				return fmt.Errorf("a target in column %s is %g, and infinite in %T; want %s, dtype float64, or smaller numbers", column, y, T(0), targets)
			case squareInfinite[T](y):
				return fmt.Errorf("a target in column %s is %g, and its square, as the loss has it, infinite in %T; want %s%s, or smaller numbers",
					column, y, T(0), targets, wider[T](y))
			}
		}
	}
	return nil
}

// NoteOnSquares says which column has an input whose square is infinite in T, "" if none has: second derivatives have such squares.
func NoteOnSquares[T Float](d *Dataset) string {
	for _, p := range []Part{d.Train, d.Test} {
		if i, x := firstInput(p, squareInfinite[T]); i >= 0 {
			return fmt.Sprintf("an input in column %s is %g, and its square, as second derivatives have it, infinite in %T: bias and sharpness may be no numbers; "+
				"standardize: true%s, or smaller numbers, would mend that", columnName(d.FeatureNames, i), x, T(0), wider[T](x))
		}
	}
	return ""
}

func infinite[T Float](x float64) bool { return math.IsInf(float64(T(x)), 0) }

func squareInfinite[T Float](x float64) bool { return math.IsInf(float64(T(x)*T(x)), 0) }

// wider names the wider type where that has the square of a number.
func wider[T Float](x float64) string {
	if squareInfinite[float64](x) {
		return ""
	}
	return ", dtype float64"
}

// firstInput returns the channel or column of the first input of p, as training takes it, that is so, and the input; -1 if there is none.
func firstInput(p Part, so func(x float64) bool) (column int, x float64) {
	s := newScaler[float64](p)
	for j, x := range p.raw.f32 {
		if x := s.value(float64(x), j%s.channels); so(x) {
			return j % s.channels, x
		}
	}
	for j, x := range p.raw.f64 {
		if x := s.value(x, j%s.channels); so(x) {
			return j % s.channels, x
		}
	}
	return -1, 0
}

// columnName returns what the i-th column is called: its name, or else its number.
func columnName(names []string, i int) string {
	if i < len(names) {
		return fmt.Sprintf("%.60q", names[i])
	}
	return fmt.Sprint(1 + i)
}
