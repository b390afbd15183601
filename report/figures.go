package report

import (
	"bytes"
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A figure is panels above one another that share the axis of steps.
type figure struct {
	name    string // of its files
	title   string
	caption string
	panels  []panel
}

// figures returns the figures that a run's record has numbers for.
func (r *Report) figures() []figure {
	all := []figure{
		r.overview(), r.lossFigure(), r.normFigure(), r.biasFigure(), r.driveFigure(), r.defectFigure(),
		r.flowFigure(), r.sharpnessFigure(), r.noiseFigure(),
	}
	var out []figure
	for _, f := range all {
		if f.drawable() {
			out = append(out, f)
		}
	}
	return out
}

// drawable reports whether every panel has something to show.
func (f figure) drawable() bool {
	for _, p := range f.panels {
		points := 0
		for _, c := range p.curves {
			points += len(c.usable(p.log))
		}
		if points == 0 {
			return false
		}
	}
	return len(f.panels) > 0
}

func (r *Report) curve(column, name string, color int) curve {
	x, y := r.column(column)
	return curve{name: name, x: x, y: y, color: color}
}

func dashed(c curve) curve {
	c.dashed = true
	return c
}

func (r *Report) lossPanel() panel {
	label := "loss"
	if r.Config.Loss == "cross-entropy" {
		label = "cross-entropy (nats)"
	}
	return panel{label: label, log: true, curves: []curve{r.curve("loss", "train", 0), dashed(r.curve("test_loss", "test", 1))}}
}

func (r *Report) normPanel() panel {
	return panel{label: "excess one-norm", log: true, curves: []curve{r.curve("excess", "perturbed one-norm\nless that of g = 0", 2)}}
}

// signPanel shows the size of the bias, and by colour and shape its sign.
func (r *Report) signPanel() panel {
	steps, share := r.column("bias_share")
	_, drive := r.column("drive_bias")
	lowers := curve{name: "lowers the norm", color: 0, marks: draw.PyramidGlyph{}}
	hinders := curve{name: "hinders its decrease", color: 1, marks: draw.CircleGlyph{}}
	for i := range min(len(share), len(drive)) {
		c := &hinders
		if drive[i] < 0 {
			c = &lowers
		}
		c.x, c.y = append(c.x, steps[i]), append(c.y, share[i])
	}
	return panel{label: "bias / main term", log: true, curves: []curve{lowers, hinders}}
}

func (r *Report) overview() figure {
	return figure{
		name: "overview", title: "Loss, gradient norm, and the implicit bias",
		caption: "Above, training and test loss; in the middle, the excess of the perturbed one-norm of the gradient; below, the size of the bias beside the main term of the modified equation, ||h C|| / ||F||, and whether it lowers the norm or hinders its decrease (the sign of -h q.C).",
		panels:  []panel{r.lossPanel(), r.normPanel(), r.signPanel()},
	}
}

func (r *Report) lossFigure() figure {
	return figure{
		name: "loss", title: "Loss and accuracy",
		caption: "Loss and share of examples classified rightly, on the training and on the test data.",
		panels: []panel{r.lossPanel(), {label: "accuracy", curves: []curve{
			r.curve("accuracy", "train", 0), dashed(r.curve("test_accuracy", "test", 1))}}},
	}
}

func (r *Report) normFigure() figure {
	return figure{
		name: "norm", title: "The perturbed one-norm of the gradient",
		caption: "The excess of the perturbed one-norm over its value at a gradient of zero, which would swamp it, and the usual norms.",
		panels: []panel{r.normPanel(), {label: "norms", log: true, curves: []curve{
			r.curve("two_norm", "two-norm", 0), dashed(r.curve("max_norm", "largest |g|", 1)), r.curve("gradient_deviation", "deviation of |g|", 3)}}},
	}
}

func (r *Report) biasFigure() figure {
	return figure{
		name: "bias", title: "Size, sign and reach of the bias",
		caption: "Above, the size of the bias beside the main term, and its sign; below, the share of coordinates, and of sum |q| with q the gradient of the norm, that the bias penalizes. The others it hinders.",
		panels: []panel{r.signPanel(), {label: "fraction penalized", curves: []curve{
			r.curve("penalized", "of coordinates", 0), dashed(r.curve("penalized_weight", "of sum |q|", 1))}}},
	}
}

func (r *Report) driveFigure() figure {
	main, bias := r.curve("drive_main", "main term, -q.F", 0), dashed(r.curve("drive_bias", "bias, -h q.C", 1))
	return figure{
		name: "drive", title: "What moves the norm: dN/dt in two parts",
		caption: "The modified equation's drive on the perturbed one-norm N, per unit of time (a step is h of it): above as it is, below divided by the norm's excess, which is how fast the excess would grow or shrink.",
		panels: []panel{
			{label: "dN/dt", zero: true, curves: []curve{main, bias}},
			{label: "dN/dt / excess", zero: true, curves: []curve{r.relative(main, "main / excess"), r.relative(bias, "bias / excess")}}},
	}
}

// relative divides a curve by the excess of the norm at its steps.
func (r *Report) relative(c curve, name string) curve {
	excess := map[float64]float64{}
	steps, values := r.column("excess")
	for i, s := range steps {
		excess[s] = values[i]
	}
	out := c
	out.name, out.x, out.y = name, nil, nil
	for i, s := range c.x {
		if e := excess[s]; e > 0 {
			out.x, out.y = append(out.x, s), append(out.y, c.y[i]/e)
		}
	}
	return out
}

func (r *Report) defectFigure() figure {
	return figure{
		name: "defect", title: "One-step defects of the modified equations",
		caption: "Distance between a step and the one that the modified equation of order 1 or 2 predicts, beside the length of the step. Where order 2 is no closer than order 1, the equation has stopped holding.",
		panels: []panel{{label: "two-norm", log: true, curves: []curve{
			r.curve("step_norm", "the step", 2), r.curve("defect_1", "defect, order 1", 0), dashed(r.curve("defect_2", "defect, order 2", 1))}}},
	}
}

func (r *Report) flowFigure() figure {
	distance := panel{label: "distance", log: true}
	norm := panel{label: "excess norm", log: true, curves: []curve{r.curve("excess", "iterates", 2)}}
	if len(r.Config.Flow.Orders) == 0 {
		return figure{}
	}
	for i, order := range r.Config.Flow.Orders {
		name := fmt.Sprintf("order %d", order)
		d := r.curve(fmt.Sprintf("flow%d_distance", order), name, order-1)
		n := r.curve(fmt.Sprintf("flow%d_excess", order), name, order-1)
		d.dashed, n.dashed = i > 0, i > 0
		distance.curves, norm.curves = append(distance.curves, d), append(norm.curves, n)
	}
	return figure{
		name: "flow", title: "Iterates and modified equations",
		caption: "Above, the two-norm of the difference between the iterates and each modified equation from the same start; below, the excess perturbed one-norm along each.",
		panels:  []panel{distance, norm},
	}
}

func (r *Report) sharpnessFigure() figure {
	steps, values := r.column("stability_threshold")
	threshold := curve{name: "stability threshold", x: steps, y: values, color: 1, dashed: true}
	return figure{
		name: "sharpness", title: "Sharpness and its stability threshold",
		caption: "Above, the largest eigenvalue of the preconditioned Hessian beside the threshold over which oscillations grow; below, the largest eigenvalue of the Hessian.",
		panels: []panel{
			{label: "preconditioned", log: true, curves: []curve{r.curve("preconditioned_sharpness", "largest eigenvalue", 0), threshold}},
			{label: "sharpness", log: true, curves: []curve{r.curve("sharpness", "largest eigenvalue", 2)}}},
	}
}

func (r *Report) noiseFigure() figure {
	return figure{
		name: "noise", title: "Gradient noise",
		caption: "The noise scale b tr Cov / ||g||² of the gradients of batches of b examples, and the fraction of coordinates whose deviation exceeds the mean gradient.",
		panels: []panel{
			{label: "noise scale (examples)", log: true, curves: []curve{r.curve("noise_scale", "noise scale", 0)}},
			{label: "fraction", curves: []curve{r.curve("noise_dominated", "deviation > |g|", 1)}}},
	}
}

// The sizes of a figure.
const (
	figureWidth  = 7.2 * vg.Inch
	panelHeight  = 2.1 * vg.Inch
	titleHeight  = 0.35 * vg.Inch
	bottomHeight = 0.25 * vg.Inch
	legendWidth  = 1.65 * vg.Inch
)

// render draws the figure as png, svg or pdf.
func (f figure) render(format string) ([]byte, error) {
	height := titleHeight + bottomHeight + panelHeight*vg.Length(len(f.panels))
	canvas, err := draw.NewFormattedCanvas(figureWidth, height, format)
	if err != nil {
		return nil, err
	}
	whole := draw.New(canvas)
	whole.SetColor(paper)
	whole.Fill(whole.Rectangle.Path())
	column := make([][]*plot.Plot, len(f.panels))
	legends := make([]*plot.Legend, len(f.panels))
	from, to := math.Inf(1), math.Inf(-1)
	for i, p := range f.panels {
		drawn, legend, err := p.plot()
		if err != nil {
			return nil, fmt.Errorf("figure %s: %w", f.name, err)
		}
		column[i], legends[i] = []*plot.Plot{drawn}, legend
		from, to = min(from, drawn.X.Min), max(to, drawn.X.Max)
	}
	for i, row := range column {
		row[0].X.Min, row[0].X.Max = from, to
		if i == len(column)-1 {
			row[0].X.Label.Text = "step"
		}
	}
	f.drawTitle(whole, column[0][0])
	tiles := draw.Tiles{Rows: len(column), Cols: 1, PadY: vg.Points(6), PadRight: legendWidth, PadTop: titleHeight, PadBottom: vg.Points(4), PadLeft: vg.Points(4)}
	for i, row := range plot.Align(column, tiles, whole) {
		column[i][0].Draw(row[0])
		beside := row[0]
		beside.Min.X, beside.Max.X = figureWidth-legendWidth+vg.Points(8), figureWidth
		beside.Max.Y -= vg.Points(2)
		legends[i].Draw(beside)
	}
	var out bytes.Buffer
	_, err = canvas.WriteTo(&out)
	return out.Bytes(), err
}

func (f figure) drawTitle(c draw.Canvas, p *plot.Plot) {
	style := p.Title.TextStyle
	style.XAlign, style.YAlign = draw.XLeft, draw.YTop
	c.FillText(style, vg.Point{X: c.Min.X + vg.Points(8), Y: c.Max.Y - vg.Points(7)}, f.title)
}
