package run

import (
	"errors"
	"fmt"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
)

// fullGauges are the columns of what mini-batches do not show.
type fullGauges struct {
	loss, excess *Gauge
	score        scored
}

func newFullGauges(lossUnit string, s *score) *fullGauges {
	return &fullGauges{
		loss:   gauge("full_loss", lossUnit, "training loss over all examples"),
		excess: gauge("full_excess", "loss/parameter", "excess of the perturbed one-norm N of the gradient over all examples"),
		score:  s.gauge("full_", "all training examples"),
	}
}

func (g *fullGauges) set(e objective.Evaluation, excess float64) {
	g.loss.Set(e.Loss)
	g.score.set(e)
	g.excess.Set(excess)
}

// effectGauges say on which coordinates a bias makes N fall, and on which rise.
type effectGauges struct{ penalized, hindered, penalizedWeight, hinderedWeight *Gauge }

// newEffectGauges makes them for a bias, a letter and a name.
func newEffectGauges(prefix, bias, letter string) effectGauges {
	return effectGauges{
		penalized:       gauge(prefix+"penalized", "", fmt.Sprintf("fraction of coordinates that %s moves so that N falls: %s_j q_j > 0 with q = grad N", bias, letter)),
		hindered:        gauge(prefix+"hindered", "", fmt.Sprintf("fraction of coordinates that %s moves so that N rises", bias)),
		penalizedWeight: gauge(prefix+"penalized_weight", "", "fraction of sum_j |q_j| on coordinates so penalized"),
		hinderedWeight:  gauge(prefix+"hindered_weight", "", "fraction of sum_j |q_j| on coordinates so hindered"),
	}
}

func (g effectGauges) set(b diagnose.Bias) {
	g.penalized.Set(b.PenalizedCoordinates)
	g.hindered.Set(b.HinderedCoordinates)
	g.penalizedWeight.Set(b.PenalizedWeight)
	g.hinderedWeight.Set(b.HinderedWeight)
}

// predictedGauges are the columns of the bias that the second-order equation predicts, and of how well it predicts steps.
type predictedGauges struct {
	effects                        *modeq.Effects
	share, critical                *Gauge
	effect                         effectGauges
	first, second, secondOverFirst *Gauge
	rounding                       *Gauge
}

// newPredictedGauges makes them; without effects there is no critical gradient. The step of an optimizer that remembers nothing is its second-order
// equation's by Taylor's formula, however wild the run: there its defect is rounding, and no monitor. Nor is it one where a regularizer moves the
// optimizer, too, for the equation is of the loss without it.
func newPredictedGauges(effects *modeq.Effects, monitored bool) *predictedGauges {
	const bias = "the bias that the second-order equation predicts"
	g := &predictedGauges{
		effects: effects,
		share:   gauge("bias_share", "", "||h C|| / ||F||: size of "+bias+" beside the main term"),
		effect:  newEffectGauges("", bias, "C"),
		first:   gauge("defect_1", "parameter", "two-norm of the step less what the modified equation of order 1 makes of it to second order in h, -h F + (h^2/2) F'F"),
		second:  gauge("defect_2", "parameter", "two-norm of the step less what that of order 2 makes of it to second order in h, -h F - h^2 C + (h^2/2) F'F"),
	}
	g.rounding = gauge("step_rounding", "parameter", "two-norm of what rounding the parameters to dtype makes of a step: defects and distances of this size may be nothing else")
	if monitored {
		g.secondOverFirst = gauge("monitor.second_over_first", "", "defect_2 / defect_1: below 1 the second-order equation predicts the step better than no correction; its bias may be spoken of where it is below 0.9 and bias.cosine is above 0. Not recorded where defect_1 is within 3 times step_rounding")
	}
	if effects != nil {
		g.critical = gauge("critical_gradient", "loss/parameter", "g*: the |g_j| at which it changes between penalizing and hindering; the smallest if there are several")
	}
	return g
}

// set sets the gauges of the bias in a step.
func (g *predictedGauges) set(b diagnose.Bias, step int) {
	g.share.Set(b.Share)
	g.effect.set(b)
	// A rule of the user's may give no number for sizes that no gradient has: no reason to end the run.
	if g.critical == nil {
		return
	}
	if sizes, err := g.effects.Critical(step); err == nil && len(sizes) > 0 {
		g.critical.Set(sizes[0])
	}
}

// aboveRounding is how many times the rounding of a step its defect must be to say anything.
const aboveRounding = 3

func (g *predictedGauges) setDefects(d diagnose.Defects, rounding float64) {
	g.first.Set(d.First)
	g.second.Set(d.Second)
	g.rounding.Set(rounding)
	if d.First > aboveRounding*rounding && g.secondOverFirst != nil {
		g.secondOverFirst.Set(d.Second / d.First)
	}
}

// realizedGauges are the columns of the realized bias.
type realizedGauges struct {
	cosine, explained *Gauge // nil where nothing is predicted
	share             *Gauge
	effect            effectGauges
}

func newRealizedGauges(compared bool) *realizedGauges {
	g := &realizedGauges{
		share:  gauge("bias.realized_share", "", "||b|| / ||F||: size of the realized bias b = U - F beside the main term; the step is -h U"),
		effect: newEffectGauges("realized.", "the realized bias", "b"),
	}
	if compared {
		g.cosine = gauge("bias.cosine", "", "cosine between the realized bias b and what of the predicted one, h C, is memory's: h C - (h/2) F'F")
		g.explained = gauge("bias.explained", "", "projection of b on that: how much of the predicted bias is realized; 1 where all of it is, negative where b has the opposite direction")
	}
	return g
}

func (g *realizedGauges) set(b diagnose.Bias) {
	g.share.Set(b.Share)
	g.effect.set(b)
}

func (g *realizedGauges) compare(l diagnose.Likeness) {
	if l == (diagnose.Likeness{}) { // one of them is nothing, as at the first step
		return
	}
	g.cosine.Set(l.Cosine)
	g.explained.Set(l.Explained)
}

// realizable says why U - F is not the bias of a problem's optimizer, or is not known; nil if it is.
func realizable[T graph.Float](p *Problem[T], o *Optimizer[T]) error {
	if o.penalty != nil {
		return errors.New("a regularizer moves the optimizer, too, and its part of the step would count as bias")
	}
	if m := p.Rule.Memory; m != nil && !m.Remembers() && p.BiasScale == 0 {
		return fmt.Errorf("optimizer %s remembers nothing, so that its update U is F, that without memory", p.Rule.Name)
	}
	_, err := p.Rule.Settled()
	return err
}
