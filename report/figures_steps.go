package report

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
)

// stepsFigure shows what changes the steps beside the loss: their size, what clipping leaves of the gradient, and what both do to the norm.
func (r *Report) stepsFigure() *Chart {
	c := &Chart{Labels: Label{"steps", "What changes the steps",
		"The size of each step, where there are groups of weights that of each; the factor by which the norm of its gradient, and the fraction of its elements that, were clipped; and parts of the change of the perturbed one-norm N, per unit of time: by the realized bias, by clipping the gradient of the step itself, and by the change of lr in the bias that the second-order equation predicts. " + shadedMeans}}
	for _, axes := range []Axes{
		{Y: "lr", Zero: true, Series: r.stepSizes()},
		{Y: "clipping", Zero: true, Series: []Series{r.line("clip.factor", "factor of the norm", 1, 0), r.line("clip.share", "fraction of elements", 3, 1)}},
	} {
		if axes.drawable() {
			c.Axes = append(c.Axes, axes)
		}
	}
	drives := Axes{Y: r.withUnit("dN/dt", "drive.main"), Zero: true, Series: []Series{
		r.line("drive.realized", "realized bias, -q.b", 2, 0), r.line("drive.clip", "clipping, -q.(U - U')", 1, 1),
		r.predicted("drive.schedule", "change of lr, -h q.(C - C')", 4, 2),
	}}
	if len(drives.Series[2].X) > 0 {
		drives.Shaded = r.beyond()
	}
	drives.MinY, drives.MaxY = reach(drives.Series[:2]...)
	if len(c.Axes) > 0 && drives.drawable() {
		c.Axes = append(c.Axes, drives)
	}
	return c
}

// stepSizes returns lr as a curve, with groups of weights one for each size that moves some, which are factors of the optimizer's lr.
func (r *Report) stepSizes() []Series {
	o := r.Config.Optimizer
	all := r.line("lr", "lr", 0, 0)
	if len(o.Groups) == 0 {
		return []Series{all}
	}
	var out []Series
	names := map[float64]int{}
	for group := range len(o.Groups) + 1 {
		lr, holds := o.Part(group).LR, o.Holds(group)
		if lr == 0 || !r.moves(holds) {
			continue
		}
		if i, ok := names[lr]; ok {
			out[i].Name += ",\n" + holds
			continue
		}
		names[lr] = len(out)
		curve := Series{Name: holds, X: all.X, Color: len(out), Dash: len(out)}
		for _, y := range all.Y {
			curve.Y = append(curve.Y, y*lr/o.LR)
		}
		out = append(out, curve)
	}
	return out
}

// moves reports whether any weight is in a group; as far as is known before the end, one is.
func (r *Report) moves(holds string) bool {
	return r.Result == nil || r.Result.Groups == nil || slices.ContainsFunc(r.Result.Groups, func(g run.Group) bool { return g.Holds == holds })
}

// sayClippedElements says how many elements of the gradient were clipped.
func (r *Report) sayClippedElements() string {
	_, shares := r.column("clip.share")
	most, steps := 0.0, 0
	for _, s := range shares {
		if most = max(most, s); s > 0 {
			steps++
		}
	}
	switch {
	case len(shares) == 0:
		return ""
	case steps == 0:
		return fmt.Sprintf("No element of the gradient%s was beyond optimizer.clip_value at any of %s.", r.ofBatch(), plural.Of(len(shares), "recorded step"))
	}
	return fmt.Sprintf("Elements of the gradient%s were clipped at %d of %s, up to %s of them.", r.ofBatch(), steps, plural.Of(len(shares), "recorded step"), percent(most))
}

// sayClipping says how often the gradient's norm was clipped, and what that did to N.
func (r *Report) sayClipping() string {
	_, factors := r.column("clip.factor")
	var active []float64
	for _, f := range factors {
		if f < 1 {
			active = append(active, f)
		}
	}
	switch {
	case len(factors) == 0, len(active) == 0 && r.watched(): // a watch does not know whether there is a bound
		return ""
	case len(active) == 0:
		return fmt.Sprintf("The norm of the gradient%s was within its bound at %s: it was not clipped.", r.ofBatch(), every(len(factors), "recorded"))
	}
	s := fmt.Sprintf("The norm of the gradient%s was clipped at %d of %s, to %s of it in the median", r.ofBatch(), len(active), plural.Of(len(factors), "recorded step"), percent(stats.Median(active)))
	drives, overreaching := r.together("drive.clip", "drive.main", "step"), r.overreaching()
	sizes, raised := []float64{}, 0
	for i, v := range drives[0] {
		if v == 0 || drives[1][i] == 0 || overreaching[drives[2][i]] > 0 {
			continue
		}
		if sizes = append(sizes, math.Abs(v/drives[1][i])); v > 0 {
			raised++
		}
	}
	if len(sizes) == 0 {
		return s + "."
	}
	return fmt.Sprintf("%s; of the %d of those where it was measured that raised dN/dt at %d and lowered it at %d, by %s of the main drive in the median.", s, len(sizes), raised, len(sizes)-raised, percent(stats.Median(sizes)))
}
