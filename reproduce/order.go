package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"shadowflow/experiment/sweep"
	"shadowflow/report"
)

func order() *Reproduction {
	return &Reproduction{
		Name:  "order",
		Title: "Convergence of the modified equations on a network with real data",
		Claim: "The distance between Adam's iterates and the modified equation of order r falls like lr^r over a fixed span of time (lr times steps): order 1, the limit without bias, like lr; order 2, with the bias, like lr^2.",
		Design: "A tanh network in float64 on 300 images, full batch, from an empty memory; the equations are exact in the step number and integrated from the same start. " +
			"The error is the largest two-norm of the difference over the span; the slope between the two smallest lr must lie above r - " + short(report.SlopeMargin) + ", by a t-test over seeds. " +
			"A second choice of betas, nearer to practice, shows at which lr the asymptotic range begins.",
		sweeps: func(s Scale) []sweep.Spec {
			return []sweep.Spec{
				orderSweep(s, "order-short-memory", 0.5, 0.7, []float64{2e-3, 1e-3, 5e-4, 2.5e-4, 1.25e-4}, []int{20, 40, 80, 160, 320}),
				orderSweep(s, "order-long-memory", 0.9, 0.95, []float64{1e-3, 1e-4, 5e-5, 2.5e-5, 1.25e-5}, []int{10, 100, 200, 400, 800}),
			}
		},
		Changed: []string{earlier},
		hypotheses: func(Scale) []Hypothesis {
			var out []Hypothesis
			for r := 1; r <= 2; r++ {
				out = append(out, Hypothesis{
					Name: fmt.Sprintf("order %d", r), Claim: fmt.Sprintf("The error of order %d falls like lr^%d at betas 0.5, 0.7", r, r),
					Measure: fmt.Sprintf("slope between the two smallest lr, less %g", float64(r)-report.SlopeMargin), Test: Mean, Direction: Up,
				})
			}
			return out
		},
		judge: func(_ context.Context, f *Result, sweeps []trials) error { judgeOrder(f, sweeps); return nil },
	}
}

// orderSweep follows the equations at several lr over the same span of time.
func orderSweep(s Scale, name string, beta1, beta2 float64, lr []float64, steps []int) sweep.Spec {
	return sweep.Spec{
		Name: name,
		Base: settings{
			set("dtype", "float64"), set("data.subset", 300), set("model.hidden", []int{32}), set("beside", []string{"memoryless-1", "memoryless-2"}), set("flow.start", 0),
			set("optimizer.beta1", beta1), set("optimizer.beta2", beta2), set("optimizer.eps", 1e-4),
			set("record.bias", 0), set("record.sharpness", 0), set("record.state", 0), set("record.test", 0),
		},
		Zip:   settings{set("optimizer.lr", lr), set("steps", steps)},
		Seeds: sweep.Seeds(pick(s, 3, 5, 5)),
	}
}

func judgeOrder(f *Result, sweeps []trials) {
	chart := &report.Chart{
		Height: 3,
		Labels: report.Label{
			Name: "order", Title: "Distance between iterates and modified equations",
			Caption: "Largest two-norm of the difference over a fixed span of time against lr, means over seeds; bands are 95% confidence intervals. Thin lines have the slopes 1 and 2 through the last points. Above, beta1 = 0.5, beta2 = 0.7; below, beta1 = 0.9, beta2 = 0.95, eps = 1e-4 in both.",
		},
	}
	table := report.Table{Caption: "Slopes between neighbouring lr, means over seeds with 95% confidence intervals", Header: []string{"betas", "order", "lr", "error", "slope to the next lr"}}
	for i, ts := range sweeps {
		lrs := ts.numbers("optimizer.lr")
		betas := fmt.Sprintf("%g, %g", ts[0].number("optimizer.beta1"), ts[0].number("optimizer.beta2"))
		axes := report.Axes{X: "lr", Y: "largest distance", LogX: true, LogY: true, TicksX: lrs}
		for r := 1; r <= 2; r++ {
			errs := ts.matrix("optimizer.lr", func(t *trial) float64 {
				if !t.good() {
					return math.NaN()
				}
				return sweep.Largest(t.column(fmt.Sprintf("memoryless-%d.distance", r)))
			})
			slopes := slopesOf(lrs, errs)
			last := transpose(slopes)[len(lrs)-2]
			f.say("Betas %s, order %d: between lr %g and %g the error falls like lr^(%s).", betas, r, lrs[len(lrs)-2], lrs[len(lrs)-1], withInterval(last))
			if i == 0 {
				above := slices.Clone(last)
				floats.AddConst(report.SlopeMargin-float64(r), above)
				f.giveEach(fmt.Sprintf("order %d", r), above)
			}
			axes.Series = append(axes.Series, orderSeries(r, lrs, errs)...)
			for k, lr := range lrs {
				slope := ""
				if k < len(lrs)-1 {
					slope = withInterval(transpose(slopes)[k])
				}
				table.Rows = append(table.Rows, []string{betas, fmt.Sprint(r), fmt.Sprint(lr), withInterval(transpose(errs)[k]), slope})
			}
		}
		chart.Axes = append(chart.Axes, axes)
	}
	f.drawings, f.tables = []report.Drawing{chart}, []report.Table{table}
}

// slopesOf returns, for each row of errors, the slopes of its logarithm between neighbouring step sizes.
func slopesOf(lr []float64, errs [][]float64) [][]float64 {
	out := make([][]float64, len(errs))
	for i, row := range errs {
		for k := 1; k < len(lr); k++ {
			out[i] = append(out[i], math.Log(row[k-1]/row[k])/math.Log(lr[k-1]/lr[k]))
		}
	}
	return out
}

func orderSeries(r int, lr []float64, errs [][]float64) []report.Series {
	mean, low, high := intervals(transpose(errs))
	law := report.PowerLaw(lr, mean, float64(r))
	law.Legend, law.Unlisted = "slopes 1, 2", r != 2
	return []report.Series{law, {
		Name: fmt.Sprintf("order %d", r), X: lr, Y: mean, Low: low, High: high, Line: true, Marks: true, Color: r - 1, Mark: r - 1,
	}}
}
