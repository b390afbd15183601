package reproduce

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/stats"
	"shadowflow/report"
)

func hill() *Reproduction {
	return &Reproduction{
		Name:  "hill",
		Title: "The hill: rise and fall of the norm in training, and the bias underneath",
		Claim: "During training the perturbed one-norm rises and falls while the loss falls; the hill is the higher the larger beta2 is, because the bias raises the norm on the way up, and the more so the larger beta2 is.",
		Design: "Full-batch Adam at several beta2. dN/dt is split into the drive of the main term, -q.F, and that of the realized bias, of what each step has beyond the memoryless flow. " +
			"For each run: the height of the hill (largest excess norm less the first), and the change of the norm that the realized bias accounts for up to the top (the time integral of its drive), of runs whose norm rises at all. It is asked " +
			"whether height and integral rise with beta2 within seeds; a t-test over seeds of the integral's mean, whether the bias raises the norm up to the top or lowers it. The claim needs all four; the seeds, not the runs, are the evidence.",
		sweeps: func(s Scale) []sweep.Spec {
			return []sweep.Spec{{
				Name: "hill",
				Base: append(problem(s), set("steps", pick(s, 500, 3000, 20_000)), set("record.bias", pick(s, 2, 10, 20)),
					set("record.sharpness", 0), set("record.state", 0), set("record.test", 0)),
				Grid:  settings{set("optimizer.beta2", []float64{0.9, 0.95, 0.99, 0.999})},
				Seeds: sweep.Seeds(6),
			}}
		},
		Changed: []string{earlier, "That a run without a hill has no bias up to its top, which had counted as 0, and that a trend is decided only where its change from first to last has one sign, was set " +
			"after the runs at the laptop's scale had been looked at.", bySeeds},
		hypotheses: func(Scale) []Hypothesis {
			return []Hypothesis{
				{Name: "exists", Claim: "The norm rises above its start and ends below it", Measure: "runs", Test: Majority, Direction: Up},
				{Name: "height", Claim: "The hill is the higher the larger beta2 is", Measure: "largest excess norm less the first", Test: Trend, Direction: Up, Least: 0.2},
				{Name: "raises", Claim: "The realized bias raises the norm up to the top", Measure: "change of the norm by the realized bias, mean over beta2", Test: Mean, Direction: Up},
				{Name: "change", Claim: "What the realized bias accounts for up to the top rises with beta2", Measure: "change of the norm by the realized bias", Test: Trend, Direction: Up, Least: 0.2},
			}
		},
		judge: func(_ context.Context, f *Result, sweeps []trials) error { judgeHill(f, sweeps[0]); return nil },
	}
}

// A rise is a hill of the norm and what drives it.
type rise struct {
	height     float64 // largest excess norm less the first
	fell       bool    // the norm ended below its start
	main, bias float64 // integrals of the two drives from the start to the top, NaN where that is the start
	top        float64 // step
}

func riseOf(t *trial) rise {
	missing := rise{math.NaN(), false, math.NaN(), math.NaN(), math.NaN()}
	if !t.good() {
		return missing
	}
	steps, norms := t.column("step"), t.norms()
	if len(norms) == 0 {
		return missing
	}
	top := 0
	for i, v := range norms {
		if v > norms[top] {
			top = i
		}
	}
	r := rise{height: norms[top] - norms[0], fell: norms[len(norms)-1] < norms[0], top: steps[top], main: math.NaN(), bias: math.NaN()}
	if top > 0 { // else nothing rose, and there is nothing that the drives account for
		h := t.number("optimizer.lr")
		r.main = h * integral(steps, t.column("drive.main"), steps[top])
		r.bias = h * integral(steps, t.column("drive.realized"), steps[top])
	}
	return r
}

// integral is that of the values over the steps up to a step, by trapezia between what was measured; NaN if nothing was.
func integral(steps, values []float64, to float64) float64 {
	sum, x, y := 0.0, math.NaN(), math.NaN()
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if steps[i] > to {
			break
		}
		if !math.IsNaN(x) {
			sum += (v + y) / 2 * (steps[i] - x)
		}
		x, y = steps[i], v
	}
	if math.IsNaN(x) {
		return math.NaN()
	}
	return sum
}

// upToTheTop begins the note on what makes the hill.
const upToTheTop = "Up to the top"

func judgeHill(f *Result, ts trials) {
	const key = "optimizer.beta2"
	heights := ts.matrix(key, func(t *trial) float64 { return riseOf(t).height })
	biases := ts.matrix(key, func(t *trial) float64 { return riseOf(t).bias })
	mains := ts.matrix(key, func(t *trial) float64 { return riseOf(t).main })
	tops := ts.matrix(key, func(t *trial) float64 { return riseOf(t).top })
	f.give("exists", votes(ts, func(t *trial) (yes, counts bool) {
		return risesAndFalls(t), !math.IsNaN(riseOf(t).height)
	}))
	f.give("height", heights)
	f.give("change", biases)
	var raised []float64 // seed by seed
	for i := range heights {
		raised = append(raised, meanOfMeasured(biases[i]))
	}
	f.giveEach("raises", raised)
	var together, mainShare, biasShare []float64
	for i := range heights {
		together = append(together, stats.Spearman(biases[i], heights[i]))
		mainShare, biasShare = append(mainShare, meanOfMeasured(mains[i])), append(biasShare, raised[i])
	}
	first := each(ts, func(t *trial) float64 {
		if norms := t.norms(); t.good() && len(norms) > 0 {
			return norms[0]
		}
		return math.NaN()
	})
	f.say("%s the main term makes %s of the norm's change, and the realized bias %s (means within seeds); the excess of the norm begins at %s. Within seeds the rank correlation of the height with what the bias makes is %s.",
		upToTheTop, withInterval(mainShare), withInterval(biasShare), withInterval(first), withInterval(together))
	f.drawings = []report.Drawing{hillChart(ts)}
	table := report.Table{Caption: "Means over seeds with 95% confidence intervals; what the main term and the realized bias make up to the top is of the runs whose norm rises", Header: []string{"beta2", "height", "by the main term", "by the realized bias", "step of the top", "runs that rise"}}
	for k, b := range ts.numbers(key) {
		table.Rows = append(table.Rows, []string{fmt.Sprint(b), withInterval(transpose(heights)[k]), withInterval(transpose(mains)[k]), withInterval(transpose(biases)[k]), withInterval(transpose(tops)[k]),
			fmt.Sprintf("%d of %d", counted(transpose(biases)[k]), counted(transpose(heights)[k]))})
	}
	f.tables = []report.Table{table}
}

// meanOfMeasured returns the mean of the values that are not NaN, NaN of none.
func meanOfMeasured(values []float64) float64 {
	mean, _ := stats.Interval(values)
	return mean
}

// hillChart shows loss, norm, and the drive of the realized bias, means over seeds with bands.
func hillChart(ts trials) *report.Chart {
	c := &report.Chart{
		Height: 2.2,
		Labels: report.Label{
			Name: "hill", Title: "Loss, norm, and the drive of the realized bias on it",
			Caption: "Training loss, excess perturbed one-norm, and the realized bias's part of dN/dt relative to the norm, for each beta2: means over seeds, of the loss geometric ones, bands are 95% confidence intervals. Above zero the bias hinders the norm's decrease, below it lowers the norm.",
		},
		Axes: []report.Axes{
			{X: "step", Y: "training loss (nats)", LogX: true, LogY: true},
			{X: "step", Y: "excess norm (loss/parameter)", LogX: true},
			{X: "step", Y: "realized drive / N (1/time)", LogX: true, Zero: true},
		},
	}
	betas := ts.numbers("optimizer.beta2")
	for i, b := range betas {
		part := ts.where("optimizer.beta2", b)
		for panel, measure := range []func(*trial) []float64{
			(*trial).losses, (*trial).norms, func(t *trial) []float64 { return quotient(t.column("drive.realized"), t.norms()) },
		} {
			s := curveOver(part, measure, averageOn(c.Axes[panel].LogY))
			s.Name, s.Along, s.Dash, s.Line = fmt.Sprintf("beta2 = %g", b), float64(i+1)/float64(len(betas)), i, true
			c.Axes[panel].Series = append(c.Axes[panel].Series, s)
		}
	}
	return c
}

func quotient(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

// maxCurve bounds the points of a curve drawn with a band.
const maxCurve = 300

// bySteps returns the steps from 1 at which runs recorded something, about equally far apart, and what they did at each step.
func bySteps(ts trials, measure func(*trial) []float64) (x []float64, values map[float64][]float64) {
	values = map[float64][]float64{}
	for _, t := range ts {
		if !t.good() {
			continue
		}
		steps := t.column("step")
		for i, v := range measure(t) {
			if !math.IsNaN(v) && steps[i] >= 1 {
				values[steps[i]] = append(values[steps[i]], v)
			}
		}
	}
	return thin(slices.Sorted(maps.Keys(values))), values
}

// meanCurve is the mean over runs of what they recorded in each step, with its 95% confidence interval.
func meanCurve(ts trials, measure func(*trial) []float64) report.Series {
	return curveOver(ts, measure, intervals)
}

// averageOn is what curves on an axis are averaged by: on a logarithmic one so that bands stay on it.
func averageOn(logarithmic bool) func(rows [][]float64) (mean, low, high []float64) {
	if logarithmic {
		return geometricIntervals
	}
	return intervals
}

// curveOver is what an average makes of what runs recorded in each step, with its interval.
func curveOver(ts trials, measure func(*trial) []float64, average func(rows [][]float64) (mean, low, high []float64)) report.Series {
	s := report.Series{}
	x, values := bySteps(ts, measure)
	for _, step := range x {
		m, l, h := average([][]float64{values[step]})
		s.X, s.Y, s.Low, s.High = append(s.X, step), append(s.Y, m[0]), append(s.Low, l[0]), append(s.High, h[0])
	}
	return s
}

// thin keeps steps that are about equally far apart on a logarithmic axis.
func thin(x []float64) []float64 {
	if len(x) <= maxCurve {
		return x
	}
	ratio := math.Pow(x[len(x)-1]/x[0], 1.0/maxCurve)
	var out []float64
	for _, v := range x {
		if len(out) == 0 || v >= out[len(out)-1]*ratio {
			out = append(out, v)
		}
	}
	return out
}
