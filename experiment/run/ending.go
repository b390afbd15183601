package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/internal/plural"
	"shadowflow/internal/visible"
)

// columns implements runner.
func (t *training[T]) columns() []record.Column { return t.loop.columns() }

// run implements runner.
func (t *training[T]) run(ctx context.Context, d *record.Dir) (result *Result, err error) {
	t.dir = d
	if t.ended != "" {
		return t.conclude(t.ended)
	}
	l := t.loop
	if err := t.openTimes(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.times.Close()) }()
	if l.watch.before == 0 {
		if err := t.logStart(); err != nil {
			return nil, err
		}
	}
	first := l.Optimizer.Steps()
	ctx, t.rest = context.WithCancel(ctx)
	defer t.rest()
	status, err := l.run(ctx, t)
	switch {
	case err != nil:
		return nil, err
	case status == Interrupted:
		if l.watch.before > 0 || l.Optimizer.Steps() > first { // nothing is lost of a run that has taken no step
			if err := t.checkpoint(""); err != nil {
				return nil, err
			}
		}
		return t.summary(status)
	}
	if err := t.checkpoint(status); err != nil {
		return nil, err
	}
	return t.conclude(status)
}

// openTimes opens the times of the steps, and says what they lack.
func (t *training[T]) openTimes() error {
	var damaged, lost int
	var err error
	if t.times, damaged, lost, err = t.dir.OpenTimes(t.loop.Optimizer.Steps()); err != nil {
		return err
	}
	switch {
	case lost > 0:
		err = t.say("times.csv was damaged, cut or removed: it goes on without the times of %s", plural.Of(lost, "recorded step"))
	case damaged > 0:
		err = t.say("times.csv was damaged: it goes on without %s of it", plural.Of(damaged, "line"))
	}
	if err != nil {
		err = errors.Join(err, t.times.Close())
	}
	return err
}

// say tells a person, and the log.
func (t *training[T]) say(format string, args ...any) error {
	if t.notice != nil {
		t.notice(fmt.Sprintf(format, args...))
	}
	return t.dir.Logf(format, args...)
}

func (t *training[T]) logStart() error {
	c, s, p := t.config, t.source, t.problem
	if err := t.introduceData(); err != nil {
		return err
	}
	var notes []string
	for _, g := range Groups(c.Optimizer, p.Rule) {
		if t.introduce != nil {
			t.introduce("Group: " + g.String())
		}
		if err := t.dir.Logf("group: %v", g); err != nil {
			return err
		}
	}
	for _, note := range s.notesOnNetwork() {
		notes = append(notes, "model.path: "+note)
	}
	for _, note := range s.notesOnWeights() {
		notes = append(notes, "model.weights: "+note)
	}
	for _, note := range p.Moments.notes() {
		notes = append(notes, "optimizer.moments: "+note)
	}
	if s.data != nil {
		notes = append(notes, textNotes(c, s.model, s.data.Train.N(), p.Threads)...)
	}
	for _, note := range notes {
		if err := t.say("%s", note); err != nil {
			return err
		}
	}
	for _, note := range t.leftOut() {
		if err := t.dir.Logf("%s", note); err != nil {
			return err
		}
	}
	if n := t.noise; n != nil && n.adam == nil && p.changed() == "" {
		why := "of Adam and RMSProp, and " + p.Rule.Name + " is neither where eps is small"
		if p.Rule.Parts() != nil {
			why = "of one optimizer for all weights"
		}
		if err := t.dir.Logf("noise.bias_total and noise.flip_batch are not measured: they are %s", why); err != nil {
			return err
		}
	}
	if w := s.worker; w != nil {
		if err := t.dir.Logf("worker %s, process %d: %s; %d training examples, %d test examples", w, w.PID(), visible.Name(w.Info().Worker), w.Info().Train, w.Info().Test); err != nil {
			return err
		}
	}
	if s.data == nil {
		return t.dir.Logf("%s: %s, %s; optimizer %s, lr %s", c.Objective.Name, plural.Of(p.Objective.Dim(), "parameter"), plural.Of(p.Objective.Batches(), "batch"), p.Rule.Name, p.pace())
	}
	return t.dir.Logf("%s on %s: %s, %s, %s; optimizer %s, lr %s",
		c.Model.Name, c.Data.Name, plural.Of(p.Objective.Dim(), "parameter"), plural.Of(s.data.Train.N(), "training example"), plural.Of(s.data.Test.N(), "test example"), p.Rule.Name, p.pace())
}

// leftOut says what is not measured that might be, and why.
func (t *training[T]) leftOut() []string {
	var out []string
	if _, err := t.problem.Rule.MemoryForm(); err != nil {
		out = append(out, fmt.Sprintf("the predicted bias and preconditioned sharpness are not measured: %v", err))
	}
	if with := t.problem.changed(); with != "" && t.noise != nil {
		out = append(out, fmt.Sprintf("what noise does to the bias is not measured: its expansion has no %s", with))
	}
	if t.problem.perturbed() && t.config.Record.Sharpness > 0 {
		out = append(out, "preconditioned sharpness is not measured: with sam the gradient changes by another matrix than the Hessian")
	}
	if c := t.config; len(c.Beside) > 0 && c.Steps <= c.Flow.Start {
		out = append(out, fmt.Sprintf("nothing moves beside the optimizer: flow.start is %d, and the run ends at step %d", c.Flow.Start, c.Steps))
	}
	if n := t.untrained(); n > 0 {
		out = append(out, fmt.Sprintf("%d of %s are in none of the %s of %d, and are not trained on", n, plural.Of(t.examples(), "example"), plural.Of(t.problem.Objective.Batches(), "mini-batch"), t.config.Batch.Size))
	}
	if t.unmeasured != nil {
		out = append(out, fmt.Sprintf("nor is the realized bias: %v", t.unmeasured))
	}
	if t.bias != nil && t.bias.realized == nil {
		out = append(out, fmt.Sprintf("the realized bias is not measured: %v", realizable(t.problem, t.loop.Optimizer)))
	}
	return out
}

// untrained returns the number of examples that are in no mini-batch: these are all of one size, and what does not fill one is in none.
func (t *training[T]) untrained() int {
	if t.source.data == nil || t.problem.Order == nil {
		return 0
	}
	return t.examples() - t.problem.Objective.Batches()*t.config.Batch.Size
}

// examples returns the number of examples of the full batch; a batch of a closed form counts as one.
func (t *training[T]) examples() int {
	switch s := t.source; {
	case s.worker != nil:
		return s.worker.Info().Train
	case s.data != nil:
		return s.data.Train.N()
	}
	return t.problem.Objective.Batches()
}

// row implements sink.
func (t *training[T]) row(n int, values []record.Value) error {
	for _, e := range t.beside {
		if err := t.noteEnd(e); err != nil {
			return err
		}
	}
	if err := t.dir.Append(values); err != nil {
		return err
	}
	if t.pause > 0 && n >= t.pause {
		t.rest()
	}
	return t.times.Add(n, t.loop.watch.seconds())
}

// noteEnd logs, once, that an equation has ended.
func (t *training[T]) noteEnd(e *equation[T]) error {
	if e.ended == nil || e.noted {
		return nil
	}
	e.noted = true
	return t.dir.Logf("%v", e.ended)
}

// between implements sink. The state before the last row is kept whatever the interval: a run that is extended goes on from there.
func (t *training[T]) between(n int) error {
	if n != t.loop.Steps && !due(t.config.Checkpoint.Every, n) {
		return nil
	}
	return t.checkpoint("")
}

// progress says where the run stands.
func (t *training[T]) progress(at *Point[T]) Progress {
	return Progress{
		Step: t.loop.Optimizer.Steps(), Steps: t.loop.Steps, Loss: at.Seen.Loss, Excess: at.Norms.Excess, RealizedDrive: t.bias.lastDrive(), Verdict: t.bias.lastVerdict(),
		StateDefect: t.state.lastDefect(),
	}
}

// conclude writes the result of a run whose record is complete.
func (t *training[T]) conclude(s Status) (*Result, error) {
	if err := errors.Join(t.saveWeights(filepath.Join(t.dir.Path(), record.WeightsFile)), t.saveAverage(), t.saveStandardization()); err != nil {
		return nil, err
	}
	result, err := t.summary(s)
	if err != nil {
		return nil, err
	}
	files := []string{record.WeightsFile}
	if t.average != nil {
		files = append(files, record.AverageFile)
	}
	return result, t.dir.WriteResult(result, files...)
}

func (t *training[T]) summary(s Status) (*Result, error) {
	h, err := record.ReadHistory(t.dir.Path())
	if err != nil {
		return nil, err
	}
	r := t.summarize(s, h)
	r.Read = t.reads()
	return r, nil
}

// summarize makes the summary of a record, without what the run read.
func (t *training[T]) summarize(s Status, h *record.History) *Result {
	l := t.loop
	r := &Result{
		Status: s, Step: l.Optimizer.Steps(), Before: t.problem.Moments.steps(), Parameters: t.problem.Objective.Dim(), Examples: t.examples(), Untrained: t.untrained(),
		Groups:  Groups(t.config.Optimizer, t.problem.Rule),
		Seconds: l.watch.seconds(), Costs: l.watch.costs, Changed: t.changed,
	}
	if r.Regime, r.RegimeEvery = regimeOf(t.config, h); s == Diverged {
		r.Regime, r.RegimeEvery = diagnose.Diverged, 0
	}
	r.Train(t.config, h)
	r.TestLoss, r.TestAccuracy = lastMeasured(h, "test_loss"), lastMeasured(h, "test_accuracy")
	r.TestR2 = lastMeasured(h, "test_r2")
	return r
}

// regimeOf returns the regime that a history shows, and how many steps apart the records are that it was judged from, 0 where that is one step
// or matters not. With mini-batches it is that of the loss over all examples, where it is measured: the loss of each step's own examples jumps whatever
// the step does.
func regimeOf(c *config.Config, h *record.History) (diagnose.Regime, int) {
	loss, excess := "loss", "excess"
	if c.Batch.Mini() {
		loss, excess = "full_loss", "full_excess"
	}
	losses, norms := h.Floats(loss), h.Floats(excess)
	if losses == nil && c.Batch.Mini() {
		return diagnose.Unknown, 0
	}
	var steps []int
	var of, at []float64
	for i, step := range h.Floats("step") {
		if c.Batch.Mini() && math.IsNaN(losses[i]) {
			continue // this record is of the batch alone
		}
		steps, of, at = append(steps, int(step)), append(of, losses[i]), append(at, norms[i])
	}
	regime, apart := diagnose.Classify(steps, of, at), diagnose.Apart(steps)
	if regime == diagnose.Diverged || apart < 2 {
		return regime, 0
	}
	return regime, apart
}

// lastMeasured returns the last number in a column, nil if there is none.
func lastMeasured(h *record.History, name string) *record.Number {
	i := h.Index(name)
	if i < 0 {
		return nil
	}
	for j := len(h.Rows) - 1; j >= 0; j-- {
		if v := h.Rows[j][i]; v.Measured() {
			n := record.Number(v.Float())
			return &n
		}
	}
	return nil
}
