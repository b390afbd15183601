package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
)

// A realizedEffect is what the realized bias did at some of the steps.
type realizedEffect struct {
	did     string
	sizes   []float64 // beside the main drive
	turned  int       // of them where N, as it was observed, went the other way than the main term alone would have it
	instead string
}

// realizedEffects tells the steps apart by the signs of the main term's part of dN/dt and of the realized bias's, so that no fall is spoken of where
// the main term makes N rise; none counts the steps that have no bias beyond rounding, and beyond has the overreaches of those at which there is nothing
// to measure it by.
func (r *Report) realizedEffects() (effects []realizedEffect, none int, beyond []float64) {
	effects = []realizedEffect{
		{did: "hindered N's fall", instead: "rose"}, {did: "added to N's rise", instead: "fell"}, {did: "added to N's fall", instead: "rose"}, {did: "hindered N's rise", instead: "fell"},
	}
	realized, observed := r.History.Floats("drive.realized"), r.History.Floats("drive.observed")
	steps, overreaching := r.History.Floats("step"), r.overreaching()
	for i, main := range r.History.Floats("drive.main") {
		if realized == nil || main == 0 || math.IsNaN(main*realized[i]) || math.IsInf(main*realized[i], 0) {
			continue
		}
		at := 0
		switch v, reach := realized[i], overreaching[steps[i]]; {
		case v == 0:
			none++
			continue
		case reach > 0:
			beyond = append(beyond, reach)
			continue
		case v > 0 && main > 0:
			at = 1
		case v < 0 && main < 0:
			at = 2
		case v < 0:
			at = 3
		}
		e := &effects[at]
		if e.sizes = append(e.sizes, math.Abs(realized[i]/main)); observed != nil && main*observed[i] < 0 {
			e.turned++
		}
	}
	return slices.DeleteFunc(effects, func(e realizedEffect) bool { return len(e.sizes) == 0 }), none, beyond
}

// overreaching returns the steps at which drives cannot be compared, and how far the update without memory reaches there.
func (r *Report) overreaching() map[float64]float64 {
	out, steps := map[float64]float64{}, r.History.Floats("step")
	for i, reach := range run.Overreaches(r.Config, r.History) {
		if reach > run.Incomparable {
			out[steps[i]] = reach
		}
	}
	return out
}

// String says how large the effect was.
func (e realizedEffect) String() string {
	s := fmt.Sprintf("by %s of the main drive", percent(e.sizes[0]))
	if len(e.sizes) > 1 {
		s = fmt.Sprintf("by %s of the main drive in the median and at most %s", percent(stats.Median(e.sizes)), percent(slices.Max(e.sizes)))
	}
	switch {
	case e.turned == len(e.sizes):
		return fmt.Sprintf("%s (N %s there)", s, e.instead)
	case e.turned > 0:
		return fmt.Sprintf("%s (N %s at %d of them)", s, e.instead, e.turned)
	}
	return s
}

// sayRealized says what the steps that were taken have beyond the optimizer without memory, and what that did to the norm.
func (r *Report) sayRealized() string {
	effects, none, beyond := r.realizedEffects()
	n := none + len(beyond)
	for _, e := range effects {
		n += len(e.sizes)
	}
	switch {
	case n == 0 && r.remembersNothing():
		return fmt.Sprintf("Realized: none, at any step. %s remembers nothing, so that its update U is F, that of the optimizer without memory.", r.Config.Optimizer.Name)
	case n == 0:
		return r.sayUnmeasured()
	case len(beyond) == n:
		return fmt.Sprintf("Realized: nothing can be compared at %s: %s.", every(n, "measured"), outOfReach(beyond))
	case n == none:
		return fmt.Sprintf("Realized: the steps had no bias beyond rounding at %s.", every(n, "measured")) + r.sayClosure()
	case len(effects) == 1 && none+len(beyond) == 0:
		return fmt.Sprintf("Realized: the bias of the steps %s at %s, %s.", effects[0].did, every(n, "measured"), effects[0]) + r.sayClosure()
	}
	var parts []string
	for _, e := range effects {
		parts = append(parts, fmt.Sprintf("%s at %d%s, %s", e.did, len(e.sizes), ofAll(parts, n), e))
	}
	if none > 0 {
		parts = append(parts, fmt.Sprintf("was none beyond rounding at %d%s", none, ofAll(parts, n)))
	}
	did := parts[0]
	if last := len(parts) - 1; last > 0 {
		did = strings.Join(parts[:last], ", ") + ", and " + parts[last]
	}
	s := fmt.Sprintf("Realized: the bias of the steps %s.", did)
	if len(beyond) > 0 {
		s += fmt.Sprintf(" At %d nothing can be compared: %s.", len(beyond), outOfReach(beyond))
	}
	return s + r.sayClosure()
}

// ofAll says of how many steps the first part of a list speaks.
func ofAll(before []string, n int) string {
	if len(before) > 0 {
		return ""
	}
	return " of " + plural.Of(n, "measured step")
}

// outOfReach says what makes drives useless as a measure.
func outOfReach(reaches []float64) string {
	by := number(stats.Median(reaches)) + " times N"
	if len(reaches) > 1 {
		by += " (median)"
	}
	return fmt.Sprintf("within one step the update without memory would change N by %s, and no step goes where that points", by)
}

// sayUnmeasured says why nothing was measured that was asked for.
func (r *Report) sayUnmeasured() string {
	if r.watched() || r.penalized() {
		return ""
	}
	if err := run.Unmeasured(r.Config); err != nil {
		return fmt.Sprintf("Realized: not measured, for %v.", err)
	}
	if r.Config.Record.Bias > 0 && r.Config.Bias.Scale == 0 && r.History.Index("drive.realized") < 0 { // for what only the weights' shapes tell
		return "Realized: not measured; the log says why."
	}
	return ""
}

// curvedNorm is the part of the observed change from which what main and realized drive miss of it is too much for them to tell it.
const curvedNorm = 0.5

// sayClosure says how well the parts of dN/dt, which are of first order in the step, make what was observed over it: how much of that they miss, and how
// often they have its sign.
func (r *Report) sayClosure() string {
	at, overreaching := r.together("drive.main", "drive.realized", "drive.observed", "step"), r.overreaching()
	var left []float64
	same := 0
	for i, main := range at[0] {
		made, observed := main+at[1][i], at[2][i]
		if observed == 0 || overreaching[at[3][i]] > 0 {
			continue
		}
		if left = append(left, math.Abs((made-observed)/observed)); made*observed > 0 {
			same++
		}
	}
	if len(left) == 0 {
		return ""
	}
	middle, signs := stats.Median(left), fmt.Sprintf("its sign at %d of %s", same, plural.Of(len(left), "step"))
	if middle > curvedNorm {
		return fmt.Sprintf(" With the main term it misses the change of N that was observed by %s of it (median), and has %s: N bends within a step, and the drives at its start do not tell what the step did.",
			percent(middle), signs)
	}
	return fmt.Sprintf(" With the main term it makes the change of N that was observed, but for %s of it (median), with %s.", percent(middle), signs)
}

// sayReach says on which coordinates.
func (r *Report) sayReach() string {
	at := r.together("step", "realized.penalized", "realized.penalized_weight", "realized.hindered")
	n := len(at[0])
	if n == 0 || at[1][n-1]+at[3][n-1] == 0 {
		return ""
	}
	if r.overreaching()[at[0][n-1]] > 0 {
		return ""
	}
	return fmt.Sprintf("At step %s it moved %s of the coordinates, which hold %s of the norm's gradient, so that the norm falls, and %s so that it rises.",
		number(at[0][n-1]), percent(at[1][n-1]), percent(at[2][n-1]), percent(at[3][n-1]))
}
