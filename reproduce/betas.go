package reproduce

import (
	"context"
	"fmt"
	"slices"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
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
			"0.01; there the excess of the norm is compared. At each lr it is asked whether within seeds it rises with beta2; the test accuracy is judged in the same way.",
		sweeps: func(s Scale) []sweep.Spec {
			return []sweep.Spec{betaSweep(s, "norm-vs-beta2", "optimizer.beta2", []float64{0.9, 0.95, 0.98, 0.99, 0.995, 0.999})}
		},
		Changed:    []string{earlier, bySeeds},
		hypotheses: func(s Scale) []Hypothesis { return betaHypotheses(s, "beta2", Up) },
		judge: func(_ context.Context, f *Result, sweeps []trials) error {
			judgeBeta(f, sweeps[0], "beta2")
			return nil
		},
	}
}

func normVsBeta1() *Reproduction {
	return &Reproduction{
		Name:  "norm-vs-beta1",
		Title: "The norm of the gradient against beta1",
		Claim: "At equal training loss, a larger beta1 leaves a smaller perturbed one-norm of the gradient, and a higher test accuracy (beta2 fixed; the paper's beta is beta1).",
		Design: "Full-batch Adam at several step sizes and beta1, beta2 = 0.99, each with the same seeds. Each run stops where its training loss first is " +
			"below 0.01; there the excess of the norm is compared. At each lr it is asked whether within seeds it falls with beta1; the test accuracy is judged in the same way.",
		sweeps: func(s Scale) []sweep.Spec {
			return []sweep.Spec{
				betaSweep(s, "norm-vs-beta1", "optimizer.beta1", []float64{0.1, 0.5, 0.8, 0.9, 0.97}, set("optimizer.beta2", 0.99)),
			}
		},
		Changed:    []string{earlier, bySeeds},
		hypotheses: func(s Scale) []Hypothesis { return betaHypotheses(s, "beta1", Down) },
		judge: func(_ context.Context, f *Result, sweeps []trials) error {
			judgeBeta(f, sweeps[0], "beta1")
			return nil
		},
	}
}

// betaLRs are the step sizes.
func betaLRs(s Scale) []float64 {
	return pick(s, []float64{3e-4, 1e-3, 2e-3}, []float64{3e-4, 1e-3}, []float64{7.5e-5, 1e-4})
}

// betaHypotheses are those of norm and accuracy at each step size.
func betaHypotheses(s Scale, beta string, norm Direction) []Hypothesis {
	var out []Hypothesis
	for _, lr := range betaLRs(s) {
		at := fmt.Sprintf(" at lr %g", lr)
		out = append(out,
			Hypothesis{
				Name: "norm" + at, Claim: fmt.Sprintf("The norm %s with %s%s", norm.word("rises", "falls"), beta, at), Measure: fmt.Sprintf("excess norm at training loss %g", targetLoss),
				Test: Trend, Direction: norm, Least: 0.2,
			},
			Hypothesis{
				Name: "accuracy" + at, Claim: fmt.Sprintf("The test accuracy %s with %s%s", (-norm).word("rises", "falls"), beta, at),
				Measure: fmt.Sprintf("test accuracy at training loss %g", targetLoss), Test: Trend, Direction: -norm, Least: 0.2,
			})
	}
	return out
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
			set("optimizer.lr", betaLRs(s)), set(key, betas),
		},
		Seeds: sweep.Seeds(pick(s, 5, 3, 3)), AtLoss: []float64{targetLoss},
	}
}

// judgeBeta compares norm and accuracy over the values of a beta at each step size.
func judgeBeta(f *Result, ts trials, name string) {
	key := "optimizer." + name
	table := report.Table{
		Caption: fmt.Sprintf("Means over seeds with 95%% confidence intervals, where the training loss first comes down to %g, interpolated between two steps", targetLoss),
		Header:  []string{"lr", name, "excess norm", "relative to the first", "test accuracy", "steps", "seeds"},
	}
	chart := betaChart(name)
	for i, lr := range ts.numbers("optimizer.lr") {
		part := ts.where("optimizer.lr", lr)
		excess := part.matrix(key, func(t *trial) float64 { return t.at("excess", targetLoss) })
		accuracy := part.matrix(key, func(t *trial) float64 { return t.at("test_accuracy", targetLoss) })
		f.give(fmt.Sprintf("norm at lr %g", lr), excess)
		f.give(fmt.Sprintf("accuracy at lr %g", lr), accuracy)
		if n := part.unsteady(); n > 0 {
			f.say("lr %g: %d of %s are not monotone: there the modified equation is not to be trusted.", lr, n, plural.Count(len(part), "run"))
		}
		steps := part.matrix(key, func(t *trial) float64 { return t.at("step", targetLoss) })
		addBeta(chart, &table, i, lr, part.numbers(key), excess, accuracy, steps)
	}
	f.drawings, f.tables = []report.Drawing{chart}, []report.Table{table}
}

func betaChart(name string) *report.Chart {
	x := fmt.Sprintf("memory 1/(1 - %s), in steps", name)
	return &report.Chart{
		Labels: report.Label{
			Name: "norm-vs-" + name, Title: fmt.Sprintf("Norm and test accuracy against %s, at training loss %g", name, targetLoss),
			Caption: fmt.Sprintf("Above, the excess of the perturbed one-norm where the training loss first comes down to %g, interpolated between two steps: means over seeds, bands are 95%% confidence "+
				"intervals. In the middle, the same divided by the norm that the same seed has at the smallest %s, which takes the spread between seeds out. Below, the test accuracy there.", targetLoss, name),
		},
		Axes: []report.Axes{
			{X: x, Y: "excess norm (loss/parameter)", LogX: true}, {X: x, Y: "relative to the smallest", LogX: true}, {X: x, Y: "test accuracy", LogX: true},
		},
	}
}

func addBeta(c *report.Chart, table *report.Table, i int, lr float64, betas []float64, excess, accuracy, steps [][]float64) {
	x := make([]float64, len(betas))
	for k, b := range betas {
		x[k] = 1 / (1 - b)
	}
	columns := [][][]float64{transpose(excess), transpose(relative(excess, 0)), transpose(accuracy)}
	for panel, rows := range columns {
		mean, low, high := intervals(rows)
		c.Axes[panel].Series = append(c.Axes[panel].Series, report.Series{
			Name: fmt.Sprintf("lr %g", lr), X: x, Y: mean, Low: low, High: high, Color: i, Dash: i, Mark: i, Line: true, Marks: true,
		})
	}
	for k := range betas {
		table.Rows = append(table.Rows, []string{
			fmt.Sprint(lr), fmt.Sprint(betas[k]), withInterval(columns[0][k]), withInterval(columns[1][k]), withInterval(columns[2][k]), withInterval(transpose(steps)[k]), fmt.Sprint(counted(columns[0][k])),
		})
	}
}
