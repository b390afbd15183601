package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/internal/visible"
)

// passes is the training loss at whose first passing runs are compared.
const passes = 0.01

// Sentences says what the run found.
func (r *Report) Sentences() []string {
	var out []string
	for _, f := range []func() string{
		r.saySetting, r.sayGroups, r.sayConventions, r.sayLoss, r.sayHill, r.sayPassing, r.sayRealized, r.sayReach, r.sayClipping, r.sayClippedElements, r.sayPrediction, r.sayState, r.sayFlow, r.saySharpness, r.saySpectrum,
		r.sayNoise,
	} {
		if s := f(); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// saySchedule names a schedule, and its warmup where it has one.
func saySchedule(s config.Schedule) string {
	text := "schedule " + s.Shape
	if s.Warmup > 0 {
		text += " with a warmup of " + plural.Of(s.Warmup, "step")
	}
	return text
}

func (r *Report) saySetting() string {
	o := r.Config.Optimizer
	settings := []string{"lr " + number(o.LR)}
	always := []string{"beta1", "beta2", "momentum", "eps"}
	for _, key := range always {
		if v, ok := o.Values[key]; ok {
			settings = append(settings, fmt.Sprintf("%s %v", key, v))
		}
	}
	if decay, ok := o.Values["weight_decay"]; ok && decay != 0.0 {
		settings = append(settings, fmt.Sprintf("weight_decay %v", decay))
	}
	for _, k := range o.Deviations() {
		if v := o.Values[k.Name]; !slices.Contains(always, k.Name) && (k.Name != "weight_decay" || v == 0.0) {
			settings = append(settings, fmt.Sprintf("%s %v", k.Name, v))
		}
	}
	if shape := r.Config.Schedule; shape.Warmup > 0 || shape.Shape != "constant" {
		settings = append(settings, saySchedule(shape))
	}
	if with := o.Conditioning(); with.Active() {
		settings = append(settings, with.String())
	}
	if o.SAM > 0 {
		settings = append(settings, fmt.Sprintf("sam %v", o.SAM))
	}
	if r.penalized() {
		settings = append(settings, fmt.Sprintf("regularizer %s of weight %v", r.Config.Regularizer.Kind, r.Config.Regularizer.Weight))
	}
	if scale := r.Config.Bias.Scale; scale != 0 {
		settings = append(settings, fmt.Sprintf("bias.scale %v", scale))
	}
	s := fmt.Sprintf("%s (%s) on %s", o.Name, strings.Join(settings, ", "), minimized(r.Config))
	if r.Result == nil {
		return s + ": the run has not ended."
	}
	end := map[run.Status]string{
		run.Finished:    "took all its %s",
		run.LossReached: "reached its training loss after %s",
		run.TimeUp:      "ran out of time after %s",
		run.Diverged:    "diverged after %s",
	}[r.Result.Status]
	regime := fmt.Sprintf(" and was %s", r.Result.Regime)
	switch {
	case r.Result.Regime == diagnose.Unknown:
		regime = " and its regime is not known, for the loss over all examples was not measured"
	case r.Result.Regime == diagnose.Diverged && r.Result.Status == run.Diverged:
		regime = ""
	case r.Result.Regime == diagnose.Diverged:
		regime = ", and diverged: its last loss is more than twice the first, or no number"
	}
	if every := r.Result.RegimeEvery; every > 1 {
		regime += fmt.Sprintf(", as far as records %s steps apart tell", plural.Grouped(every))
	}
	examples := ", " + plural.Of(r.Result.Examples, "example")
	if r.watched() { // what the loop trains on, and when it ends, is its own
		examples = ""
		if r.Result.Status == run.Finished {
			end = "took %s"
		}
	}
	if n := r.Result.Untrained; n > 0 {
		examples += fmt.Sprintf(", %s of them in no mini-batch and not trained on", plural.Grouped(n))
	}
	return fmt.Sprintf("%s: %s%s; the run %s in %s s%s.", s, plural.Of(r.Result.Parameters, "parameter"), examples,
		fmt.Sprintf(end, r.stepsTaken()), number(r.Result.Seconds), regime)
}

// stepsTaken counts the steps of the run itself, beside those that its optimizer remembers from elsewhere.
func (r *Report) stepsTaken() string {
	s := plural.Of(r.Result.Taken(), "step")
	if r.Result.Before > 0 {
		s += fmt.Sprintf(", from %s to %s, behind the %s that left its moments,",
			plural.Grouped(r.Result.Before), plural.Grouped(r.Result.Step), plural.Grouped(r.Result.Before))
	}
	return s
}

// sayGroups says which weights have settings of their own, and how many they are.
func (r *Report) sayGroups() string {
	if r.Result == nil || r.Result.Groups == nil {
		return ""
	}
	var groups []string
	for _, g := range r.Result.Groups {
		groups = append(groups, g.String())
	}
	return "Groups: " + strings.Join(groups, "; ") + "."
}

// sayConventions says whose conventions the optimizer's defaults are. A loop in Python has those of its library.
func (r *Report) sayConventions() string {
	if r.watched() {
		return ""
	}
	return r.Config.Optimizer.Conventions()
}

// minimized says what loss a config is about, and what a step sees of it.
func minimized(c *config.Config) string {
	loss := c.Objective.Name
	if loss == config.Network {
		loss = c.Data.Name + " with " + c.Model.Name
	}
	if loss == config.Worker {
		loss = visible.Name(strings.Join(c.Objective.Command, " "))
	}
	switch {
	case loss == config.Watched:
		return "a loop in Python, watched"
	case !c.Batch.Mini():
		return loss + ", full batch"
	case c.Objective.Name == config.Network:
		return fmt.Sprintf("%s, %s mini-batches of %d", loss, c.Batch.Mode, c.Batch.Size)
	}
	return fmt.Sprintf("%s, %s batches", loss, c.Batch.Mode)
}

// overAll names the column over all training examples of what is also recorded of the batch that a step sees, and says of which examples it is: with
// mini-batches, where it was not recorded over all, of one batch.
func (r *Report) overAll(name string) (column, whose string) {
	column, all := run.OverAll(r.Config, r.History, name)
	switch {
	case !r.Config.Batch.Mini():
		return column, ""
	case all:
		return column, " over all examples"
	}
	return column, " of single batches"
}

// ofBatch says of the gradient that a step sees whose it is.
func (r *Report) ofBatch() string {
	if !r.Config.Batch.Mini() {
		return ""
	}
	return " of the step's own batch"
}

func (r *Report) sayLoss() string {
	column, whose := r.overAll("loss")
	_, loss := r.column(column)
	if len(loss) == 0 {
		return ""
	}
	s := fmt.Sprintf("Training loss%s went from %s to %s", whose, number(loss[0]), number(loss[len(loss)-1]))
	for _, score := range []struct {
		column, name string
		write        func(float64) string
	}{{"accuracy", "accuracy", percent}, {"r2", "R²", number}} {
		column, whose := r.overAll(score.column)
		if _, v := r.column(column); len(v) > 0 {
			s += fmt.Sprintf(", %s%s to %s", score.name, whose, score.write(v[len(v)-1]))
		}
	}
	for _, test := range []struct {
		column, says string
		best         func([]float64) float64
		write        func(float64) string
	}{
		{"test_accuracy", "test accuracy ended at %s, its best was %s", slices.Max[[]float64], percent},
		{"test_bits_per_byte", "bits per byte of the test data ended at %s, their least was %s", slices.Min[[]float64], number},
		{"test_r2", "test R² ended at %s, its best was %s", slices.Max[[]float64], number},
	} {
		if _, v := r.column(test.column); len(v) > 0 {
			s += "; " + fmt.Sprintf(test.says, test.write(v[len(v)-1]), test.write(test.best(v)))
		}
	}
	return s + "."
}

func (r *Report) sayHill() string {
	column, whose := r.overAll("excess")
	steps, excess := r.column(column)
	if len(excess) < 2 {
		return ""
	}
	top := 0
	for i, v := range excess {
		if v > excess[top] {
			top = i
		}
	}
	norm := "The excess perturbed one-norm of the gradient" + whose
	first, last := excess[0], excess[len(excess)-1]
	switch {
	case top == 0:
		return fmt.Sprintf("%s went from %s, its largest, to %s.", norm, number(first), number(last))
	case top == len(excess)-1:
		return fmt.Sprintf("%s went from %s to %s, its largest.", norm, number(first), number(last))
	}
	return fmt.Sprintf("%s went from %s to its largest, %s, at step %s, and ended at %s.", norm, number(first), number(excess[top]), number(steps[top]), number(last))
}

// sayPassing tells the norm at a loss as the tables of sweeps do: between the records on both sides, so that it does not depend on how often
// there was one.
func (r *Report) sayPassing() string {
	lossColumn, whose := r.overAll("loss")
	excessColumn, ofExcess := r.overAll("excess")
	losses, steps := r.History.Floats(lossColumn), r.History.Floats("step")
	excess := r.History.Floats(excessColumn)
	if losses == nil || steps == nil || excess == nil {
		return ""
	}
	step, norm := sweep.AtLoss(losses, steps, passes), sweep.AtLoss(losses, excess, passes)
	if !finite(step) || !finite(norm) {
		return ""
	}
	return fmt.Sprintf("When training loss%s first passed %v, at step %s, the excess norm%s was %s.",
		whose, passes, number(step), ofExcess, number(norm))
}

func (r *Report) sayFlow() string {
	var parts, gone []string
	last, nearest := math.Inf(-1), math.Inf(1)
	if steps := r.History.Floats("step"); len(steps) > 0 {
		last = steps[len(steps)-1]
		if start := steps[0] + float64(r.Config.Flow.Start); len(r.Config.Beside) > 0 && last <= start {
			return fmt.Sprintf("No equation began: %s would from step %s on, behind the flow.start of %s, and the record ends at step %s.",
				strings.Join(r.Config.Beside, ", "), number(start), plural.Of(r.Config.Flow.Start, "step"), number(last))
		}
	}
	for _, name := range r.Config.Beside {
		steps, d := r.column(name + ".relative_distance")
		if len(d) == 0 {
			if r.History.Index(name+".relative_distance") >= 0 {
				gone = append(gone, name+" before its first record")
			}
			continue
		}
		if at := steps[len(steps)-1]; at < last {
			gone = append(gone, fmt.Sprintf("%s behind step %s, at %s", name, number(at), number(d[len(d)-1])))
			continue
		}
		nearest = min(nearest, d[len(d)-1])
		part := fmt.Sprintf("%s of it from %s", number(d[len(d)-1]), name)
		if _, n := r.column(name + ".negative"); len(n) > 0 && n[len(n)-1] > 0 {
			part += fmt.Sprintf(" (where what cannot be negative was, and counted as 0, %s times)", number(n[len(n)-1]))
		}
		parts = append(parts, part)
	}
	var out []string
	if len(parts) > 0 {
		out = append(out, fmt.Sprintf("Over the way that the iterates went since the equations began, they ended at a distance of %s.", strings.Join(parts, ", of ")))
	}
	if worse := r.sayWorse(); worse != "" {
		out = append(out, worse)
	}
	if _, floor := r.column("iterates.rounding"); len(floor) > 0 && nearest < r.roundingBetween() {
		out = append(out, fmt.Sprintf("Rounding to %s may make %s of it: the least of these distances may be nothing else.", r.Config.DType, number(floor[len(floor)-1])))
	}
	if len(gone) > 0 {
		out = append(out, fmt.Sprintf("Not to the end came %s; the log says why.", strings.Join(gone, ", ")))
	}
	return strings.Join(out, " ")
}
