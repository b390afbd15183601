package run

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"

	"shadowflow/diagnose"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/nn"
)

// checkpointMeta is the small part of a checkpoint.
type checkpointMeta struct {
	Seconds   float64  `json:"seconds"`
	Costs     []Cost   `json:"costs"`
	FirstLoss *float64 `json:"first_loss,omitempty"` // nil before the first step
	Batches   int64    `json:"batches"`              // that the running averages have seen
	// Ended says how the run ended, if it has: its last record is in the history then, and only the result may be missing.
	Ended Status `json:"ended,omitempty"`
}

// checkpoint stores the state between two steps, or behind the last.
func (t *trainer[T]) checkpoint(d *record.Dir, ended Status) error {
	return t.watch.time("checkpoint", func() error {
		running, batches := t.loss.Running()
		meta := checkpointMeta{Seconds: t.watch.seconds(), Costs: t.watch.costs, Batches: batches, Ended: ended}
		if finite(t.firstLoss) {
			meta.FirstLoss = &t.firstLoss
		}
		text, err := json.Marshal(meta)
		if err != nil {
			return err
		}
		c := &record.Checkpoint{Step: t.stepper.Steps(), Meta: text}
		c.Arrays = append(c.Arrays, record.Array{Name: "theta", Data: t.theta}, record.Array{Name: "running", Data: running})
		for i, s := range t.stepper.State() {
			c.Arrays = append(c.Arrays, record.Array{Name: memoryName(i), Data: s})
		}
		for _, p := range t.shadow.paths {
			c.Arrays = append(c.Arrays, record.Array{Name: flowColumn(p.order, "state"), Data: p.y})
		}
		return d.WriteCheckpoint(c)
	})
}

func memoryName(i int) string { return fmt.Sprintf("memory%d", i) }

// restore continues from a checkpoint.
func (t *trainer[T]) restore(at *record.Checkpoint) error {
	var meta checkpointMeta
	if err := json.Unmarshal(at.Meta, &meta); err != nil {
		return fmt.Errorf("checkpoint of step %d: %w", at.Step, err)
	}
	running, _ := t.loss.Running()
	if err := load(at, "theta", t.theta); err != nil {
		return err
	}
	if err := load(at, "running", running); err != nil {
		return err
	}
	t.loss.SetRunning(widen(running), meta.Batches)
	memory := make([][]T, len(t.stepper.State()))
	for i := range memory {
		memory[i] = make([]T, len(t.theta))
		if err := load(at, memoryName(i), memory[i]); err != nil {
			return err
		}
	}
	if err := t.stepper.Restore(at.Step, memory); err != nil {
		return err
	}
	for _, p := range t.shadow.paths {
		if err := load(at, flowColumn(p.order, "state"), p.y); err != nil {
			return err
		}
	}
	t.ended = meta.Ended
	t.watch.before, t.watch.costs = meta.Seconds, meta.Costs
	if meta.FirstLoss != nil {
		t.firstLoss = *meta.FirstLoss
	}
	return nil
}

// load copies an array of a checkpoint into dst.
func load[T graph.Float](at *record.Checkpoint, name string, dst []T) error {
	data, err := record.ArrayOf[T](at, name)
	if err != nil {
		return err
	}
	if len(data) != len(dst) {
		return fmt.Errorf("checkpoint of step %d: array %s has %d numbers, expected %d", at.Step, name, len(data), len(dst))
	}
	copy(dst, data)
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
		r.Loss, r.Accuracy = Number(last[h.Index("loss")].Float()), Number(last[h.Index("accuracy")].Float())
	}
	r.TestLoss, r.TestAccuracy = lastMeasured(h, "test_loss"), lastMeasured(h, "test_accuracy")
	return r, nil
}

// lastMeasured returns the last number in a column, nil if there is none.
func lastMeasured(h *record.History, name string) *Number {
	i := h.Index(name)
	if i < 0 {
		return nil
	}
	for j := len(h.Rows) - 1; j >= 0; j-- {
		if v := h.Rows[j][i]; v.Measured() {
			n := Number(v.Float())
			return &n
		}
	}
	return nil
}

// A Number is a float64 that may not be finite: JSON then has null.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if !finite(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}
