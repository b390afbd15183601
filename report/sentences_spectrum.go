package report

import (
	"fmt"
	"slices"
	"strings"

	"shadowflow/internal/plural"
)

// saySpectrum says what was last measured of the Hessian's spectrum, how nearly, and where its modes are beside the threshold of period two.
func (r *Report) saySpectrum() string {
	at := r.together("step", "spectrum.top_1", "spectrum.residual", "spectrum.trace", "spectrum.trace_error", "spectrum.root_diagonal", "spectrum.root_diagonal_error")
	last := len(at[0]) - 1
	if last < 0 {
		return r.sayDensities()
	}
	step := at[0][last]
	row := slices.Index(r.History.Floats("step"), step)
	var top []string
	for _, v := range finiteIn(row, r.numbered("spectrum.top_%d")) {
		top = append(top, number(v))
	}
	largest := "eigenvalue"
	if len(top) > 1 {
		largest = plural.Of(len(top), largest)
	}
	s := fmt.Sprintf("At step %s the Hessian's largest %s came to %s", number(step), largest, strings.Join(top, ", "))
	if bottom := r.History.Floats("spectrum.bottom"); bottom != nil && finite(bottom[row]) {
		s += " and its smallest to " + number(bottom[row])
	}
	s += fmt.Sprintf(", an eigenvalue being within %s of each; its trace to %s with a standard error of %s, and tr Diag(H)^(1/2) to %s with one of %s.",
		number(at[2][last]), number(at[3][last]), number(at[4][last]), number(at[5][last]), number(at[6][last]))
	return strings.Join(slices.DeleteFunc([]string{s, r.sayModesBeyond(), r.sayDensities()}, func(s string) bool { return s == "" }), " ")
}

// numbered returns the columns of a pattern, from 1 on.
func (r *Report) numbered(pattern string) [][]float64 {
	var out [][]float64
	for {
		column := r.History.Floats(fmt.Sprintf(pattern, len(out)+1))
		if column == nil {
			return out
		}
		out = append(out, column)
	}
}

// finiteIn returns what columns have in a row, up to the first that was not measured there.
func finiteIn(row int, columns [][]float64) []float64 {
	var out []float64
	for _, c := range columns {
		if !finite(c[row]) {
			break
		}
		out = append(out, c[row])
	}
	return out
}

// sayModesBeyond counts the modes of P^-1 H above the threshold of period two.
func (r *Report) sayModesBeyond() string {
	thresholds, columns := r.History.Floats("spectrum.period_two"), r.numbered("spectrum.preconditioned_%d")
	measured, crossed, most, where, of := 0, 0, 0, 0.0, 0
	for row, step := range r.History.Floats("step") {
		if thresholds == nil || !finite(thresholds[row]) {
			continue
		}
		modes := finiteIn(row, columns)
		if len(modes) == 0 {
			continue
		}
		measured++
		beyond := 0
		for _, v := range modes {
			if v > thresholds[row] {
				beyond++
			}
		}
		if of = max(of, len(modes)); beyond > 0 {
			crossed++
		}
		if beyond > most {
			most, where = beyond, step
		}
	}
	if measured == 0 {
		return ""
	}
	n := plural.Of(measured, "measured step")
	if crossed == 0 {
		return fmt.Sprintf("No eigenvalue of P^-1 H was above the threshold of period two at any of %s.", n)
	}
	s := fmt.Sprintf("Eigenvalues of P^-1 H were above the threshold of period two at %d of %s: %d of the largest %d at step %s, the most", crossed, n, most, of, number(where))
	if most == of {
		s += ", and perhaps more than were looked for"
	}
	return s + "."
}

// sayDensities says which densities could not be read.
func (r *Report) sayDensities() string {
	_, problems := r.densities()
	if len(problems) == 0 {
		return ""
	}
	return "Not drawn: " + strings.Join(problems, "; ") + "."
}
