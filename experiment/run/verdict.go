package run

import (
	"math"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
)

// A Verdict is what a step says of the second-order equation without memory. Whatever speaks of what the equation predicts as of what happens in a run,
// or shows it as that, asks it.
type Verdict int

const (
	// Unknown: the step was not measured, or rounding hides what the equation misses of it.
	Unknown Verdict = iota
	// Idle: there is no bias to correct, or none to compare with, as at the first step.
	Idle
	// Worse than no correction, or no better, is what the equation predicts of the step.
	Worse
	// Hardly better: it takes less than a tenth off the error.
	Hardly
	// Against: it takes more off the error, but what it says of the memory has the opposite direction of what is realized. Its other term,
	// (h/2) F'F, can make that.
	Against
	// BornOut: it takes a tenth or more off the error, and what it says of the memory does not go against what is realized.
	BornOut
)

// String returns the verdict as JSON has it.
func (v Verdict) String() string {
	return [...]string{"unknown", "idle", "worse", "hardly better", "against the realized bias", "borne out"}[v]
}

// Judged reports whether a step says anything for the equation, or against it.
func (v Verdict) Judged() bool { return v >= Worse }

// CountBornOut returns how many steps there are that say anything of the equation, and how many of them bear it out.
func CountBornOut(verdicts []Verdict) (bornOut, judged int) {
	for _, v := range verdicts {
		if v.Judged() {
			judged++
		}
		if v == BornOut {
			bornOut++
		}
	}
	return bornOut, judged
}

// clearlyBetter is monitor.second_over_first where the second-order equation takes a tenth off the error of a step.
const clearlyBetter = 0.9

// VerdictOf returns what a step says by its monitor.second_over_first and bias.cosine, NaN where they were not measured.
func VerdictOf(ratio, cosine float64) Verdict {
	switch {
	case math.IsNaN(ratio):
		return Unknown
	case ratio == 1 || math.IsNaN(cosine) && ratio < 1:
		return Idle
	case ratio > 1:
		return Worse
	case ratio >= clearlyBetter:
		return Hardly
	case cosine <= 0:
		return Against
	}
	return BornOut
}

// Verdicts returns what each row of a record says. One without bias.cosine says nothing, as no realized bias stands beside the predicted one.
func Verdicts(h record.Measurements) []Verdict {
	ratios, cosines := h.Floats("monitor.second_over_first"), h.Floats("bias.cosine")
	out := make([]Verdict, h.Len())
	if cosines == nil {
		return out
	}
	for i, ratio := range ratios {
		out[i] = VerdictOf(ratio, cosines[i])
	}
	return out
}

// Incomparable is the overreach above which drives are not compared with the main one.
const Incomparable = 1

// Overreaches returns how far the update without memory reaches at each row of a record: lr |drive.main| over N, the excess norm over all examples. It is
// by how many times N itself the main term alone would change N within a step, NaN where the bias was not measured. Above [Incomparable] no step goes
// where that update points, and its rate is of no use as a measure: AdaBelief's, whose second moment settles to nothing but eps while the gradient stays,
// is a million times the gradient, and whatever the steps do is then a bias of -100% of it.
func Overreaches(c *config.Config, h record.Measurements) []float64 {
	out := make([]float64, h.Len())
	excess := h.Floats("excess")
	if c.Batch.Mini() {
		excess = h.Floats("full_excess")
	}
	main, lr := h.Floats("drive.main"), h.Floats("lr")
	for i := range out {
		out[i] = math.NaN()
		if main == nil || excess == nil || math.IsInf(main[i], 0) {
			continue
		}
		step := c.Optimizer.LR
		if lr != nil {
			step = lr[i]
		}
		out[i] = step * math.Abs(main[i]) / excess[i]
	}
	return out
}
