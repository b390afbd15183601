package report

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/experiment/run"
)

// beyondRange is the defect of the second-order equation over that of the first from which its prediction is not spoken of: it predicts the
// step worse than no correction.
const beyondRange = 1

// clearlyBetter is the same ratio where it takes a tenth off the error: below it the predicted bias is compared with the realized one.
const clearlyBetter = 0.9

// stateHolds is the one-step defect of the state equation of order 2, over the step's length, below which it is said to hold.
const stateHolds = 0.05

// together returns the values of columns, in the rows that have a finite number in each of them.
func (r *Report) together(columns ...string) [][]float64 {
	all := make([][]float64, len(columns))
	out := make([][]float64, len(columns))
	for i, c := range columns {
		if all[i] = r.History.Floats(c); all[i] == nil {
			return out
		}
	}
	for row := range all[0] {
		if slices.ContainsFunc(all, func(v []float64) bool { return math.IsNaN(v[row]) || math.IsInf(v[row], 0) }) {
			continue
		}
		for i := range columns {
			out[i] = append(out[i], all[i][row])
		}
	}
	return out
}

// median returns the middle of values, of which there are some.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// sayRealized says what the steps that were taken have beyond the optimizer without memory, and what that did to the norm.
func (r *Report) sayRealized() string {
	drives := r.together("drive.main", "drive.realized")
	main, realized := drives[0], drives[1]
	if len(main) == 0 {
		return ""
	}
	var hindered, lowered []float64 // sizes beside the main drive
	for i, v := range realized {
		if size := math.Abs(v / main[i]); v > 0 {
			hindered = append(hindered, size)
		} else {
			lowered = append(lowered, size)
		}
	}
	by := func(sizes []float64) string {
		if len(sizes) == 1 {
			return fmt.Sprintf("by %s of the main drive", percent(sizes[0]))
		}
		return fmt.Sprintf("by %s of the main drive in the median and at most %s", percent(median(sizes)), percent(slices.Max(sizes)))
	}
	s := ""
	switch n := len(main); n {
	case len(hindered):
		s = fmt.Sprintf("Realized: the bias of the steps hindered N's fall at all %d measured steps, %s.", n, by(hindered))
	case len(lowered):
		s = fmt.Sprintf("Realized: the bias of the steps lowered N at all %d measured steps, %s.", n, by(lowered))
	default:
		s = fmt.Sprintf("Realized: the bias of the steps hindered N's fall at %d of %d measured steps, %s, and lowered N at %d, %s.",
			len(hindered), n, by(hindered), len(lowered), by(lowered))
	}
	return s + r.sayClosure()
}

// curvedNorm is the part of the main drive from which what main and realized drive leave of the observed change is too much for them to tell it.
const curvedNorm = 0.5

// sayClosure says how well the parts of dN/dt, which are of first order in the step, make what was observed over it.
func (r *Report) sayClosure() string {
	at := r.together("drive.main", "drive.realized", "drive.observed")
	var left []float64
	for i, main := range at[0] {
		if main != 0 {
			left = append(left, math.Abs((main+at[1][i]-at[2][i])/main))
		}
	}
	switch {
	case len(left) == 0:
		return ""
	case median(left) > curvedNorm:
		return fmt.Sprintf(" With the main term it leaves %s of the main drive (median) of the change that was observed: N bends within a step, and the drives at its start do not tell what the step did.", percent(median(left)))
	}
	return fmt.Sprintf(" With the main term it makes the change of N that was observed, but for %s of the main drive (median).", percent(median(left)))
}

// sayReach says on which coordinates.
func (r *Report) sayReach() string {
	at := r.together("step", "realized.penalized", "realized.penalized_weight", "realized.hindered")
	n := len(at[0])
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("At step %s it moved %s of the coordinates, which hold %s of the norm's gradient, so that the norm falls, and %s so that it rises.",
		number(at[0][n-1]), percent(at[1][n-1]), percent(at[2][n-1]), percent(at[3][n-1]))
}

// sayPrediction says where the second-order equation without memory may be spoken of, and only there what it predicts.
func (r *Report) sayPrediction() string {
	var all, worse []float64
	ratios := r.together("monitor.second_over_first")[0]
	for _, v := range ratios {
		if v == 1 {
			continue // there is no correction to make: C is 0
		}
		if all = append(all, v); v > beyondRange {
			worse = append(worse, v)
		}
	}
	switch n := len(all); {
	case len(ratios) == 0 && len(r.together("step_rounding")[0]) > 0 && r.History.Index("monitor.second_over_first") >= 0:
		return fmt.Sprintf("What the second-order equation misses of a step is within what rounding to %s makes: its bias is not shown as this run's bias; dtype float64 tells more.", r.Config.DType)
	case n == 0 && r.History.Index("defect_2") >= 0 && r.History.Index("monitor.second_over_first") < 0:
		return "The second-order equation of an optimizer without memory has its step by construction, up to higher orders of lr: that it predicts steps is no evidence, and its bias is not shown as this run's bias."
	case n == 0:
		return ""
	case len(worse) == n:
		return fmt.Sprintf("The second-order equation predicts steps worse than no correction at all %d measured steps (%s times, in the median): its bias is not shown as this run's bias.",
			n, number(median(worse)))
	case len(worse) == 0:
		return fmt.Sprintf("The second-order equation predicts steps better than no correction at all %d measured steps%s.", n, r.explanation())
	default:
		return fmt.Sprintf("The second-order equation predicts steps worse than no correction at %d of %d measured steps (%s times, in the median): its bias is not shown as this run's bias there. At the other %d it predicts them better%s.",
			len(worse), n, number(median(worse)), n-len(worse), r.explanation())
	}
}

// explanation says how much of what the second-order equation predicts is realized, where it may be spoken of.
func (r *Report) explanation() string {
	at := r.together("monitor.second_over_first", "bias.cosine", "bias.explained")
	var cosine, explained []float64
	for i, v := range at[0] {
		if v < clearlyBetter {
			cosine, explained = append(cosine, at[1][i]), append(explained, at[2][i])
		}
	}
	switch {
	case !slices.ContainsFunc(r.together("monitor.second_over_first")[0], func(v float64) bool { return v < clearlyBetter }):
		return ", but by less than a tenth, which says little of its bias"
	case len(cosine) == 0:
		return ""
	}
	s := "; of its bias " + percent(median(explained)) + " is realized"
	if size := median(explained); math.Abs(size) > 2 {
		s = fmt.Sprintf("; along its bias the realized one is %s times as large", number(size))
	}
	s += fmt.Sprintf(", at a cosine of %s with the realized one (medians of %d)", number(median(cosine)), len(cosine))
	critical := r.together("monitor.second_over_first", "critical_gradient")
	if n := len(critical[0]); n > 0 && critical[0][n-1] < clearlyBetter {
		s += fmt.Sprintf("; elements change sides at the critical gradient size g* = %s", number(critical[1][n-1]))
	}
	return s
}

// sayState says whether the equation with the memory as state holds.
func (r *Report) sayState() string {
	defect := r.together("monitor.state_defect")[0]
	if len(defect) == 0 {
		return ""
	}
	holds := 0
	for _, v := range defect {
		if v < stateHolds {
			holds++
		}
	}
	if len(defect) == 1 {
		return fmt.Sprintf("With the memory as state the equation of order 2 missed the one step that was measured by %s of its length.", percent(defect[0]))
	}
	s := fmt.Sprintf("With the memory as state the equation of order 2 misses a step by %s of its length (median of %d)", percent(median(defect)), len(defect))
	switch holds {
	case len(defect):
		return s + ": it holds."
	case 0:
		return s + ": it does not hold."
	}
	return s + fmt.Sprintf(": it holds at %d of them, to %s.", holds, percent(stateHolds))
}

// saySharpness says where the optimizer is beside its edges.
func (r *Report) saySharpness() string {
	at := r.together("step", "monitor.period_two", "stability_threshold")
	n := len(at[0])
	if n == 0 {
		return ""
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
	s := fmt.Sprintf("Preconditioned sharpness was above its stability threshold of %s at %d of %d measured steps; it came to %s of it at step %s",
		number(at[2][top]), above, n, percent(at[1][top]), number(at[0][top]))
	return s + "." + r.sayFlips() + r.sayEdge() + r.saySpikes()
}

// sayFlips says whether the steps taken beyond the threshold of stability go from side to side, as those of a two-cycle do.
func (r *Report) sayFlips() string {
	at := r.together("monitor.period_two", "monitor.flip")
	beyond, flips := 0, 0
	for i, v := range at[0] {
		if v <= 1 {
			continue
		}
		if beyond++; at[1][i] < 0 {
			flips++
		}
	}
	switch {
	case beyond == 0:
		return ""
	case flips == 0:
		return fmt.Sprintf(" None of the %d steps measured beyond it went from side to side along the sharpest direction.", beyond)
	}
	return fmt.Sprintf(" Of the %d steps measured beyond it %d went from side to side along the sharpest direction, which a lift follows and no stable flow.", beyond, flips)
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
	return fmt.Sprintf(" It was beyond the edge from which the series of the equations without memory diverges at %d of %d, at most %s times it.",
		beyond, len(edge), number(slices.Max(edge)))
}

// saySpikes warns of spikes of the loss.
func (r *Report) saySpikes() string {
	at := r.together("step", "monitor.spike_rows")
	for i, rows := range at[1] {
		if rows >= 2 && rows == slices.Max(at[1]) {
			return fmt.Sprintf(" Along the gradient it stayed above 2/h for %s measurements in sequence up to step %s: a warning of a spike of the loss.",
				number(rows), number(at[0][i]))
		}
	}
	return ""
}

// Standing says in a few words where a run stands that goes on.
func Standing(at run.Progress) string {
	bias := "+ hinders"
	switch {
	case math.IsNaN(at.RealizedDrive):
		bias = "not measured"
	case at.RealizedDrive < 0:
		bias = "- lowers"
	}
	return fmt.Sprintf("loss %.3g  norm %.3g  realized bias %s", at.Loss, at.Excess, bias)
}

// Probed says what was found at a point.
func Probed(p *run.Probed) []string {
	loss := fmt.Sprintf("loss %.9g", p.Loss)
	if accuracy := float64(p.Accuracy); !math.IsNaN(accuracy) {
		loss += fmt.Sprintf(", accuracy %.4g", accuracy)
	}
	if p.R2 != nil {
		loss += fmt.Sprintf(", R² %.4g", float64(*p.R2))
	}
	lines := []string{
		fmt.Sprintf("%s (%d parameters, %d examples)", loss, p.Parameters, p.Examples),
		fmt.Sprintf("gradient: perturbed one-norm %.9g (excess %.9g), one-norm %.9g, two-norm %.9g, largest %.9g", p.Perturbed, p.Excess, p.One, p.Two, p.Max),
	}
	for _, note := range p.Notes {
		lines = append(lines, "note: "+note)
	}
	if p.PredictedBias == nil {
		return append(append(lines, "no predicted bias: "+p.NoPrediction), nextStep(p.Next)...)
	}
	reach := "it is a correction there if steps bear it out, which monitor.second_over_first of a run says"
	if p.Share >= 1 {
		reach = "no correction there, but larger than what it corrects: do not take it for what happens"
	}
	lines = append(lines,
		fmt.Sprintf("predicted bias (second order, memory full): size %.4g of the main term, %s", p.Share, reach),
		fmt.Sprintf("  it would penalize %.4g and hinder %.4g of the coordinates (%.4g and %.4g of sum |q|)",
			p.Penalized, p.Hindered, p.PenalizedWeight, p.HinderedWeight),
		fmt.Sprintf("  dN/dt: %.6g by the main term, %.6g by the predicted bias", p.MainDrive, p.PredictedDrive),
	)
	return append(lines, nextStep(p.Next)...)
}

// nextStep says what the step from a point is like with the moments that the optimizer has there, nothing if they are not known.
func nextStep(n *run.NextStep) []string {
	if n == nil {
		return nil
	}
	var lines []string
	for _, note := range n.Notes {
		lines = append(lines, "note: "+note)
	}
	if n.NoBias != "" {
		return append(lines, "no bias of the step from here: "+n.NoBias)
	}
	lines = append(lines, fmt.Sprintf("the step from here, with the moments that %d steps left (two-norm %.4g):", n.Steps, n.Columns["step_norm"]))
	for _, bias := range []struct{ what, share, drive, effect, says string }{
		{"realized", "bias.realized_share", "drive.realized", "realized.", "it penalizes %.4g and hinders %.4g of the coordinates"},
		{"predicted", "bias_share", "drive.predicted", "", "it would penalize %.4g and hinder %.4g of the coordinates, where the equation holds"},
	} {
		if drive, ok := n.Columns[bias.drive]; ok {
			lines = append(lines, fmt.Sprintf("  %s bias: size %.4g of the main term; dN/dt %.6g; "+bias.says,
				bias.what, n.Columns[bias.share], drive, n.Columns[bias.effect+"penalized"], n.Columns[bias.effect+"hindered"]))
		}
	}
	if cosine, ok := n.Columns["bias.cosine"]; ok {
		lines = append(lines, fmt.Sprintf("  cosine between them %.4g", cosine))
	}
	lines = append(lines, fmt.Sprintf("  dN/dt: %.6g by the main term, %.6g as it is over the step", n.Columns["drive.main"], n.Columns["drive.observed"]))
	if defect, ok := n.Columns["monitor.state_defect"]; ok {
		lines = append(lines, fmt.Sprintf("  the equation with memory as state predicts the step to %.3g of its length", defect))
	}
	return lines
}
