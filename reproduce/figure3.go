package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/report"
)

// figure3Plateau is where the paper's curves of order 2 end at small step sizes.
const figure3Plateau = 2.98e-7

// The step sizes of the paper's figure, and a smaller one, at which rounding is all that is left of the distance.
var (
	figure3LR    = []float64{1e-6, 3e-6, 1e-5}
	figure3Small = 1e-7
)

func figure3() *Reproduction {
	return &Reproduction{
		Name:  "figure-3",
		Title: "Figure 3: how far Adam is from the iterations without its memory",
		Claim: "Adam stays nearer to the iteration theta - lr F - lr^2 C, which has its memory's second-order term, than to theta - lr F, which has none. That the paper's distances do not fall below 3e-7 is rounding of the weights in float32: in float64 they do.",
		Design: "A network 784-32-32-10 with GELU on the first 10,000 images (of Fashion-MNIST, where its files are found; else on the digits, of 64 pixels), full batch, betas 0.9 and 0.95, eps = 1e-6, 100 steps, at the three step sizes of the paper's figure and at a tenth of the smallest; each in float32, like the paper, and in float64, from six seeds. " +
			"The measure is the largest difference of a parameter, at any step. Sign tests over seeds ask whether order 2 is nearer than order 1 in most runs of a seed, at the paper's step sizes in float64, and whether, at the smallest step size, the distance of order 2 in float32 is more than 10 times that in float64 and within a factor of 10 of 2.98e-7.",
		sweeps: func(Scale) []sweep.Spec {
			return []sweep.Spec{{
				Name: "figure-3",
				Base: slices.Concat(figure3Data(), settings{
					set("steps", 100), set("model.hidden", []int{32, 32}), set("model.activation", "gelu"),
					set("optimizer.beta1", 0.9), set("optimizer.beta2", 0.95), set("optimizer.eps", 1e-6), set("beside", []string{"iteration-1", "iteration-2"}), set("flow.start", 0),
					set("record.every", 1), set("record.bias", 0), set("record.sharpness", 0), set("record.state", 0), set("record.test", 0),
				}),
				Grid:  settings{set("dtype", []string{"float32", "float64"}), set("optimizer.lr", append([]float64{figure3Small}, figure3LR...))},
				Seeds: sweep.Seeds(6), // sign tests of five could not decide two hypotheses
			}}
		},
		Changed: []string{earlier, "all 10,000 images at each scale were taken after a result of 1,000 others had been looked at."},
		hypotheses: func(Scale) []Hypothesis {
			return []Hypothesis{
				{Name: "nearer", Claim: "Order 2 is nearer to the iterates than order 1", Measure: "runs in float64 at the paper's step sizes", Test: Majority, Direction: Up},
				{
					Name: "rounded", Claim: fmt.Sprintf("At lr %g the distance of order 2 is rounding in float32, near the paper's plateau, and less than a tenth of it in float64", figure3Small),
					Measure: "runs in float32 there", Test: Majority, Direction: Up,
				},
			}
		},
		judge: func(_ context.Context, f *Result, sweeps []trials) error { judgeFigure3(f, sweeps[0]); return nil },
	}
}

func figure3Data() settings {
	if haveFashion() {
		return append(fashionData(10_000), set("data.subset_first", true))
	}
	return nil
}

// farthest is the largest difference of a parameter from the iteration of an order, at any step.
func (t *trial) farthest(order int) float64 {
	if !t.good() {
		return math.NaN()
	}
	return sweep.Largest(t.column(fmt.Sprintf("iteration-%d.largest", order)))
}

// rounding asks of runs in float32 whether the distance of an order is ten times that of the same seed in float64, or more, and near the paper's plateau.
func rounding(order int, double trials) func(*trial) (yes, counts bool) {
	larger := isLarger(order, double)
	return func(t *trial) (yes, counts bool) {
		yes, counts = larger(t)
		return yes && nearThePlateau(t.farthest(order)), counts
	}
}

// isLarger asks of runs in float32 whether the distance of an order is ten times that of the same seed in float64, or more.
func isLarger(order int, double trials) func(*trial) (yes, counts bool) {
	exact := map[any]float64{} // by seed
	for _, t := range double {
		exact[t.Run.Config.Get("seed")] = t.farthest(order)
	}
	return func(t *trial) (yes, counts bool) {
		far, exact := t.farthest(order), exact[t.Run.Config.Get("seed")]
		return far > 10*exact, !math.IsNaN(far + exact)
	}
}

// nearThePlateau reports whether a distance is within a factor of ten of the paper's.
func nearThePlateau(far float64) bool { return far > figure3Plateau/10 && far < figure3Plateau*10 }

func judgeFigure3(f *Result, ts trials) {
	double := ts.where("dtype", "float64")
	f.give("nearer", votes(double, func(t *trial) (yes, counts bool) {
		first, second := t.farthest(1), t.farthest(2)
		return second < first, slices.Contains(figure3LR, t.number("optimizer.lr")) && !math.IsNaN(first+second)
	}))
	small := ts.where("optimizer.lr", figure3Small)
	single := small.where("dtype", "float32")
	f.give("rounded", votes(single, rounding(2, small.where("dtype", "float64"))))
	for order := 2; order >= 1; order-- {
		far := func(lr float64, precision string) []float64 {
			return each(ts.where("optimizer.lr", lr).where("dtype", precision), func(t *trial) float64 { return t.farthest(order) })
		}
		f.say("At lr %g the distance of order %d is %s in float32 and %s in float64; the paper's plateau is %g.", figure3Small, order, withInterval(far(figure3Small, "float32")), withInterval(far(figure3Small, "float64")), figure3Plateau)
		var ratios []string
		for _, lr := range figure3LR {
			ratios = append(ratios, fmt.Sprintf("%.3g at lr %g", meanOfMeasured(far(lr, "float32"))/meanOfMeasured(far(lr, "float64")), lr))
		}
		f.say("At the paper's step sizes the distance of order %d in float32 is that in float64 times %s: a plateau would make it many times as large.", order, strings.Join(ratios, ", "))
	}
	larger, of := shareOfRuns(single, isLarger(2, small.where("dtype", "float64")))
	near, _ := shareOfRuns(single, func(t *trial) (yes, counts bool) { return nearThePlateau(t.farthest(2)), !math.IsNaN(t.farthest(2)) })
	f.say("At lr %g the distance of order 2 in float32 is more than ten times that in float64 in %.0f of %s, and within a factor of ten of the paper's plateau in %.0f; it is rounding, as is claimed, where both are so. At the smallest lr of the paper, %g, it is %s in float64.",
		figure3Small, larger*float64(of), plural.Count(of, "run"), near*float64(of), figure3LR[0], withInterval(each(double.where("optimizer.lr", figure3LR[0]), func(t *trial) float64 { return t.farthest(2) })))
	share, of := shareOfRuns(single, rounding(1, small.where("dtype", "float64")))
	f.say("By the same two conditions the distance of order 1 is rounding in %.0f of %s.", share*float64(of), plural.Count(of, "run"))
	if !haveFashion() {
		f.say("Fashion-MNIST was not found in %s: the runs are of the digits.", fashion)
	}
	f.drawings, f.tables = []report.Drawing{figure3Chart(ts)}, []report.Table{figure3Table(ts)}
}

func figure3Table(ts trials) report.Table {
	table := report.Table{
		Caption: "The largest difference of a parameter from the iterations, at any of 100 steps: means over seeds with 95% confidence intervals",
		Header:  []string{"precision", "lr", "order 1", "order 2"},
	}
	for _, precision := range ts.groups(func(t *trial) string { return t.Run.Value("dtype") }) {
		for _, lr := range precision.numbers("optimizer.lr") {
			row := []string{precision.name, fmt.Sprint(lr)}
			for order := 1; order <= 2; order++ {
				var far []float64
				for _, t := range precision.where("optimizer.lr", lr) {
					far = append(far, t.farthest(order))
				}
				row = append(row, withInterval(far))
			}
			table.Rows = append(table.Rows, row)
		}
	}
	return table
}

func figure3Chart(ts trials) *report.Chart {
	c := &report.Chart{Height: 3, Labels: report.Label{
		Name: "figure-3", Title: "Distance between Adam and the iterations without memory",
		Caption: "The largest difference of a parameter at each step, means over seeds: from theta - lr F (dashed) and from theta - lr F - lr² C (full lines). Above in float32, as the paper, where rounding may hold the curves of small step sizes up; below in float64, which has none of that size. Grey: 2.98e-7, where the paper's curves lie at the smallest step sizes.",
	}}
	for _, precision := range ts.groups(func(t *trial) string { return t.Run.Value("dtype") }) {
		axes := report.Axes{X: "step, " + precision.name, Y: "largest difference of a parameter", LogY: true}
		for i, lr := range precision.numbers("optimizer.lr") {
			for order := 2; order >= 1; order-- {
				s := meanCurve(precision.where("optimizer.lr", lr), func(t *trial) []float64 { return t.column(fmt.Sprintf("iteration-%d.largest", order)) })
				s.Low, s.High, s.Line, s.Color = nil, nil, true, i
				if s.Name = fmt.Sprintf("lr %g, order %d", lr, order); order == 1 {
					s.Dash = 1
				}
				axes.Series = append(axes.Series, s)
			}
		}
		plateau := report.Series{Name: "the paper's plateau", Line: true, Faint: true, X: []float64{1, 100}, Y: []float64{figure3Plateau, figure3Plateau}}
		axes.Series = append(axes.Series, plateau)
		c.Axes = append(c.Axes, axes)
	}
	return c
}
