package run

import (
	"encoding/json"
	"errors"
	"fmt"

	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/safetensors"
)

// runMetadata is the name of the small part of a checkpoint in its metadata, which is JSON.
const runMetadata = "run"

// generator says how random numbers are drawn.
const generator = "PCG (math/rand/v2), made anew for each draw from the seed, the purpose, and the step, the epoch or the name of the weight"

type checkpointMeta struct {
	DType string `json:"dtype"`
	// Seed and Generator are all that random draws depend on beside the step: no generator has a state that goes from step to step.
	Seed      uint64   `json:"seed"`
	Generator string   `json:"generator"`
	Seconds   float64  `json:"seconds"`
	Costs     []Cost   `json:"costs"`
	FirstLoss *float64 `json:"first_loss,omitempty"` // nil before the first step
	// Ended says how the run ended, if it has: its last record is in the history then, and only the result may be missing.
	Ended Status `json:"ended,omitempty"`
	// Changed is that of the result.
	Changed []string `json:"changed,omitempty"`
	passed
}

// checkpoint stores the state between two steps, or behind the last.
func (t *training[T]) checkpoint(ended Status) error {
	l := t.loop
	return l.watch.time("checkpoint", func() error {
		meta := checkpointMeta{
			DType: t.config.DType, Seed: t.config.Seed, Generator: generator,
			Seconds: l.watch.seconds(), Costs: l.watch.costs, Ended: ended, Changed: t.changed,
		}
		if finite(l.firstLoss) {
			meta.FirstLoss = &l.firstLoss
		}
		var err error
		if meta.passed, err = l.passed(); err != nil {
			return err
		}
		text, err := json.Marshal(meta)
		if err != nil {
			return err
		}
		tensors, err := t.stateTensors()
		if err != nil {
			return err
		}
		metadata := map[string]string{runMetadata: string(text)}
		if err := t.bind(metadata); err != nil {
			return err
		}
		return t.dir.WriteCheckpoint(&record.Checkpoint{Step: l.Optimizer.Steps(), Metadata: metadata, Tensors: tensors, Ended: ended != ""})
	})
}

// vectors returns the state of all processes.
func (t *training[T]) vectors() []Vector {
	out := t.loop.Optimizer.State()
	for _, p := range t.loop.Beside {
		out = append(out, p.State()...)
	}
	return out
}

// running returns the running averages of the objective and the number of batches that they have seen, none where it has none.
func (t *training[T]) running() ([]T, int64) {
	if a, ok := t.problem.Objective.(objective.Averager[T]); ok {
		return a.Running()
	}
	return nil, 0
}

// stateTensors returns all that the next step depends on, as views.
func (t *training[T]) stateTensors() (tensors []safetensors.Tensor, err error) {
	add := func(more []safetensors.Tensor, fault error) {
		tensors, err = append(tensors, more...), errors.Join(err, fault)
	}
	running, batches := t.running()
	add(nn.StateDict(t.source.model, t.loop.Optimizer.theta, running, batches))
	for _, v := range t.vectors()[1:] { // the first is the parameters, which are there
		switch data := v.Data.(type) {
		case []float32:
			add(tensorsOf(t.source.model, v, data))
		case []float64:
			add(tensorsOf(t.source.model, v, data))
		}
	}
	return tensors, err
}

// restore continues from a checkpoint.
func (t *training[T]) restore(at *record.Checkpoint) error {
	where := fmt.Sprintf("checkpoint of step %d", at.Step)
	var meta checkpointMeta
	if err := json.Unmarshal([]byte(at.Metadata[runMetadata]), &meta); err != nil {
		return fmt.Errorf("%s: metadata %q: %w", where, runMetadata, err)
	}
	if meta.DType != t.config.DType {
		return fmt.Errorf("%s: its weights are %s; the config says %s", where, meta.DType, t.config.DType)
	}
	r := nn.NewReader(t.source.model, where, at.Tensors)
	running := make([]float64, t.source.model.NumStats())
	batches := nn.ReadRunning(r, running)
	for _, v := range t.vectors() {
		switch data := v.Data.(type) {
		case []float32:
			readVector(r, v, data)
		case []float64:
			readVector(r, v, data)
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	if a, ok := t.problem.Objective.(objective.Averager[T]); ok {
		a.SetRunning(running, batches)
	}
	l := t.loop
	if err := l.Optimizer.stepper.Restore(at.Step, l.Optimizer.stepper.State()); err != nil { // the state is in place; this sets the step
		return err
	}
	for _, e := range t.beside {
		e.restored()
	}
	if err := l.takeUp(meta.passed); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if l.Steps < at.Step {
		return fmt.Errorf("%s: the run is to take %s; it can only be given more than it has taken", where, plural.Count(l.Steps, "step"))
	}
	t.ended, t.changed = meta.Ended, meta.Changed
	l.watch.before, l.watch.costs = meta.Seconds, meta.Costs
	if meta.FirstLoss != nil {
		l.firstLoss = *meta.FirstLoss
	}
	return nil
}

// noteChange implements runner.
func (t *training[T]) noteChange(change string) { t.changed = append(t.changed, change) }

// saveWeights writes the parameters, and the running averages of batch normalization, as they are.
func (t *training[T]) saveWeights(path string) error {
	running, batches := t.running()
	state := &nn.State{Theta: widen(t.loop.Optimizer.theta), Running: widen(running), Batches: batches}
	return t.source.model.Save(path, state, graph.TypeOf[T]())
}
