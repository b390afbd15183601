package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/diagnose"
	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
)

// saySharpness says where the optimizer is beside its edges.
func (r *Report) saySharpness() string {
	at := r.together("step", "monitor.period_two", "stability_threshold")
	n := len(at[0])
	if n == 0 {
		return r.sayWithoutThreshold()
	}
	top, above := 0, 0
	for i, v := range at[1] {
		if v > at[1][top] {
			top = i
		}
		if v > 1 {
			above++
		}
	}
	threshold := "its stability threshold of " + number(at[2][top])
	if low, high := slices.Min(at[2]), slices.Max(at[2]); number(low) != number(high) {
		threshold = fmt.Sprintf("the stability threshold of its step, which goes from %s to %s,", number(low), number(high))
	}
	s := fmt.Sprintf("Preconditioned sharpness was above %s at %d of %s; it came to %s of it at step %s.%s",
		threshold, above, plural.Of(n, "measured step"), percent(at[1][top]), number(at[0][top]), r.sayUnconditioned())
	if above > 0 {
		s += r.sayFlips() + r.sayNearest()
	}
	return s + r.sayEdge() + r.saySpikes()
}

// sayWithoutThreshold says why preconditioned sharpness stands beside no threshold.
func (r *Report) sayWithoutThreshold() string {
	if _, scaled := r.column("preconditioned_sharpness"); len(scaled) == 0 {
		return ""
	}
	return "Preconditioned sharpness has no threshold here: elements of the step answer to past gradients each in its own way."
}

// sayUnconditioned says at how many steps sharpness was measured and the preconditioned one was not, and why.
func (r *Report) sayUnconditioned() string {
	scaled, lr, factors, shares := r.History.Floats("preconditioned_sharpness"), r.History.Floats("lr"), r.History.Floats("clip.factor"), r.History.Floats("clip.share")
	lacking, clipped, still := 0, 0, 0
	for i, v := range r.History.Floats("sharpness") {
		if scaled == nil || math.IsNaN(v) || !math.IsNaN(scaled[i]) {
			continue
		}
		lacking++
		switch {
		case lr != nil && lr[i] == 0:
			still++
		case factors != nil && factors[i] < 1 || shares != nil && shares[i] > 0:
			clipped++
		}
	}
	if lacking == 0 {
		return ""
	}
	var why []string
	if clipped > 0 {
		why = append(why, fmt.Sprintf("%d whose gradient was clipped", clipped))
	}
	if still > 0 {
		why = append(why, fmt.Sprintf("%d with an lr of 0", still))
	}
	s := fmt.Sprintf(" There is none of it at %d more where sharpness was measured", lacking)
	if len(why) == 0 {
		return s + "."
	}
	return s + ": " + strings.Join(why, " and ") + "."
}

// A step of a two-cycle turns the gradient along the sharpest direction to -1 of itself. One that leaves between leastFlip and mostFlip of it counts as such.
const leastFlip, mostFlip = -2, -0.5

// sayFlips counts steps like those of a two-cycle, above the threshold of stability and below: below there are some by chance.
func (r *Report) sayFlips() string {
	at := r.together("monitor.period_two", "monitor.flip")
	var beyond, below struct{ steps, flips int }
	for i, v := range at[0] {
		side := &below
		if v > 1 {
			side = &beyond
		}
		if side.steps++; leastFlip <= at[1][i] && at[1][i] <= mostFlip {
			side.flips++
		}
	}
	if beyond.steps == 0 {
		return ""
	}
	s := fmt.Sprintf(" Of %s measured above it %d turned the gradient along the sharpest direction to between %v and %v of itself, as a two-cycle from side to side turns it to -1",
		plural.Of(beyond.steps, "step"), beyond.flips, leastFlip, mostFlip)
	if below.steps > 0 {
		s += fmt.Sprintf("; of the %d below it, %d did", below.steps, below.flips)
	}
	return s + "."
}

// lost is the distance from the iterates, over the way that they went, from which an equation is not said to follow them.
const lost = 0.5

// sayNearest says which came nearest to the iterates, of what oscillates with them and of the stable flows, where there were both to the end.
func (r *Report) sayNearest() string {
	type end struct {
		name     string
		distance float64
	}
	var stable, oscillating *end
	steps := r.History.Floats("step")
	for _, name := range r.Config.Beside {
		at, d := r.column(name + ".relative_distance")
		if len(d) == 0 || at[len(at)-1] < steps[len(steps)-1] {
			continue
		}
		of := &stable
		if strings.HasPrefix(name, "lift-") || name == "central" {
			of = &oscillating
		}
		if here := d[len(d)-1]; *of == nil || here < (*of).distance {
			*of = &end{name, here}
		}
	}
	switch {
	case stable == nil || oscillating == nil:
		return ""
	case min(stable.distance, oscillating.distance) > lost:
		return fmt.Sprintf(" At the end neither %s nor %s, the nearest of their kinds, was near the iterates: at %s and %s of the way.",
			oscillating.name, stable.name, number(oscillating.distance), number(stable.distance))
	case math.Abs(stable.distance-oscillating.distance) <= r.roundingBetween():
		return fmt.Sprintf(" At the end rounding hides whether %s or %s, a stable flow, was nearer to the iterates.", oscillating.name, stable.name)
	case stable.distance < oscillating.distance:
		return fmt.Sprintf(" At the end %s, a stable flow, was nearer to the iterates than %s.", stable.name, oscillating.name)
	}
	return fmt.Sprintf(" At the end %s was nearer to the iterates than %s, the nearest stable flow.", oscillating.name, stable.name)
}

// sayEdge says where the series of the equations without memory has no sum.
func (r *Report) sayEdge() string {
	edge := r.together("monitor.memory_edge")[0]
	beyond := 0
	for _, v := range edge {
		if v > 1 {
			beyond++
		}
	}
	if beyond == 0 {
		return ""
	}
	s := fmt.Sprintf(" Preconditioned sharpness was beyond the edge from which the series of the equations without memory diverges at %d of %s, at most %s times it",
		beyond, plural.Of(len(edge), "measured step"), number(slices.Max(edge)))
	bornOut, n := run.CountBornOut(run.Verdicts(r.History))
	if bornOut == 0 {
		return s + "."
	}
	return fmt.Sprintf("%s: higher orders then come no nearer, while its first two terms may. What order 2 misses of the steps is measured, and that is what counts: it is borne out at %d of %s.",
		s, bornOut, plural.Of(n, "step"))
}

// saySpikes says where the sharpness along the gradient warned of spikes of the loss, and how the loss went on from there.
func (r *Report) saySpikes() string {
	at := r.together("step", "monitor.spike_rows")
	if len(at[1]) == 0 {
		return ""
	}
	most := slices.Max(at[1])
	if most < 2 {
		return ""
	}
	last := slices.Index(at[1], most)
	measured := min(most, float64(last+1)) // a record that something has altered may count more
	s := fmt.Sprintf(" Sharpness along the gradient was above 2/h at %s in sequence, steps %s to %s",
		plural.Of(int(measured), "measurement"), number(at[0][last+1-int(measured)]), number(at[0][last]))
	if r.Result != nil && r.Result.Regime == diagnose.Diverged {
		return s + ", in a run that diverged."
	}
	return s + r.lossBehind(at[0][last])
}

// lossBehind says to what the loss came behind a step, which is a warning of a spike.
func (r *Report) lossBehind(step float64) string {
	const warning = ": a warning of a spike of the loss"
	name, whose := r.overAll("loss")
	steps, losses := r.column(name)
	at, found := slices.BinarySearch(steps, step)
	if !found || at+1 == len(steps) {
		return warning + "."
	}
	return fmt.Sprintf("%s%s, which behind it came to at most %s times what it was there.", warning, whose, number(slices.Max(losses[at+1:])/losses[at]))
}

// nearEdge is the share of its stability threshold from which sharpness makes the second order of an equation no better than the first: the
// terms of its series in the step size are as large as each other there.
const nearEdge = 0.75

// roundingBetween returns how far apart two relative distances may lie at the end for rounding alone, 0 where it was not measured.
func (r *Report) roundingBetween() float64 {
	_, floor := r.column("iterates.rounding")
	if len(floor) == 0 {
		return 0
	}
	return 2 * floor[len(floor)-1]
}

// sayWorse says where the second order of the equation with the memory as state ended farther from the iterates than the first, and what the sharpness
// has to do with it.
func (r *Report) sayWorse() string {
	at1, d1 := r.column("state-1.relative_distance")
	at2, d2 := r.column("state-2.relative_distance")
	if len(d1) == 0 || len(d2) == 0 || at1[len(at1)-1] != at2[len(at2)-1] || !(d2[len(d2)-1] > d1[len(d1)-1]+r.roundingBetween()) {
		return ""
	}
	s := "The second order made the equation worse here: state-2 ended farther from the iterates than state-1"
	steps, share := r.column("monitor.period_two")
	if len(share) == 0 {
		return s + ". Where steps flip from side to side, as near the edge of stability, its series is beyond its range, and lift-2 or a smaller lr is to be tried; sharpness, which would tell, was not measured."
	}
	most := slices.Max(share)
	if most < nearEdge {
		return fmt.Sprintf("%s, though the sharpness was below its stability threshold wherever it was measured, at most %s of it.", s, number(most))
	}
	return fmt.Sprintf("%s. At step %s the sharpness was at %s of its stability threshold: there steps flip from side to side, which no stable flow describes and where the series in the step size is beyond its range. "+
		"A lift follows that, and a smaller lr stays below it.", s, number(steps[slices.Index(share, most)]), number(most))
}
