package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Figures returns the figures that a run's record has numbers for.
func (r *Report) Figures() []Drawing {
	all := []*Chart{
		r.overview(), r.lossFigure(), r.normFigure(), r.biasFigure(), r.driveFigure(), r.stepsFigure(), r.defectFigure(),
		r.flowFigure(), r.sharpnessFigure(), r.spectrumFigure(), r.densityFigure(), r.noiseFigure(),
	}
	from, to := r.span()
	var out []Drawing
	for _, c := range all {
		if !c.drawable() {
			continue
		}
		c.Height = 2.3
		if len(c.Axes) == 1 {
			c.Height = 3
		}
		if !c.Apart {
			for i := range c.Axes {
				c.Axes[i].MinX, c.Axes[i].MaxX = from, to
			}
			c.Axes[len(c.Axes)-1].X = stepAxis
		}
		out = append(out, c)
	}
	return out
}

// span returns the steps that the figures reach over.
func (r *Report) span() (from, to float64) {
	steps := r.History.Floats("step")
	if len(steps) == 0 {
		return 0, 1
	}
	from, to = steps[0], steps[len(steps)-1]
	room := max(0.5, 0.02*(to-from))
	return from - room, to + room
}

// drawable reports whether every pair of axes has something to show.
func (c *Chart) drawable() bool {
	if len(c.Axes) == 0 {
		return false
	}
	for i := range c.Axes {
		if !c.Axes[i].drawable() {
			return false
		}
	}
	return true
}

// drawable reports whether there is a point to show.
func (a *Axes) drawable() bool {
	return slices.ContainsFunc(a.Series, func(s Series) bool {
		xy, _, _ := s.points(a)
		return len(xy) > 0
	})
}

// Measured returns the chart without the axes that have no point, and says so in its caption; all of them, if none has one.
func (c *Chart) Measured() *Chart {
	out := *c
	out.Axes = nil
	for _, a := range c.Axes {
		if a.drawable() {
			out.Axes = append(out.Axes, a)
			continue
		}
		out.Labels.Caption += fmt.Sprintf(" Not drawn, for lack of numbers: %s.", a.Y)
	}
	if len(out.Axes) == 0 {
		return c
	}
	return &out
}

// line returns a column of the history as a curve. Every further curve of an axis should have another color and dash.
func (r *Report) line(column, name string, color, dash int) Series {
	x, y := r.column(column)
	x, y = thin(x, y, cmp.Or(r.Points, maxPoints))
	return Series{Name: name, X: x, Y: y, Color: color, Dash: dash}
}

// maxPoints bounds the points of a curve: more would not be told apart.
const maxPoints = 1200

// thin takes points out of a curve of more than most such that all peaks stay.
func thin(x, y []float64, most int) (tx, ty []float64) {
	if len(x) <= most {
		return x, y
	}
	buckets := most / 2
	for b := range buckets {
		from, to := b*len(x)/buckets, (b+1)*len(x)/buckets
		lo, hi := from, from
		for i := from; i < to; i++ {
			if y[i] < y[lo] {
				lo = i
			}
			if y[i] > y[hi] {
				hi = i
			}
		}
		for _, i := range []int{min(lo, hi), max(lo, hi)} {
			tx, ty = append(tx, x[i]), append(ty, y[i])
			if lo == hi {
				break
			}
		}
	}
	return tx, ty
}

// trained returns the curve of what is measured of the examples that a step sees and, with mini-batches, that over all of them, each saying so.
func (r *Report) trained(column, name string, color int, further ...Series) []Series {
	if !r.Config.Batch.Mini() {
		return append([]Series{r.line(column, name, color, 0)}, further...)
	}
	seen := r.line(column, name+",\nsingle batches", 4, 3)
	return append([]Series{seen, r.line("full_"+column, name+",\nall examples", color, 0)}, further...)
}

// withUnit is the name of an axis with the unit of a column, if that has one.
func (r *Report) withUnit(name, column string) string {
	if unit := r.History.Unit(column); unit != "" {
		return name + " (" + unit + ")"
	}
	return name
}

func (r *Report) lossAxes() Axes {
	return Axes{Y: r.withUnit("loss", "loss"), LogY: true, Series: r.trained("loss", "train", 0, r.line("test_loss", "test", 1, 1))}
}

func (r *Report) normAxes() Axes {
	return Axes{Y: r.withUnit("excess norm", "excess"), LogY: true, Series: r.trained("excess", "perturbed one-norm\nless that of g = 0", 2)}
}

func (r *Report) lossFigure() *Chart {
	column, name, meaning := "accuracy", "accuracy", "share of examples classified rightly"
	if r.History.Index("r2") >= 0 {
		column, name, meaning = "r2", "R²", "R², the share of the targets' variance that predictions explain"
	}
	loss := r.lossAxes()
	if r.History.Index("bits_per_byte") >= 0 {
		loss = Axes{Y: "bits per byte", Series: r.trained("bits_per_byte", "train", 0, r.line("test_bits_per_byte", "test", 1, 1))}
	}
	score := Axes{Y: name, Series: r.trained(column, "train", 0, r.line("test_"+column, "test", 1, 1))}
	if !score.drawable() { // a loss in closed form has none
		return &Chart{Labels: Label{"loss", "Loss", "Loss, on the training and on the test data."}, Axes: []Axes{loss}}
	}
	return &Chart{
		Labels: Label{"loss", "Loss and " + name, "Loss and " + meaning + ", on the training and on the test data."},
		Axes:   []Axes{loss, score},
	}
}

func (r *Report) normFigure() *Chart {
	return &Chart{
		Labels: Label{"norm", "The perturbed one-norm of the gradient",
			"The excess of the perturbed one-norm over its value at a gradient of zero, which would swamp it, and the usual norms."},
		Axes: []Axes{r.normAxes(), {Y: r.withUnit("gradient", "two_norm"), LogY: true, Series: []Series{
			r.line("two_norm", "two-norm", 0, 0), r.line("max_norm", "largest |g|", 1, 1), r.line("gradient_deviation", "deviation of |g|", 3, 2)}}},
	}
}

// byStep returns a column by the step.
func (r *Report) byStep(column string) map[float64]float64 {
	out := map[float64]float64{}
	steps, values := r.column(column)
	for i, s := range steps {
		out[s] = values[i]
	}
	return out
}

// mapped returns the series with other values.
func (s Series) mapped(name string, f func(step, v float64) float64) Series {
	s.Name = name
	y := make([]float64, len(s.Y))
	for i, v := range s.Y {
		if y[i] = f(s.X[i], v); math.IsInf(y[i], 0) {
			y[i] = math.NaN()
		}
	}
	s.Y = y
	return s
}

func (r *Report) defectFigure() *Chart {
	return &Chart{
		Labels: Label{"defect", "One-step defects of the modified equations",
			"Distance between a step and the one that the modified equation of order 1 or 2 predicts, beside the length of the step. Where order 2 is no closer than order 1, the equation has stopped holding."},
		Axes: []Axes{{Y: r.withUnit("two-norm", "step_norm"), LogY: true, Series: []Series{
			r.line("step_norm", "the step", 2, 2), r.line("defect_1", "defect, order 1", 0, 0), r.line("defect_2", "defect, order 2", 1, 1)}}},
	}
}

func (r *Report) flowFigure() *Chart {
	distance, norm := Axes{Y: "relative distance", LogY: true}, Axes{Y: "relative excess", Zero: true}
	column, _ := r.overAll("excess") // an equation's is over all examples
	excess := r.byStep(column)
	for i, name := range r.Config.Beside {
		distance.Series = append(distance.Series, r.line(name+".relative_distance", name, i, i))
		norm.Series = append(norm.Series, r.line(name+".excess", "", i, i).
			mapped(name+"'s excess norm", func(step, v float64) float64 { return v/excess[step] - 1 }))
	}
	c := &Chart{Labels: Label{"flow", "Iterates and what moves beside them",
		"Above, the distance between the iterates and each equation from the same start on the same data, over the way that the iterates have gone since; below, by which part the excess of the perturbed one-norm along each is larger than along the iterates."}}
	if len(r.Config.Beside) > 0 {
		c.Axes = []Axes{distance, norm}
	}
	return c
}

func (r *Report) sharpnessFigure() *Chart {
	return &Chart{
		Labels: Label{"sharpness", "Sharpness and its stability threshold",
			"Above, the largest eigenvalue of the preconditioned Hessian beside the threshold over which oscillations grow; below, the largest eigenvalue of the Hessian."},
		Axes: []Axes{
			{Y: r.withUnit("preconditioned sharpness", "preconditioned_sharpness"), LogY: true, Series: []Series{
				r.line("preconditioned_sharpness", "largest eigenvalue", 0, 0), r.line("stability_threshold", "stability threshold", 1, 1)}},
			{Y: r.withUnit("sharpness", "sharpness"), LogY: true, Series: []Series{r.line("sharpness", "largest eigenvalue", 2, 0)}}},
	}
}

func (r *Report) noiseFigure() *Chart {
	return &Chart{
		Labels: Label{"noise", "Gradient noise",
			"The noise scale tr Σ / ||g||², Σ being the covariance of one example's gradient, and the fraction of coordinates whose deviation over the batches exceeds the mean gradient."},
		Axes: []Axes{
			{Y: r.withUnit("noise scale", "noise_scale"), LogY: true, Series: []Series{r.line("noise_scale", "noise scale", 0, 0)}},
			{Y: "fraction of coordinates", Series: []Series{r.line("noise_dominated", "deviation > |g|", 1, 1)}}},
	}
}
