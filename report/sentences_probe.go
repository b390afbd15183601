package report

import (
	"fmt"
	"math"

	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
)

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
		fmt.Sprintf("%s (%s, %s)", loss, plural.Of(p.Parameters, "parameter"), plural.Of(p.Examples, "example")),
		fmt.Sprintf("gradient: perturbed one-norm %.9g (excess %.9g), one-norm %.9g, two-norm %.9g, largest %.9g", p.Perturbed, p.Excess, p.One, p.Two, p.Max),
	}
	for _, note := range p.Notes {
		lines = append(lines, "note: "+note)
	}
	if p.PredictedBias == nil {
		return append(append(lines, "no predicted bias: "+p.NoPrediction), nextStep(p.Next)...)
	}
	return append(append(lines, predictedHere(p)...), nextStep(p.Next)...)
}

// predictedHere says what the second-order equation predicts at a point, where the step from there does not speak against that.
func predictedHere(p *run.Probed) []string {
	const subject = "predicted bias (second order, memory full): "
	mainTerm := fmt.Sprintf("  dN/dt: %.6g by the main term", p.MainDrive)
	reach := "nothing here says whether it is that of steps, which --moments tell of the next one, and a run of all"
	switch n := p.Next; {
	case p.WithoutMemory:
		return []string{"no realized bias: the optimizer remembers nothing, so that its update U is F, that without memory",
			subject + "not shown as the bias here, for the step of such an optimizer has it by construction, up to higher orders of lr", mainTerm}
	case n != nil && n.Second != run.BornOut.String():
		return []string{subject + "not shown as the bias here, for the step from here does not bear it out", mainTerm}
	case n != nil:
		reach = "it is that of the step from here"
	case p.Share >= 1:
		reach = "no correction there, but larger than what it corrects: do not take it for what happens"
	}
	return []string{
		fmt.Sprintf("%ssize %.4g of the main term; %s", subject, p.Share, reach),
		fmt.Sprintf("  it would penalize %.4g and hinder %.4g of the coordinates (%.4g and %.4g of sum |q|)",
			p.Penalized, p.Hindered, p.PenalizedWeight, p.HinderedWeight),
		fmt.Sprintf("%s, %.6g by the predicted bias", mainTerm, p.PredictedDrive),
	}
}

// saysOfStep says what a step says of the second-order equation, in the words of a run's sentences.
func saysOfStep(n *run.NextStep) string {
	const predicts = "the second-order equation predicts the step from here "
	cosine := float64(n.Columns["bias.cosine"])
	switch n.Second {
	case run.Worse.String():
		return fmt.Sprintf("%sworse than no correction (%s)", predicts, times(float64(n.Columns[monitor])))
	case run.Hardly.String():
		return predicts + "better than no correction, but by less than a tenth"
	case run.Against.String():
		return fmt.Sprintf("%sbetter than no correction, but for its term without memory alone: what it says of the memory goes against the realized bias, at a cosine of %s", predicts, number(cosine))
	case run.BornOut.String():
		return fmt.Sprintf("%sbetter than no correction, by a tenth or more and with a bias along the realized one, at a cosine of %s", predicts, number(cosine))
	case run.Idle.String():
		return "the step from here has no bias to compare it with"
	}
	if n.NoRealized != "" {
		return "nothing realized stands beside it: " + n.NoRealized
	}
	return "rounding hides what it misses of the step from here: dtype float64 tells more"
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
	lines = append(lines, fmt.Sprintf("the step from here, with the moments that %s left (two-norm %.4g):", plural.Of(n.Steps, "step"), n.Columns["step_norm"]))
	if drive, ok := n.Columns["drive.realized"]; ok {
		lines = append(lines, fmt.Sprintf("  realized bias: size %.4g of the main term; dN/dt %.6g; it penalizes %.4g and hinders %.4g of the coordinates",
			n.Columns["bias.realized_share"], drive, n.Columns["realized.penalized"], n.Columns["realized.hindered"]))
	} else if n.NoRealized != "" {
		lines = append(lines, "  no realized bias: "+n.NoRealized)
	}
	if drive, ok := n.Columns["drive.predicted"]; ok && n.Second == run.BornOut.String() {
		lines = append(lines, "  predicted bias: "+saysOfStep(n),
			fmt.Sprintf("    size %.4g of the main term; dN/dt %.6g; it penalizes %.4g and hinders %.4g of the coordinates",
				n.Columns["bias_share"], drive, n.Columns["penalized"], n.Columns["hindered"]))
	} else if ok {
		lines = append(lines, "  predicted bias: not shown as this step's, for "+saysOfStep(n))
	}
	lines = append(lines, fmt.Sprintf("  dN/dt: %.6g by the main term, %.6g as it is over the step", n.Columns["drive.main"], n.Columns["drive.observed"]))
	switch defect, ok := n.Columns["monitor.state_defect"]; {
	case !ok:
	case math.IsInf(float64(defect), 1):
		lines = append(lines, "  the equation with memory as state cannot be followed through the step")
	default:
		lines = append(lines, fmt.Sprintf("  the equation with memory as state predicts the step to %.3g of its length", defect))
	}
	return lines
}
