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
	var top []string
	for _, v := range r.modesAt(step, "spectrum.top_%d") {
		top = append(top, number(v))
	}
	s := fmt.Sprintf("At step %s the Hessian's largest %s", number(step), plural.Of(len(top), "eigenvalue"))
	if len(top) == 1 {
		s = fmt.Sprintf("At step %s the Hessian's largest eigenvalue", number(step))
	}
	s += " came to " + strings.Join(top, ", ")
	if bottom := r.modesAt(step, "spectrum.bottom"); len(bottom) > 0 {
		s += " and its smallest to " + number(bottom[0])
	}
	s += fmt.Sprintf(", an eigenvalue being within %s of each; its trace to %s with a standard error of %s, and tr Diag(H)^(1/2) to %s with one of %s.",
		number(at[2][last]), number(at[3][last]), number(at[4][last]), number(at[5][last]), number(at[6][last]))
	return strings.Join(slices.DeleteFunc([]string{s, r.sayModesBeyond(), r.sayDensities()}, func(s string) bool { return s == "" }), " ")
}

// modesAt returns what was measured at a step in the columns of a pattern, from 1 on, or in the one column.
func (r *Report) modesAt(step float64, pattern string) []float64 {
	var out []float64
	for k := 1; ; k++ {
		name := pattern
		if strings.Contains(pattern, "%d") {
			name = fmt.Sprintf(pattern, k)
		}
		steps, values := r.column(name)
		i := slices.Index(steps, step)
		if i < 0 {
			return out
		}
		if out = append(out, values[i]); name == pattern {
			return out
		}
	}
}

// sayModesBeyond counts the modes of P^-1 H above the threshold of period two.
func (r *Report) sayModesBeyond() string {
	at := r.together("step", "spectrum.period_two", "spectrum.preconditioned_1")
	if len(at[0]) == 0 {
		return ""
	}
	crossed, most, where, of := 0, 0, 0.0, 0
	for i, step := range at[0] {
		modes := r.modesAt(step, "spectrum.preconditioned_%d")
		beyond := 0
		for _, v := range modes {
			if v > at[1][i] {
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
	n := plural.Of(len(at[0]), "measured step")
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
