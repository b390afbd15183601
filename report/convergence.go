package report

import (
	"fmt"
	"math"
	"strings"

	"shadowflow/experiment/run"
)

// SlopeMargin is how far below its order the last slope of an error may lie for the order to count as shown: the range in which the
// error falls like lr^order is approached from below.
const SlopeMargin = 0.2

// roundoff is the size of errors that rounding and the integrator's tolerance make.
const roundoff = 1e-12

// nearRoundoff is the size of errors in whose slope rounding shows.
const nearRoundoff = 10 * roundoff

// Finding is what the distances from an equation say of its order.
type Finding int

// The findings.
const (
	Undecided Finding = iota
	Holds
	Against
	Unmeasured // nothing was compared, or nothing that could have shown it
)

// OrderVerdict says in a sentence what the distances of iterates from the modified equation of one order show, and what that finds of it.
// kinks are the functions of the optimizer's step whose values or slopes jump.
func OrderVerdict(o run.OrderErrors, kinks []string) (verdict string, f Finding) {
	name := fmt.Sprintf("order %d: ", o.Order)
	if o.Unmeasured != "" {
		return name + "not measured: " + o.Unmeasured, Unmeasured
	}
	if len(o.Slopes) == 0 {
		return name + "not measured: one step size has no slope; give several", Unmeasured
	}
	clear := 0 // slopes between errors in which rounding does not show
	for clear < len(o.Slopes) && !(o.Errors[clear+1] < max(nearRoundoff, 10*o.Rounding)) {
		clear++
	}
	if clear == 0 && o.Rounding > 0 {
		return name + fmt.Sprintf("not measured: errors from %.1e down are those of rounding, which is magnified", o.Errors[1]), Unmeasured
	}
	if clear == 0 {
		return name + fmt.Sprintf("holds as far as float64 can tell: the error falls to %.1e", o.Errors[1]), Holds
	}
	slopes, down := o.Slopes[:clear], ""
	if clear < len(o.Slopes) {
		down = fmt.Sprintf(", down to %.1e", o.Errors[clear])
	}
	switch last := slopes[clear-1]; {
	case clear > 1 && math.Abs(last-slopes[clear-2]) > mostScatter:
		return name + fmt.Sprintf("undecided: the error falls like lr^%.2f, and then like lr^%.2f%s: take smaller lr%s", slopes[clear-2], last, down, kinky(kinks)), Undecided
	case last > float64(o.Order)+1-SlopeMargin:
		return name + fmt.Sprintf("holds, and better: the error falls like lr^%.2f%s", last, down), Holds
	case last > float64(o.Order)-SlopeMargin:
		return name + fmt.Sprintf("holds: the error falls like lr^%.2f%s", last, down), Holds
	case rising(slopes):
		return name + fmt.Sprintf("undecided: the error falls like lr^%.2f%s, and the slopes rise: take smaller lr", last, down), Undecided
	case clear == 1 && len(o.Slopes) > 1 && last > float64(o.Order)-mostScatter:
		return name + fmt.Sprintf("undecided: the error falls like lr^%.2f%s, and rounding hides the other slopes: take larger lr", last, down), Undecided
	default:
		why := "the lr may be too large for it or, for an equation without memory, the start off the slow manifold"
		if len(kinks) > 0 {
			why = strings.TrimPrefix(kinky(kinks), "; ") + "; or " + why
		}
		return name + fmt.Sprintf("does not show: the error falls like lr^%.2f%s (%s)", last, down, why), Against
	}
}

// mostScatter is the change of a slope from one pair of step sizes to the next from which it is none yet.
const mostScatter = 0.5

// kinky says what is against an order where the step has functions that jump, or whose slopes do.
func kinky(kinks []string) string {
	if len(kinks) == 0 {
		return ""
	}
	return fmt.Sprintf("; the step has %s, and where their arguments cross it has no order", strings.Join(kinks, " and "))
}

// rising reports whether the last slope is above the one before by more than they scatter.
func rising(slopes []float64) bool {
	n := len(slopes)
	return n > 1 && slopes[n-1] > slopes[n-2]+0.05
}

// ConvergenceChart draws the distances of iterates from modified equations against the step size, each beside a line whose slope is
// the order.
func ConvergenceChart(title string, r *run.Verification) *Chart {
	axes := Axes{X: "step size lr", Y: "largest distance of a coordinate", LogX: true, LogY: true, TicksX: r.LR}
	for i, o := range r.Orders {
		axes.Series = append(axes.Series, Series{
			Name: fmt.Sprintf("order %d", o.Order), X: r.LR, Y: o.Errors, Line: true, Marks: true, Color: i, Mark: i,
		})
	}
	for i, o := range r.Orders {
		law := PowerLaw(r.LR, o.Errors, float64(o.Order))
		law.Legend, law.Unlisted = "slope = order", i > 0
		axes.Series = append(axes.Series, law)
	}
	return &Chart{
		Labels: Label{
			Name: "convergence", Title: title,
			Caption: "Largest distance of a coordinate of the iterates from the solution of each modified equation, against the step " +
				"size; dashed lines have the order as their slope.",
		},
		Height: 4.4, Axes: []Axes{axes},
	}
}

// PowerLaw returns a faint line of slope power on logarithmic axes, through the last of the points (x, y) that has a logarithm.
func PowerLaw(x, y []float64, power float64) Series {
	law := Series{Name: fmt.Sprintf("slope %g", power), X: x, Faint: true, Line: true, Dash: 1}
	last := len(y) - 1
	for last > 0 && (!(y[last] > 0) || math.IsInf(y[last], 1)) {
		last--
	}
	for _, at := range x {
		law.Y = append(law.Y, y[last]*math.Pow(at/x[last], power))
	}
	return law
}
