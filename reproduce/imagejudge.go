package reproduce

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/report"
)

// paperPoints are those of the paper's Figures 4, 5 and 7 to 10 as they are drawn there: means over its seeds.
//
//go:embed paper.json
var paperPoints []byte

// A paperFigure is one of them.
type paperFigure struct {
	Beta   []float64    `json:"beta"`
	Curves []paperCurve `json:"curves"`
}

type paperCurve struct {
	LR       float64   `json:"lr"`
	Norm     []float64 `json:"norm"`
	Accuracy []float64 `json:"accuracy"` // in percent
}

// paperFigureOf returns a figure's points, none for a figure whose points are not at hand.
func paperFigureOf(number int) paperFigure {
	all := map[string]paperFigure{}
	if err := json.Unmarshal(paperPoints, &all); err != nil {
		panic(err) // it is part of the program, and tested
	}
	return all[fmt.Sprint(number)]
}

// lastTenth is the mean of what was measured in the last tenth of the rows.
func lastTenth(values []float64) float64 {
	var late []float64
	for _, v := range values[len(values)-(len(values)+9)/10:] {
		if !math.IsNaN(v) {
			late = append(late, v)
		}
	}
	if len(late) == 0 {
		return math.NaN()
	}
	return stat.Mean(late, nil)
}

// An imageMeasure is a number of a run.
type imageMeasure struct {
	name, label string
	of          func(*trial) float64
}

// ofGood is a measure of runs that have ended well, NaN of others.
func ofGood(of func(*trial) float64) func(*trial) float64 {
	return func(t *trial) float64 {
		if !t.good() {
			return math.NaN()
		}
		return of(t)
	}
}

func imageMeasures(s Scale) []imageMeasure {
	return []imageMeasure{
		{"top", "largest norm of a step behind the first fall", ofGood(largestStep)},
		{"best", "best test accuracy", ofGood(func(t *trial) float64 { return sweep.Largest(t.column("test_accuracy")) })},
		{"excess", fmt.Sprintf("excess norm at training loss %g", imageLoss(s)), func(t *trial) float64 { return t.at("excess", imageLoss(s)) }},
		{"late", "mean test accuracy of the last tenth", ofGood(func(t *trial) float64 { return lastTenth(t.column("test_accuracy")) })},
	}
}

func (fig imageFigure) judge(f *Result, ts trials) {
	switch fig.shows {
	case normOverEpochs:
		f.give("hill", votes(ts, func(t *trial) (yes, counts bool) { return topAt(t) >= 0, t.good() }))
		f.drawings = []report.Drawing{fig.curves(ts, []curveOf{
			column("perturbed one-norm", "perturbed_norm"), {"its running median", func(t *trial) []float64 { return smoothed(t.column("perturbed_norm")) }, false}, column("training loss (nats)", "loss").onLog(),
		})}
	case losesOverSteps:
		var fallen []float64
		for _, row := range ts.matrix(fig.varied, lossOverHalf) {
			fallen = append(fallen, slices.Max(row)) // NaN if one has none
		}
		f.giveEach("loss", fallen)
		f.give("accuracy", ts.matrix(fig.varied, imageMeasures(f.Scale)[3].of))
		f.drawings = []report.Drawing{fig.curves(ts, []curveOf{
			column("training loss (nats)", "loss").onLog(), column("test loss (nats)", "test_loss"), column("training accuracy", "accuracy"), column("test accuracy", "test_accuracy"),
		})}
	default:
		fig.judgePoints(f, ts)
	}
	if n := ts.unsteady(); n > 0 {
		f.say("%d of %s are not monotone: there the modified equation is not to be trusted.", n, plural.Count(len(ts), "run"))
	}
	if fig.shows != pointsOverBeta {
		f.tables = []report.Table{fig.endTable(f.Scale, ts)}
		f.say("The paper's points of this figure are not at hand; the choice of betas is ours.")
	}
}

// lossOverHalf is the binary logarithm of the last loss over half of the first.
func lossOverHalf(t *trial) float64 {
	losses := t.column("loss")
	if !t.good() || len(losses) == 0 {
		return math.NaN()
	}
	return math.Log2(2 * losses[len(losses)-1] / losses[0])
}

func (fig imageFigure) judgePoints(f *Result, ts trials) {
	measures, paper := imageMeasures(f.Scale), paperFigureOf(fig.number)
	table := report.Table{
		Caption: "Means over seeds with 95% confidence intervals; the paper's are means over its seeds, at the step size of the same place in its figure, counted from the largest",
		Header: []string{"lr", fig.beta(), measures[0].label, "the paper's of that", "top of the running median's hill", measures[1].label, "the paper's of that", measures[2].label, measures[3].label, "best less mean of the last tenth",
			"the paper's lr"},
	}
	chart := fig.pointsChart(f.Scale)
	lrs := ts.numbers("optimizer.lr")
	for i, lr := range lrs {
		part := ts.where("optimizer.lr", lr)
		betas := part.numbers(fig.varied)
		theirs := paper.near(f.Scale, lr, i, len(lrs))
		var rows [][][]float64
		for k, m := range measures {
			rows = append(rows, part.matrix(fig.varied, m.of))
			f.give(fmt.Sprintf("%s at lr %g", m.name, lr), rows[k])
			chart.Axes[k].Series = append(chart.Axes[k].Series, fig.pointsSeries(fmt.Sprintf("lr %g", lr), betas, f.Scale, rows[k], nearest(betas, paper.Beta[0]), k, i))
		}
		tops := part.matrix(fig.varied, ofGood(topOf))
		for k, beta := range betas {
			at := nearest(paper.Beta, beta)
			theirNorm, theirAccuracy := "-", "-"
			if math.Abs(paper.Beta[at]-beta) < 1e-5 {
				theirNorm, theirAccuracy = short(theirs.Norm[at]), short(theirs.Accuracy[at]/100)
			}
			table.Rows = append(table.Rows, []string{
				fmt.Sprint(lr), fmt.Sprintf("%.5g", beta), withInterval(transpose(rows[0])[k]), theirNorm, withInterval(transpose(tops)[k]), withInterval(transpose(rows[1])[k]), theirAccuracy,
				withInterval(transpose(rows[2])[k]), withInterval(transpose(rows[3])[k]), withInterval(difference(transpose(rows[1])[k], transpose(rows[3])[k])), fmt.Sprint(theirs.LR),
			})
		}
		f.say("lr %g: %s; %s.", lr, hills(part), fig.hillsAlong(part, betas))
		f.sayUndrawn(fmt.Sprintf("lr %g", lr), chart, i)
		f.say("lr %g: the best test accuracy of a run is %s above the mean of its last tenth: the bias of a maximum over noisy steps, and whatever the accuracy has lost since.",
			lr, withInterval(difference(meanOfEach(rows[1]), meanOfEach(rows[3]))))
	}
	for i, c := range paper.Curves {
		for panel, values := range [][]float64{c.Norm, scaled(c.Accuracy, 0.01)} {
			s := fig.pointsSeries(fmt.Sprintf("paper, lr %g", c.LR), paper.Beta, f.Scale, [][]float64{values}, 0, panel, i+len(lrs))
			s.Low, s.High, s.Bars, s.Line, s.Faint = nil, nil, false, true, true
			chart.Axes[panel].Series = append(chart.Axes[panel].Series, s)
		}
	}
	chart.Labels.Caption = fig.caption(f.Scale, chart)
	f.drawings, f.tables = []report.Drawing{chart}, []report.Table{table}
}

// panelNames are what the panels show.
var panelNames = []string{"largest norm of a step behind the first fall", "best test accuracy of a run", "excess of the norm at equal training loss", "mean test accuracy of the last tenth of the steps"}

// sayUndrawn names the panels in which the i-th curve has no point: relative to one beta, as they are below the paper's scale, numbers need one there.
func (f *Result) sayUndrawn(name string, c *report.Chart, i int) {
	for k, axes := range c.Axes {
		if counted(axes.Series[i].Y) == 0 {
			f.say("%s: no curve of the %s is drawn, as no seed has the number at the beta where the paper's points begin.", name, panelNames[k])
		}
	}
}

// caption says what is drawn, from above.
func (fig imageFigure) caption(s Scale, c *report.Chart) string {
	var shown []string
	for k, axes := range c.Axes {
		if !slices.ContainsFunc(axes.Series, func(s report.Series) bool { return counted(s.Y) > 0 }) {
			continue
		}
		name := "the " + panelNames[k]
		if k < 2 {
			name += ", with the paper's points (thin)"
		}
		shown = append(shown, name)
	}
	text := "From above: " + strings.Join(shown, "; ") + ". Means over the seeds that have the numbers, bands are 95% confidence intervals of three or more."
	if s == Paper {
		return text
	}
	return text + fmt.Sprintf(" Norms are relative to that of the same seed at the beta where the paper's points begin, and their means geometric; accuracies are differences from it: network and data are not the paper's. Every parameter adds 1e-4 to a norm, %.0f in all to the paper's, which presses its relative curves together; the networks here have fewer.", 1e-4*float64(fig.model.parameters))
}

// near returns the curve that stands beside ours: of our step size at the paper's scale, else of the same place among the step sizes, counted from the largest.
func (p paperFigure) near(s Scale, lr float64, place, of int) paperCurve {
	if s == Paper {
		for _, c := range p.Curves {
			if c.LR == lr {
				return c
			}
		}
	}
	return p.Curves[max(0, len(p.Curves)-of+place)]
}

// nearest returns the place of the value that is nearest to x.
func nearest(values []float64, x float64) int {
	best := 0
	for i, v := range values {
		if math.Abs(v-x) < math.Abs(values[best]-x) {
			best = i
		}
	}
	return best
}

func scaled(values []float64, by float64) []float64 {
	var out []float64
	for _, v := range values {
		out = append(out, by*v)
	}
	return out
}

// meanOfEach is that of each row, without what is missing.
func meanOfEach(rows [][]float64) []float64 {
	var out []float64
	for _, row := range rows {
		out = append(out, meanOfMeasured(row))
	}
	return out
}

func difference(a, b []float64) []float64 {
	var out []float64
	for i := range a {
		out = append(out, a[i]-b[i])
	}
	return out
}

func (fig imageFigure) pointsChart(s Scale) *report.Chart {
	against := fmt.Sprintf("memory 1/(1 - %s), in steps", fig.beta())
	labels := []string{"largest norm", "best test accuracy", "excess norm", "late test accuracy"}
	if s != Paper {
		labels = []string{"largest norm, relative", "best accuracy, gain", "excess norm, relative", "late accuracy, gain"}
	}
	c := &report.Chart{Height: 2.3, Labels: report.Label{Name: fig.name(), Title: fmt.Sprintf("Figure %d: %s", fig.number, fig.title)}}
	for i, label := range labels {
		c.Axes = append(c.Axes, report.Axes{X: against, Y: label, LogX: true, LogY: s != Paper && i%2 == 0})
	}
	return c
}

// pointsSeries draws rows of seeds against the beta: a norm, in the first and the third panel, over that at the place base, an accuracy less it, but at the paper's
// scale as they are.
func (fig imageFigure) pointsSeries(name string, betas []float64, s Scale, rows [][]float64, base, panel, look int) report.Series {
	x := make([]float64, len(betas))
	for k, b := range betas {
		x[k] = 1 / (1 - b)
	}
	shown, of := rows, intervals
	switch norms := panel%2 == 0; {
	case s == Paper:
	case norms:
		shown, of = relative(rows, base), geometricIntervals
	default:
		shown = less(rows, base)
	}
	mean, low, high := of(transpose(shown))
	for k, column := range transpose(shown) {
		if counted(column) < leastInBand { // the interval of two is a dozen times as wide as they are apart
			low[k], high[k] = math.NaN(), math.NaN()
		}
	}
	return report.Series{Name: name, X: x, Y: mean, Low: low, High: high, Line: true, Marks: true, Color: look, Mark: look, Dash: look}
}

// leastInBand is of how many seeds intervals are drawn, at least.
const leastInBand = 3

// less subtracts from each row one of its numbers.
func less(rows [][]float64, base int) [][]float64 {
	out := make([][]float64, len(rows))
	for i, row := range rows {
		for _, v := range row {
			out[i] = append(out[i], v-row[base])
		}
	}
	return out
}

// curveOf is what of each run is drawn along training.
type curveOf struct {
	label string
	of    func(*trial) []float64
	log   bool
}

// column is a column of the record as a curve.
func column(label, name string) curveOf {
	return curveOf{label: label, of: func(t *trial) []float64 { return t.column(name) }}
}

// onLog has it on a logarithmic axis.
func (c curveOf) onLog() curveOf { c.log = true; return c }

// curves draws columns along training.
func (fig imageFigure) curves(ts trials, of []curveOf) *report.Chart {
	c := &report.Chart{Height: 2.2, Labels: report.Label{
		Name: fig.name(), Title: fmt.Sprintf("Figure %d: %s", fig.number, fig.title),
		Caption: fmt.Sprintf("Against the step, which is an epoch, for several %s: means over seeds, geometric ones on logarithmic axes, bands are 95%% confidence intervals, cut off at 0.", fig.beta()),
	}}
	for _, curve := range of {
		axes := report.Axes{X: "step", Y: curve.label, LogX: true, LogY: curve.log}
		for i, beta := range ts.numbers(fig.varied) {
			s := curveOver(ts.where(fig.varied, beta), curve.of, averageOn(curve.log))
			s.Name, s.Color, s.Dash, s.Line = fmt.Sprintf("%s = %.4g", fig.beta(), beta), i, i, true
			if !curve.log {
				cutOff(s.Low)
			}
			axes.Series = append(axes.Series, s)
		}
		c.Axes = append(c.Axes, axes)
	}
	return c
}

// cutOff raises the lower ends of intervals to 0: norms, losses and accuracies are not negative.
func cutOff(low []float64) {
	for k, v := range low {
		low[k] = math.Max(v, 0)
	}
}

// endTable says where the runs end.
func (fig imageFigure) endTable(s Scale, ts trials) report.Table {
	measures := imageMeasures(s)
	table := report.Table{
		Caption: "Means over seeds with 95% confidence intervals",
		Header:  []string{fig.beta(), "loss at the end", measures[0].label, "norm at the end", measures[1].label, measures[3].label},
	}
	for _, beta := range ts.numbers(fig.varied) {
		part := ts.where(fig.varied, beta)
		table.Rows = append(table.Rows, []string{
			fmt.Sprintf("%.5g", beta), withInterval(ends(part, "loss")), withInterval(each(part, measures[0].of)), withInterval(ends(part, "perturbed_norm")),
			withInterval(each(part, measures[1].of)), withInterval(each(part, measures[3].of)),
		})
	}
	return table
}
