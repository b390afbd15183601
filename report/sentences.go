package report

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
)

// passes is the training loss at whose first passing runs are compared.
const passes = 0.01

// Sentences says what the run found.
func (r *Report) Sentences() []string {
	var out []string
	for _, f := range []func() string{
		r.saySetting, r.sayLoss, r.sayHill, r.sayPassing, r.sayBias, r.sayReach, r.sayDefect, r.sayFlow, r.saySharpness, r.sayNoise,
	} {
		if s := f(); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (r *Report) saySetting() string {
	o := r.Config.Optimizer
	settings := []string{"lr " + number(o.LR)}
	for _, key := range []string{"beta1", "beta2", "eps"} {
		if v, ok := o.Values[key]; ok {
			settings = append(settings, fmt.Sprintf("%s %v", key, v))
		}
	}
	s := fmt.Sprintf("%s (%s) on %s", o.Name, strings.Join(settings, ", "), minimized(r.Config))
	if r.Result == nil {
		return s + ": the run has not ended."
	}
	end := map[run.Status]string{
		run.Finished:    "took all its %s steps",
		run.LossReached: "reached its training loss after %s steps",
		run.TimeUp:      "ran out of time after %s steps",
		run.Diverged:    "diverged after %s steps",
	}[r.Result.Status]
	return fmt.Sprintf("%s: %s parameters, %s examples; the run %s in %s s and was %s.", s, grouped(r.Result.Parameters), grouped(r.Result.Examples),
		fmt.Sprintf(end, grouped(r.Result.Step)), number(r.Result.Seconds), r.Result.Regime)
}

// minimized says what loss a config is about, and what a step sees of it.
func minimized(c *config.Config) string {
	loss := c.Objective.Name
	if loss == config.Network {
		loss = c.Data.Name + " with " + c.Model.Name
	}
	switch {
	case c.Batch.Mode == "full":
		return loss + ", full batch"
	case c.Objective.Name == config.Network:
		return fmt.Sprintf("%s, %s mini-batches of %d", loss, c.Batch.Mode, c.Batch.Size)
	}
	return fmt.Sprintf("%s, %s batches", loss, c.Batch.Mode)
}

func (r *Report) sayLoss() string {
	_, loss := r.column("loss")
	if len(loss) == 0 {
		return ""
	}
	s := fmt.Sprintf("Training loss went from %s to %s", number(loss[0]), number(loss[len(loss)-1]))
	if _, accuracy := r.column("accuracy"); len(accuracy) > 0 {
		s += ", accuracy to " + percent(accuracy[len(accuracy)-1])
	}
	if _, test := r.column("test_accuracy"); len(test) > 0 {
		s += fmt.Sprintf("; test accuracy ended at %s, its best was %s", percent(test[len(test)-1]), percent(slices.Max(test)))
	}
	return s + "."
}

func (r *Report) sayHill() string {
	steps, excess := r.column("excess")
	if len(excess) < 2 {
		return ""
	}
	top := 0
	for i, v := range excess {
		if v > excess[top] {
			top = i
		}
	}
	first, last := excess[0], excess[len(excess)-1]
	switch {
	case top == 0:
		return fmt.Sprintf("The excess perturbed one-norm of the gradient fell from %s to %s.", number(first), number(last))
	case top == len(excess)-1:
		return fmt.Sprintf("The excess perturbed one-norm of the gradient rose from %s to %s.", number(first), number(last))
	}
	return fmt.Sprintf("The excess perturbed one-norm of the gradient rose from %s to %s at step %s, then fell to %s.",
		number(first), number(excess[top]), number(steps[top]), number(last))
}

func (r *Report) sayPassing() string {
	steps, loss := r.column("loss")
	_, excess := r.column("excess")
	for i, v := range loss {
		if v < passes && i < len(excess) && i > 0 {
			return fmt.Sprintf("When training loss first passed %v, at step %s, the excess norm was %s.", passes, number(steps[i]), number(excess[i]))
		}
	}
	return ""
}

func (r *Report) sayBias() string {
	_, drive := r.column("drive.predicted")
	_, share := r.column("bias_share")
	if len(drive) == 0 || len(share) == 0 {
		return ""
	}
	hinders := 0
	for _, v := range drive {
		if v > 0 {
			hinders++
		}
	}
	sorted := slices.Clone(share)
	sort.Float64s(sorted)
	s := fmt.Sprintf("The bias hindered the decrease of the norm at %d of %d measured steps and lowered it at %d", hinders, len(drive), len(drive)-hinders)
	return s + fmt.Sprintf("; beside the main term it had a median size of %s, at most %s.", number(sorted[len(sorted)/2]), number(sorted[len(sorted)-1]))
}

func (r *Report) sayReach() string {
	_, penalized := r.column("penalized")
	_, weight := r.column("penalized_weight")
	if len(penalized) == 0 || len(weight) == 0 {
		return ""
	}
	s := fmt.Sprintf("At the end it penalized %s of the coordinates, which hold %s of the norm's gradient, and hindered the others",
		percent(penalized[len(penalized)-1]), percent(weight[len(weight)-1]))
	if _, critical := r.column("critical_gradient"); len(critical) > 0 {
		s += fmt.Sprintf("; elements change sides at the critical gradient size g* = %s", number(critical[len(critical)-1]))
	}
	return s + "."
}

func (r *Report) sayDefect() string {
	_, first := r.column("defect_1")
	_, second := r.column("defect_2")
	n := min(len(first), len(second))
	if n == 0 {
		return ""
	}
	closer := 0
	for i := range n {
		if second[i] < first[i] {
			closer++
		}
	}
	return fmt.Sprintf("One step on, the modified equation of order 2 was closer to the iterate than that of order 1 at %d of %d measured steps.", closer, n)
}

func (r *Report) sayFlow() string {
	var parts []string
	for _, name := range r.Config.Beside {
		if _, d := r.column(name + ".relative_distance"); len(d) > 0 {
			parts = append(parts, fmt.Sprintf("%s of it from %s", number(d[len(d)-1]), name))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("Over the way that the iterates went since the equations began, they ended at a distance of %s.", strings.Join(parts, ", of "))
}

func (r *Report) saySharpness() string {
	steps, sharp := r.column("preconditioned_sharpness")
	_, threshold := r.column("stability_threshold")
	n := min(len(sharp), len(threshold))
	if n == 0 {
		return ""
	}
	top, above := 0, 0
	for i := range n {
		if sharp[i]/threshold[i] > sharp[top]/threshold[top] {
			top = i
		}
		if sharp[i] > threshold[i] {
			above++
		}
	}
	return fmt.Sprintf("Preconditioned sharpness was above its stability threshold of %s at %d of %d measured steps; it came to %s of it at step %s.",
		number(threshold[top]), above, n, percent(sharp[top]/threshold[top]), number(steps[top]))
}

func (r *Report) sayNoise() string {
	_, scale := r.column("noise_scale")
	if len(scale) == 0 {
		return ""
	}
	last := scale[len(scale)-1]
	if math.IsInf(last, 0) {
		return ""
	}
	s := fmt.Sprintf("The gradient noise scale went from %s to %s examples", number(scale[0]), number(last))
	if _, e := r.column("noise_scale_error"); len(e) > 0 {
		s += fmt.Sprintf(", with a standard error of %s at the end", number(e[len(e)-1]))
	}
	return s + "."
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
	return fmt.Sprintf("loss %.3g  norm %.3g  bias %s", at.Loss, at.Excess, bias)
}
