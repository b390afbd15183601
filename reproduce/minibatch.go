package reproduce

import (
	"context"
	"fmt"
	"math"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/stats"
	"shadowflow/report"
)

func minibatch() *Reproduction {
	return &Reproduction{
		Name:  "minibatch",
		Title: "Mini-batches: does the prediction survive, and what does the noise explain?",
		Claim: "With mini-batches of 1/2, 1/8 and 1/32 of the data too, the norm of the full gradient at equal training loss rises with beta2.",
		Design: "Adam with the full batch and with shuffled mini-batches at several beta2. At full training loss 0.05 the excess norm of the full gradient is compared within seeds, for each size. " +
			"Beside it the noise of the batches' gradients, B_simple/b, is recorded (B_simple = tr Sigma / ||g||^2, Sigma being the covariance of one example's gradient); linear regressions of the norm's logarithm, seeds' means taken out, on the logarithm of the memory 1/(1 - beta2), on that of one more than the noise, and on both, say how much of its variance each explains (R^2).",
		sweeps: func(s Scale) []sweep.Spec {
			spec := sweep.Spec{
				Name: "minibatch",
				Base: append(problem(s), set("steps", pick(s, 700, 5000, 20_000)), set("record.bias", 5),
					set("record.sharpness", 50), set("record.test", 0)),
				List:  []settings{{set("batch.mode", "full")}},
				Grid:  settings{set("optimizer.beta2", []float64{0.9, 0.95, 0.99, 0.999})},
				Seeds: sweep.Seeds(pick(s, 4, 3, 3)),
			}
			for _, size := range minibatchSizes(s) {
				spec.List = append(spec.List, settings{set("batch.mode", "shuffled"), set("batch.size", size)})
			}
			return []sweep.Spec{spec}
		},
		Changed: []string{earlier, bySeeds},
		hypotheses: func(s Scale) []Hypothesis {
			var out []Hypothesis
			for _, size := range append([]any{nil}, minibatchSizes(s)...) {
				name := batchName(size)
				out = append(out, Hypothesis{
					Name: name, Claim: capital(name) + ": the norm of the full gradient rises with beta2", Measure: fmt.Sprintf("excess norm of the full gradient at full training loss %g", noiseLoss),
					Test: Trend, Direction: Up, Least: 0.2,
				})
			}
			return out
		},
		judge: func(_ context.Context, f *Result, sweeps []trials) error { judgeMinibatch(f, sweeps[0]); return nil },
	}
}

// minibatchSizes are a half, an eighth and a thirty-second of the examples.
func minibatchSizes(s Scale) []any {
	examples := pick(s, 1297, 2000, 50_000)
	return []any{examples / 2, examples / 8, examples / 32}
}

// batchName names a size, nil being that of the full batch.
func batchName(size any) string {
	if size == nil {
		return "full batch"
	}
	return fmt.Sprintf("batches of %d", size)
}

// noiseLoss is the training loss at which mini-batches are compared: noise keeps them from much lower ones.
const noiseLoss = 0.05

// noiseOf is B_simple/b of the batches that the run steps with, near the loss; 0 for the full batch.
func noiseOf(t *trial) float64 {
	if !t.Run.Config.Batch.Mini() {
		return 0
	}
	return t.at("noise_scale", noiseLoss) / t.at("noise_batch", noiseLoss)
}

func judgeMinibatch(f *Result, ts trials) {
	const key = "optimizer.beta2"
	chart := &report.Chart{
		Labels: report.Label{
			Name: "minibatch", Title: "Norm of the full gradient with mini-batches",
			Caption: fmt.Sprintf("Above, the excess norm of the full gradient where the full training loss first comes down to %g, interpolated between two measurements, divided by that of the same seed with the full batch and beta2 = 0.9; below, the noise of the batches' gradients there. Means over seeds, of relative norms geometric ones, bands are 95%% confidence intervals.", noiseLoss),
		},
		Axes: []report.Axes{
			{X: "memory 1/(1 - beta2), in steps", Y: "relative norm", LogX: true, LogY: true},
			{X: "memory 1/(1 - beta2), in steps", Y: "noise B_simple/b", LogX: true, LogY: true},
		},
	}
	table := report.Table{Caption: "Means over seeds with 95% confidence intervals", Header: []string{"batch", "beta2", "norm of the full gradient", "noise"}}
	sizes := ts.values("batch.size")
	base := ts.where("batch.size", sizes[0]).where(key, ts.numbers(key)[0])
	for i, size := range sizes {
		part := ts.where("batch.size", size)
		name := batchName(size)
		norm := func(t *trial) float64 {
			if !t.good() {
				return math.NaN()
			}
			return sweep.AtLoss(t.losses(), t.norms(), noiseLoss)
		}
		norms := part.matrix(key, norm)
		noise := part.matrix(key, noiseOf)
		first := base.matrix(key, norm)
		related := make([][]float64, len(norms))
		for r, row := range norms {
			for _, v := range row {
				related[r] = append(related[r], v/first[r][0])
			}
		}
		f.give(name, norms)
		x := part.numbers(key)
		for k, b := range x {
			x[k] = 1 / (1 - b)
			table.Rows = append(table.Rows, []string{name, fmt.Sprint(b), withInterval(transpose(norms)[k]), withInterval(transpose(noise)[k])})
		}
		for panel, rows := range [][][]float64{transpose(related), transpose(noise)} {
			mean, low, high := averageOn(panel == 0)(rows) // the full batch has a noise of 0
			chart.Axes[panel].Series = append(chart.Axes[panel].Series, report.Series{
				Name: name, X: x, Y: mean, Low: low, High: high, Line: true, Marks: true, Color: i, Mark: i, Dash: i,
			})
		}
	}
	memory, noise, both := explained(ts)
	f.say("Of the variance of the norm's logarithm within seeds, over all batches, the memory alone explains %.0f%%, the noise alone %.0f%%, both together %.0f%%: what the noise adds to beta2 is %.0f%%. The size of the batch, with which most of the noise comes, is not taken out.",
		100*memory, 100*noise, 100*both, 100*(both-memory))
	f.drawings, f.tables = []report.Drawing{chart}, []report.Table{table}
}

// explained returns the parts of the variance of the norm's logarithm within seeds that memory, noise, and both explain.
func explained(ts trials) (memory, noise, both float64) {
	var y, m, x []float64
	for _, seed := range ts.values("seed") {
		var rows [][3]float64
		for _, t := range ts.where("seed", seed) {
			if !t.good() {
				continue
			}
			v := sweep.AtLoss(t.losses(), t.norms(), noiseLoss)
			row := [3]float64{math.Log(v), math.Log(1 / (1 - t.number("optimizer.beta2"))), math.Log1p(noiseOf(t))}
			if s := row[0] + row[1] + row[2]; !math.IsNaN(s) && !math.IsInf(s, 0) {
				rows = append(rows, row)
			}
		}
		var mean [3]float64
		for _, row := range rows {
			for i, v := range row {
				mean[i] += v / float64(len(rows))
			}
		}
		for _, row := range rows {
			y, m, x = append(y, row[0]-mean[0]), append(m, row[1]-mean[1]), append(x, row[2]-mean[2])
		}
	}
	return stats.RSquared(y, m), stats.RSquared(y, x), stats.RSquared(y, m, x)
}
