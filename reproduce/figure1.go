package reproduce

import (
	"context"
	"fmt"
	"math"

	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/report"
	"shadowflow/rule"
)

func figure1() *Reproduction {
	return &Reproduction{
		Name:  "figure-1",
		Title: "Figure 1: what Adam's second-order term penalizes, coordinate by coordinate",
		Claim: "With all of the memory, Adam's second-order equation is that of a loss with h sum_j F(d_j E) added, F(x) = (1/2) [(c1 - c2) (u - sqrt eps) + c2 eps (1/sqrt eps - 1/u)], u = sqrt(x^2 + eps), c_i = (1 + beta_i) / (1 - beta_i).",
		Design: "The formula at the paper's settings, beta1 = 0.95, against the integral of the second-order term that the program derives from the rule's definition, for a loss with the second derivative 1, where it stands with the gradient before that is divided by u. " +
			"They must agree to 1e-9 of the curve's largest value.",
		hypotheses: func(Scale) []Hypothesis {
			return []Hypothesis{{
				Name: "derived", Claim: "The formula is the term that the program derives", Measure: "the largest difference, over the curve's largest value, of all curves",
				Test: Bound, Direction: Down, Least: 1e-9,
			}}
		},
		judge: func(ctx context.Context, f *Result, _ []trials) error { return judgeFigure1(ctx, f) },
	}
}

// The settings of the paper's Figure 1.
var (
	figure1Eps   = []float64{1e-5, 1, 100}
	figure1Beta2 = []float64{0.995, 0.99, 0.95, 0.9, 0.8, 0.75, 0.5, 0.1}
)

const figure1Beta1 = 0.95

func judgeFigure1(ctx context.Context, f *Result) error {
	chart := &report.Chart{Height: 3, Labels: report.Label{
		Name: "figure-1", Title: "F(x) / h, for Adam with beta1 = 0.95",
		Caption: "Lines: the paper's formula. Marks: the integral of the second-order term that the program derives from the rule. Where F grows with |x| the term penalizes gradients of that size, where it falls it hinders their decrease.",
	}}
	table := report.Table{Caption: "F(x) / h at the right edge of each panel, and the largest difference from the derived term, relative to the curve's largest value",
		Header: []string{"eps", "beta2", "x", "F(x) / h", "difference"}}
	worst := 0.0
	for _, eps := range figure1Eps {
		edge := 4 * math.Max(1, math.Sqrt(eps))
		axes := report.Axes{X: fmt.Sprintf("x, for eps = %g", eps), Y: "F(x) / h", Zero: true}
		for i, beta2 := range figure1Beta2 {
			p := penalty{beta1: figure1Beta1, beta2: beta2, eps: eps}
			x, derived, err := p.derived(ctx, edge)
			if err != nil {
				return err
			}
			formula, off, top := make([]float64, len(x)), 0.0, 0.0
			for k := range x {
				formula[k] = p.formula(x[k])
				off, top = math.Max(off, math.Abs(derived[k]-formula[k])), math.Max(top, math.Abs(formula[k]))
			}
			worst = math.Max(worst, off/top)
			table.Rows = append(table.Rows, []string{fmt.Sprint(eps), fmt.Sprint(beta2), short(edge), short(formula[len(x)-1]), fmt.Sprintf("%.1e", off/top)})
			axes.Series = append(axes.Series, report.Series{Name: fmt.Sprintf("beta2 = %g", beta2), X: every(x, len(x)/200), Y: every(formula, len(x)/200), Line: true, Color: i},
				report.Series{Name: fmt.Sprintf("beta2 = %g, derived", beta2), Unlisted: true, X: every(x, len(x)/8), Y: every(derived, len(x)/8), Marks: true, Color: i, Mark: i})
		}
		chart.Axes = append(chart.Axes, axes)
	}
	f.giveEach("derived", []float64{worst})
	f.drawings, f.tables = []report.Drawing{chart}, []report.Table{table}
	return nil
}

// penalty is what Adam's second-order term adds to the loss for each coordinate of the gradient.
type penalty struct{ beta1, beta2, eps float64 }

// formula is the paper's, over h.
func (p penalty) formula(x float64) float64 {
	c1, c2 := (1+p.beta1)/(1-p.beta1), (1+p.beta2)/(1-p.beta2)
	u, root := math.Hypot(x, math.Sqrt(p.eps)), math.Sqrt(p.eps)
	return ((c1-c2)*(u-root) + c2*p.eps*(1/root-1/u)) / 2
}

// derived integrates the second-order term that follows from the rule, from 0 to points up to the edge on both sides: on the loss
// theta^2/2, whose gradient is theta and whose Hessian is 1, it is F'/u.
func (p penalty) derived(ctx context.Context, edge float64) (x, f []float64, err error) {
	c, err := rule.New("adam", map[string]any{"beta1": p.beta1, "beta2": p.beta2, "eps": p.eps, "eps_inside": true})
	if err != nil {
		return nil, nil, err
	}
	r, err := c.Rule()
	if err != nil {
		return nil, nil, err
	}
	loss := &objective.Function{Dim: 1, Batch: func(theta graph.Value, _ int) graph.Value { return theta.Square().Sum().Mul(theta.Like(0.5)) }}
	fields, err := modeq.CompileFields(r, loss, 1, 2, modeq.FieldOptions{Threads: 1})
	if err != nil {
		return nil, nil, err
	}
	// By Simpson's rule in s, x = sqrt(eps) sinh(s): the term changes over distances of sqrt(eps) near zero, and of x elsewhere.
	const half = 2000 // intervals of each side, two a point
	root := math.Sqrt(p.eps)
	ds := math.Asinh(edge/root) / half
	out := [][]float64{make([]float64, 1), make([]float64, 1)}
	slope := func(s float64) float64 {
		if e := fields.At(ctx, []float64{root * math.Sinh(s)}, out); e != nil && err == nil {
			err = e
		}
		u := root * math.Cosh(s)
		return -out[1][0] * u * u // by dx = u ds; the bias stands with the gradient, which is divided by u
	}
	x, f = []float64{0}, []float64{0}
	for k := 0; k < half; k += 2 {
		s := float64(k) * ds
		x = append(x, root*math.Sinh(s+2*ds))
		f = append(f, f[len(f)-1]+ds/3*(slope(s)+4*slope(s+ds)+slope(s+2*ds)))
	}
	return mirrored(x, -1), mirrored(f, 1), err
}

// mirrored puts the numbers behind the first, times a sign, before it.
func mirrored(v []float64, sign float64) []float64 {
	var out []float64
	for i := len(v) - 1; i > 0; i-- {
		out = append(out, sign*v[i])
	}
	return append(out, v...)
}

// every returns one of so many.
func every(v []float64, n int) []float64 {
	var out []float64
	for i := 0; i < len(v); i += max(1, n) {
		out = append(out, v[i])
	}
	return out
}
