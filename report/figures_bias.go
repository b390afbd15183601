package report

import (
	"math"

	"shadowflow/experiment/run"
)

// overview shows loss and norm and, where it was measured, the realized bias.
func (r *Report) overview() *Chart {
	sign := r.signAxes()
	if !sign.drawable() {
		return &Chart{}
	}
	return &Chart{
		Labels: Label{"overview", "Loss, gradient norm, and the realized bias",
			"Above, training and test loss; in the middle, the excess of the perturbed one-norm of the gradient; below, the size of the realized bias, of what the steps have beyond those of the optimizer without memory, beside the main term, and whether it acts to lower the norm or to raise it, which hinders its fall where the main term lowers it (the sign of -q.b)."},
		Axes: []Axes{r.lossAxes(), r.normAxes(), sign},
	}
}

// signAxes show the size of the realized bias, and by colour and shape its sign.
func (r *Report) signAxes() Axes {
	at := r.together("step", "bias.realized_share", "drive.realized")
	lowers := Series{Name: "lowers dN/dt", Color: 0, Mark: 2, Marks: true}
	raises := Series{Name: "raises dN/dt", Color: 1, Mark: 0, Marks: true}
	overreaching := r.overreaching()
	every := max(1, len(at[0])/100) // marks, unlike lines, hide one another
	for i := 0; i < len(at[0]); i += every {
		s := &raises
		switch {
		case at[2][i] == 0 || overreaching[at[0][i]] > 0:
			continue
		case at[2][i] < 0:
			s = &lowers
		}
		s.X, s.Y = append(s.X, at[0][i]), append(s.Y, at[1][i])
	}
	return Axes{Y: "realized bias / main term", LogY: true, Series: []Series{lowers, raises}}
}

func (r *Report) biasFigure() *Chart {
	return &Chart{
		Labels: Label{"bias", "Size, sign and reach of the bias",
			"Above, the size of the realized bias beside the main term, and its sign; in the middle, the share of coordinates, and of sum |q| with q the gradient of the norm, that it moves so that the norm falls; below, how much of the realized bias the second-order equation explains. " + shadedMeans},
		Axes: []Axes{r.signAxes(),
			{Y: "fraction lowering N", Series: []Series{
				r.line("realized.penalized", "of coordinates", 0, 0), r.line("realized.penalized_weight", "of sum |q|", 1, 1)}},
			{Y: "cosine", Zero: true, Shaded: r.beyond(), Series: []Series{r.line("bias.cosine", "of the realized and\nthe predicted bias", 2, 0)}}},
	}
}

const (
	shadedMeans = "Shaded: there a step does not bear the second-order equation out, which does not predict it by a tenth better than no correction, or with a bias that goes against the realized one, or rounding hides whether it does: what it predicts is not this run's."
	shadedName  = "prediction not\nborne out"
)

// monitor is the column by which steps are judged. A record that lacks it has nothing to judge the prediction by.
const monitor = "monitor.second_over_first"

// predicted is the line of a column that the second-order equation without memory predicts, none where nothing tells whether steps bear it out.
func (r *Report) predicted(column, name string, color, dash int) Series {
	if r.History.Index(monitor) < 0 {
		return Series{Name: name, Color: color, Dash: dash}
	}
	return r.line(column, name, color, dash)
}

// beyond returns the stretches in which steps do not bear the second-order equation out. Each step that says so, or of which rounding hides it, reaches half way
// to its neighbours, and the first and the last of them to the ends of the record: what is drawn of a step without a bias, as Adam's first, or of one that
// was not taken any more, as the last, is no better known.
func (r *Report) beyond() []Span {
	if r.History.Index(monitor) < 0 {
		return nil // and nothing predicted is drawn
	}
	all := r.History.Floats("step")
	predicted, rounding := r.History.Floats("drive.predicted"), r.History.Floats("step_rounding")
	var steps []float64
	var within []bool
	for i, v := range run.Verdicts(r.History) {
		hidden := v == run.Unknown && predicted != nil && rounding != nil && !math.IsNaN(predicted[i]) && !math.IsNaN(rounding[i])
		if v.Judged() || hidden {
			steps, within = append(steps, all[i]), append(within, v == run.BornOut)
		}
	}
	var out []Span
	for i := range steps {
		if within[i] {
			continue
		}
		s := Span{all[0], all[len(all)-1], shadedName}
		if i > 0 {
			s.From = (steps[i-1] + steps[i]) / 2
		}
		if i+1 < len(steps) {
			s.To = (steps[i] + steps[i+1]) / 2
		}
		if n := len(out); n > 0 && out[n-1].To == s.From {
			out[n-1].To = s.To
			continue
		}
		out = append(out, s)
	}
	return out
}

// driveFigure shows what moves the norm, and how it did move. Where the prediction is far beyond what happens it leaves the upper axes, which are
// for what happens.
func (r *Report) driveFigure() *Chart {
	observed, main := r.line("drive.observed", "observed", 5, 0), r.line("drive.main", "main term, -q.F", 0, 1)
	realized, predicted := r.line("drive.realized", "realized bias, -q.b", 2, 0), r.predicted("drive.predicted", "predicted bias, -h q.C", 1, 2)
	above := Axes{Y: r.withUnit("dN/dt", "drive.main"), Zero: true, Shaded: r.beyond(), Series: []Series{observed, main, realized, predicted}}
	above.MinY, above.MaxY = reach(observed, main, realized)
	below := Axes{Y: r.withUnit("size of dN/dt", "drive.main"), LogY: true, Shaded: r.beyond()}
	for _, s := range above.Series {
		below.Series = append(below.Series, s.mapped(s.Name, func(_, v float64) float64 { return math.Abs(v) }))
	}
	return &Chart{
		Labels: Label{"drive", "What moves the norm: dN/dt as it was, and in parts",
			"The change of the perturbed one-norm N of the gradient, per unit of time (a step is h of it): as observed over single steps; by the main term, the optimizer without memory; by the realized bias, what the steps have beyond that; and, where steps can tell whether they bear it out, by the bias that the second-order equation predicts, which may leave the upper axes. Below, their sizes. " + shadedMeans},
		Axes: []Axes{above, below},
	}
}

// reach returns the least and the largest value of some series, with room.
func reach(series ...Series) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range series {
		for _, v := range s.Y {
			low, high = min(low, v), max(high, v)
		}
	}
	if !(high > low) {
		return 0, 0
	}
	by := room * (high - low)
	return low - by, high + by
}
