package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/experiment/config"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
	"shadowflow/report"
)

// edge compares what follows an optimizer past the edge of stability.
func edge() *Reproduction {
	return &Reproduction{
		Name:  "edge",
		Title: "Past the edge of stability: stable flow, lift, central flow",
		Claim: "Where the sharpness has reached the threshold of period two, and iterates flip from side to side, the stable modified equation loses them, and the flow of the period-two lift keeps with them: of gradient descent, RMSProp and Adam, on different networks.",
		Design: "Gradient descent, RMSProp and Adam at an lr that brings them to their edge, in float64, squared error on one-hot targets. " +
			fmt.Sprintf("Beside each, from step %d: the state equation of order 2, which is the stable flow; the lifts of orders 1 and 2; the central flow where it is known. ", config.Default().Flow.Start) +
			"Distances are from the mean of two consecutive iterates, over the way that the iterates went. The claim holds if at the end the nearer lift is nearer than the stable flow for most runs of a seed that are past their edge, in significantly more than half of the seeds (sign test), and so for each optimizer and network. Past their edge are runs whose preconditioned sharpness was above the threshold in a quarter of its measurements.",
		sweeps: func(s Scale) []sweep.Spec {
			var out []sweep.Spec
			for _, r := range edgeRuns(s) {
				out = append(out, sweep.Spec{
					Name: r.name,
					Base: append(settings{
						set("steps", r.steps), set("dtype", "float64"), set("loss", "mse"), set("data.subset", 400),
						set("optimizer.name", r.optimizer), set("beside", r.beside), set("flow.steps", 2),
						set("record.every", 5), set("record.bias", 0), set("record.sharpness", r.steps/20), set("record.state", 0), set("record.test", 0),
					}, r.also...),
					Seeds: sweep.Seeds(pick(s, 8, 8, 10)),
				})
			}
			return out
		},
		Changed: []string{earlier, votesTested + " By that share the claim had been against.", moreSeeds},
		hypotheses: func(s Scale) []Hypothesis {
			out := []Hypothesis{{Name: "nearer", Claim: "Past the edge the nearer lift is nearer to the iterates than the stable flow", Measure: "runs past the edge", Test: Majority, Direction: Up}}
			for _, r := range edgeRuns(s) {
				out = append(out, Hypothesis{
					Name: r.name, Claim: r.name + ": that is so in most of the runs", Measure: "runs past the edge", Test: Majority, Direction: Up,
				})
			}
			return out
		},
		judge: func(_ context.Context, f *Result, sweeps []trials) error { judgeEdge(f, sweeps); return nil },
	}
}

type edgeRun struct {
	name, optimizer string
	steps           int
	beside          []string
	also            settings
}

// edgeRuns are the sweeps, in order.
func edgeRuns(s Scale) []edgeRun {
	lifts := []string{"state-2", "lift-1", "lift-2"}
	central := append(lifts[:3:3], "central")
	mlp := set("model.hidden", []int{32, 32})
	cnn := settings{set("model.name", "cnn"), set("model.channels", []int{8, 16}), set("model.dense", 32)}
	vit := settings{
		set("model.name", "vit"), set("model.patch", 4), set("model.dim", 16), set("model.depth", 2), set("model.heads", 2),
		set("model.dim_head", 8), set("model.mlp_dim", 32),
	}
	rmsprop := settings{set("optimizer.lr", 5e-3), set("optimizer.beta2", 0.99), set("optimizer.eps", 1e-7), set("optimizer.eps_inside", false)}
	adam := settings{set("optimizer.lr", 0.03), set("optimizer.beta2", 0.99), set("optimizer.eps", 1e-7), set("optimizer.eps_inside", false)}
	steps := pick(s, 400, 1000, 2000)
	return []edgeRun{
		{"gd-mlp", "gd", steps, central, settings{mlp, set("optimizer.lr", 1.2)}},
		{"gd-cnn", "gd", steps / 2, central, append(cnn, set("optimizer.lr", 0.8))},
		{"gd-vit", "gd", steps / 2, central, append(vit, set("optimizer.lr", 0.8))},
		{"rmsprop-mlp", "rmsprop", steps, central, append(settings{mlp}, rmsprop...)},
		{"adam-mlp", "adam", steps, lifts, append(settings{mlp}, adam...)},
	}
}

func judgeEdge(f *Result, sweeps []trials) {
	table := report.Table{
		Caption: "At the end: sharpness over the threshold of period two (mean of the last quarter), loss (mean of two iterates), and of each equation its loss, and its distance over the way that the iterates went; the cost of a step, in gradients. Means over seeds with 95% confidence intervals, of distances geometric ones, and of the cost, which is measured on a clock, medians",
		Header:  []string{"run", "sharpness / threshold", "loss", "beside", "its loss", "distance", "gradients a step"},
	}
	var drawings []report.Drawing
	for i, ts := range sweeps {
		if len(ts) == 0 {
			continue
		}
		c := ts[0].Run.Config
		name := fmt.Sprintf("%s, %s", c.Optimizer.Name, c.Model.Name)
		for _, beside := range c.Beside {
			table.Rows = append(table.Rows, []string{
				name, withInterval(each(ts, sharpnessRatio)), withInterval(ends(ts, "iterates.mean_loss")), beside,
				withInterval(ends(ts, beside+".loss")), withFactors(ends(ts, beside+".relative_distance")), short(stats.Median(each(ts, func(t *trial) float64 { return costOf(t, beside) }))),
			})
		}
		drawings = append(drawings, edgeChart(name, ts[0]))
		_, of := shareOfRuns(ts, liftIsNearer)
		f.give(edgeRuns(f.Scale)[i].name, votes(ts, liftIsNearer))
		f.say("%s: %d of %s were past the edge, and had a lift to the end. At the end of all runs in which they have not run away the stable flow is at %s of the way, the nearer lift at %s (geometric means).", name, of, plural.Count(len(ts), "run"),
			withFactors(each(ts, func(t *trial) float64 { return end(t, "state-2.relative_distance") })), withFactors(each(ts, nearerLift)))
	}
	f.give("nearer", votes(slices.Concat(sweeps...), liftIsNearer))
	f.drawings, f.tables = drawings, []report.Table{table}
}

// liftIsNearer reports whether the nearer lift of a run is nearer to the iterates at the end than the stable flow, which is lost if it has run away; only
// a run past its edge counts.
func liftIsNearer(t *trial) (yes, counts bool) {
	stable, lift := end(t, "state-2.relative_distance"), nearerLift(t)
	return math.IsNaN(stable) || lift < stable, pastTheEdge(t) && !math.IsNaN(lift)
}

// nearerLift is the distance of the nearer of a run's lifts at the end, over the way; NaN if one has run away.
func nearerLift(t *trial) float64 {
	return math.Min(end(t, "lift-1.relative_distance"), end(t, "lift-2.relative_distance"))
}

// each measures every run.
func each(ts trials, measure func(*trial) float64) []float64 {
	var out []float64
	for _, t := range ts {
		out = append(out, measure(t))
	}
	return out
}

// ratios are the preconditioned sharpness over its threshold, where both were measured.
func ratios(t *trial) []float64 {
	var out []float64
	thresholds := t.column("stability_threshold")
	for i, v := range t.column("preconditioned_sharpness") {
		if r := v / thresholds[i]; !math.IsNaN(r) {
			out = append(out, r)
		}
	}
	return out
}

// sharpnessRatio is the mean of the last quarter of them.
func sharpnessRatio(t *trial) float64 {
	r := ratios(t)
	if len(r) == 0 {
		return math.NaN()
	}
	sum, from := 0.0, len(r)*3/4
	for _, v := range r[from:] {
		sum += v
	}
	return sum / float64(len(r)-from)
}

// pastTheEdge reports whether a quarter of them are above 1.
func pastTheEdge(t *trial) bool {
	above, r := 0, ratios(t)
	for _, v := range r {
		if v > 1 {
			above++
		}
	}
	return 4*above >= len(r) && above > 0
}

// costOf is what a step of something beside the run costs, in gradients.
func costOf(t *trial, beside string) float64 {
	if t.Result == nil {
		return math.NaN()
	}
	var step, gradient float64
	for _, c := range t.Result.Costs {
		switch {
		case c.Kind == "gradient":
			gradient = c.Seconds / float64(c.Count)
		case c.Kind == beside:
			step = c.Seconds / float64(c.Count)
		}
	}
	return step / gradient
}

// edgeChart shows one run: loss, sharpness against its threshold, and distances.
func edgeChart(name string, t *trial) *report.Chart {
	steps := t.column("step")
	curve := func(label, column string, i int) report.Series {
		return report.Series{Name: label, X: steps, Y: t.column(column), Color: i, Dash: i, Line: true}
	}
	loss := report.Axes{X: "step", Y: "mean loss (squared error)", LogY: true, Series: []report.Series{curve("two iterates", "iterates.mean_loss", 0)}}
	distance := report.Axes{X: "step", Y: "relative distance", LogY: true}
	amplitude := report.Axes{X: "step", Y: "amplitude (parameter)", LogY: true, Series: []report.Series{curve("iterates", "iterates.amplitude", 0)}}
	for i, beside := range t.Run.Config.Beside {
		label := beside
		if beside == "state-2" {
			label = "stable flow\n(state-2)"
		}
		loss.Series = append(loss.Series, curve(label, beside+".loss", i+1))
		distance.Series = append(distance.Series, curve(label, beside+".relative_distance", i+1))
		if beside != "state-2" {
			amplitude.Series = append(amplitude.Series, curve(beside, beside+".amplitude", i+1))
		}
	}
	sharpness := report.Axes{X: "step", Y: "sharpness (1/h)", LogY: true, Series: []report.Series{
		curve("preconditioned", "preconditioned_sharpness", 0), curve("threshold of\nperiod two", "stability_threshold", 5), // a colour that no equation has
	}}
	for i := range sharpness.Series {
		sharpness.Series[i].Marks = true
	}
	without := ""
	if !slices.Contains(t.Run.Config.Beside, "central") {
		without = " There is no central flow of " + t.Run.Config.Optimizer.Name + " here: it is defined for gradient descent and RMSProp."
	}
	return &report.Chart{
		Height: 1.9,
		Labels: report.Label{
			Name: "edge-" + t.Run.Config.Optimizer.Name + "-" + t.Run.Config.Model.Name, Title: "Past the edge: " + name,
			Caption: "One run, of the first seed. From above: loss, of the iterates the mean of two consecutive ones, of a lift or a central flow the one that it predicts; sharpness, preconditioned as the optimizer does, and the threshold of period two, for gradient descent 2/lr; half the distance by which iterates flip from side to side; distance from the iterates over the way that they went." + without,
		},
		Axes: []report.Axes{loss, sharpness, amplitude, distance},
	}
}
