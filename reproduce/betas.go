package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
	"shadowflow/report"
	"shadowflow/schema"
)

// targetLoss is the training loss at which norms are compared.
const targetLoss = 0.01

func normVsBeta2() *Reproduction {
	return &Reproduction{
		Name:  "norm-vs-beta2",
		Title: "The norm of the gradient against beta2",
		Claim: "At equal training loss, a larger beta2 leaves a larger perturbed one-norm of the gradient, and a lower test accuracy (beta1 fixed; the paper's rho is beta2).",
		Design: "Full-batch Adam at several step sizes and beta2, each with the same seeds. Each run stops where its training loss first is below " +
			"0.01; there the excess of the norm is compared. Page's test asks whether it rises with beta2 within each seed, at each lr; the test accuracy is judged in the same way.",
		sweeps: func(s Scale) []sweep.Spec {
			return []sweep.Spec{betaSweep(s, "norm-vs-beta2", "optimizer.beta2", []float64{0.9, 0.95, 0.98, 0.99, 0.995, 0.999})}
		},
		judge: func(_ context.Context, sweeps []trials) (*Result, error) {
			return judgeBeta(sweeps[0], "beta2", rising)
		},
	}
}

func normVsBeta1() *Reproduction {
	return &Reproduction{
		Name:  "norm-vs-beta1",
		Title: "The norm of the gradient against beta1",
		Claim: "At equal training loss, a larger beta1 leaves a smaller perturbed one-norm of the gradient, and a higher test accuracy (beta2 fixed; the paper's beta is beta1).",
		Design: "Full-batch Adam at several step sizes and beta1, beta2 = 0.99, each with the same seeds. Each run stops where its training loss first is " +
			"below 0.01; there the excess of the norm is compared. Page's test asks whether it falls with beta1 within each seed, at each lr; the test accuracy is judged in the same way.",
		sweeps: func(s Scale) []sweep.Spec {
			return []sweep.Spec{
				betaSweep(s, "norm-vs-beta1", "optimizer.beta1", []float64{0.1, 0.5, 0.8, 0.9, 0.97}, set("optimizer.beta2", 0.99)),
			}
		},
		judge: func(_ context.Context, sweeps []trials) (*Result, error) {
			return judgeBeta(sweeps[0], "beta1", falling)
		},
	}
}

// betaSweep varies one beta at several step sizes.
func betaSweep(s Scale, name, key string, betas []float64, base ...schema.Setting) sweep.Spec {
	return sweep.Spec{
		Name: name,
		Base: slices.Concat(problem(s), base, settings{
			set("steps", pick(s, 6000, 10_000, 20_000)), set("stop.loss", targetLoss),
			set("record.bias", pick(s, 50, 100, 500)), set("record.sharpness", 0), set("record.state", 0), set("record.test", pick(s, 5, 20, 50)),
		}),
		Grid: settings{
			set("optimizer.lr", pick(s, []float64{3e-4, 1e-3, 2e-3}, []float64{1e-4, 3e-4}, []float64{7.5e-5, 1e-4})), set(key, betas),
		},
		Seeds: sweep.Seeds(pick(s, 5, 3, 3)), AtLoss: []float64{targetLoss},
	}
}

// judgeBeta compares norm and accuracy over the values of a beta at each step size.
func judgeBeta(ts trials, name string, norm direction) (*Result, error) {
	f := &Result{}
	key := "optimizer." + name
	table := report.Table{
		Caption: fmt.Sprintf("Means over seeds with 95%% confidence intervals, where the training loss first is below %g", targetLoss),
		Header:  []string{"lr", name, "excess norm", "relative to the first", "test accuracy", "steps", "seeds"},
	}
	chart := betaChart(name)
	var parts []evidence // of norm and accuracy at each lr
	var says []func(norm, accuracy Outcome) string
	for i, lr := range ts.numbers("optimizer.lr") {
		part := ts.where("optimizer.lr", lr)
		excess := part.matrix(key, func(t *trial) float64 { return t.at("excess", targetLoss) })
		accuracy := part.matrix(key, func(t *trial) float64 { return t.at("test_accuracy", targetLoss) })
		n, a := stats.PageTrend(excess), stats.PageTrend(accuracy)
		parts = append(parts, norm.of(n), (-norm).of(a))
		accuracyChange := stats.PairedT(lastLessFirst(accuracy))
		says = append(says, func(ofNorm, ofAccuracy Outcome) string {
			return fmt.Sprintf("lr %g: the norm %s with %s: %s (Page's L = %g over %s, p = %s, %s the other way; mean rank correlation %.2f), %s. The test accuracy %s: %s (p = %s, %s the other way; correlation %.2f), from the first to the last %s.",
				lr, norm, name, ofNorm, n.L, plural.Of(n.Blocks, "seed"), stats.Probability(norm.of(n).with), stats.Probability(norm.of(n).against), n.Rho, growth(excess),
				-norm, ofAccuracy, stats.Probability((-norm).of(a).with), stats.Probability((-norm).of(a).against), a.Rho, accuracyChange)
		})
		if n := part.unsteady(); n > 0 {
			f.say("lr %g: %d of %d runs are not monotone: there the modified equation is not to be trusted.", lr, n, len(part))
		}
		steps := part.matrix(key, func(t *trial) float64 { return t.at("step", targetLoss) })
		addBeta(chart, &table, i, lr, part.numbers(key), excess, accuracy, steps)
	}
	var norms, accuracies []Outcome
	each := judged(parts...)
	for i, say := range says {
		norms, accuracies = append(norms, each[2*i]), append(accuracies, each[2*i+1])
		f.say("%s", say(each[2*i], each[2*i+1]))
	}
	f.sayCorrected(len(each))
	f.Outcome = all(all(norms...), all(accuracies...))
	f.Verdict = fmt.Sprintf("What is claimed of the norm %s; what is claimed of the test accuracy %s.", said(all(norms...)), said(all(accuracies...)))
	f.Figures, f.Tables = []report.Drawing{chart}, []report.Table{table}
	return f, nil
}

func betaChart(name string) *report.Chart {
	x := fmt.Sprintf("memory 1/(1 - %s), in steps", name)
	return &report.Chart{
		Labels: report.Label{
			Name: "norm-vs-" + name, Title: fmt.Sprintf("Norm and test accuracy against %s, at training loss %g", name, targetLoss),
			Caption: fmt.Sprintf("Above, the excess of the perturbed one-norm where the training loss first is below %g: means over seeds, bars are 95%% confidence "+
				"intervals. In the middle, the same divided by the norm that the same seed has at the smallest %s, which takes the spread between seeds out. Below, the test accuracy there.", targetLoss, name),
		},
		Axes: []report.Axes{
			{X: x, Y: "excess norm", LogX: true}, {X: x, Y: "relative to the smallest", LogX: true}, {X: x, Y: "test accuracy", LogX: true},
		},
	}
}

func addBeta(c *report.Chart, table *report.Table, i int, lr float64, betas []float64, excess, accuracy, steps [][]float64) {
	x := make([]float64, len(betas))
	for k, b := range betas { // a nudge along the axis keeps the bars of different step sizes apart
		x[k] = 1 / (1 - b) * math.Pow(1.03, float64(i))
	}
	columns := [][][]float64{transpose(excess), transpose(relative(excess)), transpose(accuracy)}
	for panel, rows := range columns {
		mean, low, high := intervals(rows)
		c.Axes[panel].Series = append(c.Axes[panel].Series, report.Series{
			Name: fmt.Sprintf("lr %g", lr), X: x, Y: mean, Low: low, High: high, Color: i, Dash: i, Mark: i, Line: true, Marks: true, Bars: true,
		})
	}
	for k := range betas {
		table.Rows = append(table.Rows, []string{
			fmt.Sprint(lr), fmt.Sprint(betas[k]), withInterval(columns[0][k]), withInterval(columns[1][k]), withInterval(columns[2][k]), withInterval(transpose(steps)[k]), fmt.Sprint(counted(columns[0][k])),
		})
	}
}

// lastLessFirst returns the difference within each row.
func lastLessFirst(rows [][]float64) []float64 {
	var out []float64
	for _, row := range rows {
		out = append(out, row[len(row)-1]-row[0])
	}
	return out
}
