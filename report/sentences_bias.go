package report

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/experiment/run"
	"shadowflow/internal/stats"
)

// beyondRange is the defect of the second-order equation over that of the first from which its prediction is not spoken of: it predicts the
// step worse than no correction.
const beyondRange = 1

// clearlyBetter is the same ratio where it takes a tenth off the error: below it the predicted bias is compared with the realized one.
const clearlyBetter = 0.9

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
			n, number(stats.Median(worse)))
	case len(worse) == 0:
		return fmt.Sprintf("The second-order equation predicts steps better than no correction at all %d measured steps%s.", n, r.explanation())
	default:
		return fmt.Sprintf("The second-order equation predicts steps worse than no correction at %d of %d measured steps (%s times, in the median): its bias is not shown as this run's bias there. At the other %d it predicts them better%s.",
			len(worse), n, number(stats.Median(worse)), n-len(worse), r.explanation())
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
	s, size, along := "", stats.Median(explained), "along"
	if size < 0 {
		along = "against"
	}
	switch {
	case math.Abs(size) > 2:
		s = fmt.Sprintf("; %s its bias the realized one is %s times as large", along, number(math.Abs(size)))
	case size < 0:
		s = fmt.Sprintf("; the realized one goes against its bias, by %s of it", percent(-size))
	default:
		s = fmt.Sprintf("; of its bias %s is realized", percent(size))
	}
	s += fmt.Sprintf(", at a cosine of %s with the realized one (medians of %d)", number(stats.Median(cosine)), len(cosine))
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
		return r.sayStateIsHidden()
	}
	holds := 0
	for _, v := range defect {
		if v < run.StateHolds {
			holds++
		}
	}
	if len(defect) == 1 {
		return fmt.Sprintf("With the memory as state the equation of order 2 missed the one step that was measured by %s of its length.", percent(defect[0]))
	}
	s := fmt.Sprintf("With the memory as state the equation of order 2 misses a step by %s of its length (median of %d)", percent(stats.Median(defect)), len(defect))
	switch holds {
	case len(defect):
		return s + ": it holds."
	case 0:
		return s + ": it does not hold."
	}
	return s + fmt.Sprintf(": it holds at %d of them, to %s.", holds, percent(run.StateHolds))
}

// sayStateIsHidden says that rounding hides whether it holds, where it does so at some step.
func (r *Report) sayStateIsHidden() string {
	at := r.together("step_rounding", "step_norm")
	for i, rounding := range at[0] {
		if r.History.Index("monitor.state_defect") >= 0 && run.HidesDefects(rounding, at[1][i]) {
			return fmt.Sprintf("What the equation of order 2 with the memory as state misses of a step is within what rounding to %s makes: whether it holds is not told; dtype float64 tells more.", r.Config.DType)
		}
	}
	return ""
}

// Standing says in a few words where a run stands that goes on.
func Standing(at run.Progress) string {
	bias := "+ raises"
	switch {
	case math.IsNaN(at.RealizedDrive):
		bias = "not measured"
	case at.RealizedDrive < 0:
		bias = "- lowers"
	case at.RealizedDrive == 0:
		bias = "none"
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
