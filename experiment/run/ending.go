package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"shadowflow/diagnose"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/rule"
	"shadowflow/safetensors"
)

// runMetadata is the name of the small part of a checkpoint in its metadata, which is JSON.
const runMetadata = "run"

type checkpointMeta struct {
	DType     string   `json:"dtype"`
	Seconds   float64  `json:"seconds"`
	Costs     []Cost   `json:"costs"`
	FirstLoss *float64 `json:"first_loss,omitempty"` // nil before the first step
	// Ended says how the run ended, if it has: its last record is in the history then, and only the result may be missing.
	Ended Status `json:"ended,omitempty"`
}

// checkpoint stores the state between two steps, or behind the last.
func (t *trainer[T]) checkpoint(d *record.Dir, ended Status) error {
	return t.watch.time("checkpoint", func() error {
		meta := checkpointMeta{DType: t.config.DType, Seconds: t.watch.seconds(), Costs: t.watch.costs, Ended: ended}
		if finite(t.firstLoss) {
			meta.FirstLoss = &t.firstLoss
		}
		text, err := json.Marshal(meta)
		if err != nil {
			return err
		}
		tensors, err := t.state()
		if err != nil {
			return err
		}
		return d.WriteCheckpoint(&record.Checkpoint{
			Step: t.stepper.Steps(), Metadata: map[string]string{runMetadata: string(text)}, Tensors: tensors,
		})
	})
}

// state returns all that the next step depends on, as views.
func (t *trainer[T]) state() (tensors []safetensors.Tensor, err error) {
	add := func(more []safetensors.Tensor, fault error) {
		tensors, err = append(tensors, more...), errors.Join(err, fault)
	}
	running, batches := t.loss.Running()
	add(nn.StateDict(t.model, t.theta, running, batches))
	for i, name := range stateNames(t.rule) {
		add(nn.Tensors(t.model, name, t.stepper.State()[i]))
	}
	for _, p := range t.shadow.paths {
		add(nn.Tensors(t.model, flowName(p.order), p.y))
	}
	return tensors, err
}

// stateNames returns what stands before the weights' names in a checkpoint for each array that the rule's step remembers.
func stateNames(r *rule.Rule) []string {
	var names []string
	for _, m := range r.Moments {
		if m.Kernel.Next != 0 {
			names = append(names, "state."+m.Name+".")
		}
	}
	return names
}

// flowName is the same for the point of the modified equation of that order.
func flowName(order int) string { return fmt.Sprintf("flow%d.", order) }

// restore continues from a checkpoint.
func (t *trainer[T]) restore(at *record.Checkpoint) error {
	where := fmt.Sprintf("checkpoint of step %d", at.Step)
	var meta checkpointMeta
	if err := json.Unmarshal([]byte(at.Metadata[runMetadata]), &meta); err != nil {
		return fmt.Errorf("%s: metadata %q: %w", where, runMetadata, err)
	}
	if meta.DType != t.config.DType {
		return fmt.Errorf("%s: its weights are %s; the config says %s", where, meta.DType, t.config.DType)
	}
	r := nn.NewReader(t.model, where, at.Tensors)
	nn.ReadVector(r, "", t.theta)
	running := make([]float64, t.model.NumStats())
	batches := nn.ReadRunning(r, running)
	for i, name := range stateNames(t.rule) {
		nn.ReadVector(r, name, t.stepper.State()[i])
	}
	for _, p := range t.shadow.paths {
		nn.ReadVector(r, flowName(p.order), p.y)
	}
	if err := r.Err(); err != nil {
		return err
	}
	t.loss.SetRunning(running, batches)
	if err := t.stepper.Restore(at.Step, t.stepper.State()); err != nil { // the state is in place; this sets the step
		return err
	}
	t.ended = meta.Ended
	t.watch.before, t.watch.costs = meta.Seconds, meta.Costs
	if meta.FirstLoss != nil {
		t.firstLoss = *meta.FirstLoss
	}
	return nil
}

// interrupt ends this part of a run.
func (t *trainer[T]) interrupt(d *record.Dir) (*Result, error) {
	if err := t.checkpoint(d, ""); err != nil {
		return nil, err
	}
	return t.summary(d, Interrupted)
}

// finish ends a run.
func (t *trainer[T]) finish(d *record.Dir, s Status) (*Result, error) {
	if err := t.checkpoint(d, s); err != nil {
		return nil, err
	}
	return t.conclude(d, s)
}

// weightsFile holds the weights that a run ended with, as PyTorch's state_dict.
const weightsFile = "weights.safetensors"

// saveWeights writes the parameters, and the running averages of batch normalization, as they are.
func (t *trainer[T]) saveWeights(d *record.Dir) error {
	dtype, err := graph.ParseDType(t.config.DType)
	if err != nil {
		return err
	}
	running, batches := t.loss.Running()
	state := &nn.State{Theta: widen(t.theta), Running: widen(running), Batches: batches}
	return t.model.Save(filepath.Join(d.Path(), weightsFile), state, dtype)
}

func widen[T graph.Float](x []T) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// conclude writes the result of a run whose record is complete.
func (t *trainer[T]) conclude(d *record.Dir, s Status) (*Result, error) {
	if err := t.saveWeights(d); err != nil {
		return nil, err
	}
	result, err := t.summary(d, s)
	if err != nil {
		return nil, err
	}
	return result, d.WriteResult(result)
}

func (t *trainer[T]) summary(d *record.Dir, s Status) (*Result, error) {
	h, err := record.ReadHistory(d.Path())
	if err != nil {
		return nil, err
	}
	r := &Result{
		Status: s, Step: t.stepper.Steps(), Parameters: t.loss.Dim(), Examples: t.data.Train.N(),
		Regime:  diagnose.Classify(h.Floats("loss"), h.Floats("excess")),
		Seconds: t.watch.seconds(), Costs: t.watch.costs,
	}
	if s == Diverged {
		r.Regime = diagnose.Diverged
	}
	if n := len(h.Rows); n > 0 {
		last := h.Rows[n-1]
		r.Loss, r.Accuracy = record.Number(last[h.Index("loss")].Float()), record.Number(last[h.Index("accuracy")].Float())
	}
	r.TestLoss, r.TestAccuracy = lastMeasured(h, "test_loss"), lastMeasured(h, "test_accuracy")
	return r, nil
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
