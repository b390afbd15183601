package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"math"
	"slices"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/internal/version"
	"shadowflow/rule/stepsize"
)

// Names of a checkpoint's metadata that say what the run up to it depended on: the config as resolved, the program, and by the SHA-256 of
// each what it read.
const (
	configMetadata   = "config"
	programMetadata  = "program"
	contentsMetadata = "contents"
)

// A bond is what the steps up to a checkpoint were made of.
type bond struct {
	config   *config.Config
	program  version.Program
	contents map[string]string
}

// bondOf returns the bond of a checkpoint, nil for one of a version that had none.
func bondOf(at *record.Checkpoint) (*bond, error) {
	text, ok := at.Metadata[configMetadata]
	if !ok {
		return nil, nil
	}
	where := fmt.Sprintf("checkpoint of step %d", at.Step)
	b := &bond{}
	var err error
	if b.config, err = config.Parse(where, []byte(text), nil); err != nil {
		return nil, fmt.Errorf("the config that the run had is none to this version of the program: %w", err)
	}
	if err := json.Unmarshal([]byte(at.Metadata[programMetadata]), &b.program); err != nil {
		return nil, fmt.Errorf("%s: metadata %q: %w", where, programMetadata, err)
	}
	if err := json.Unmarshal([]byte(at.Metadata[contentsMetadata]), &b.contents); err != nil {
		return nil, fmt.Errorf("%s: metadata %q: %w", where, contentsMetadata, err)
	}
	return b, nil
}

// bind adds to a checkpoint's metadata what the steps so far depended on.
func (t *training[T]) bind(metadata map[string]string) error {
	program, err := json.Marshal(version.Current())
	if err != nil {
		return err
	}
	contents, err := json.Marshal(t.contents(t.loop.Optimizer.Steps()))
	if err != nil {
		return err
	}
	metadata[configMetadata], metadata[programMetadata], metadata[contentsMetadata] = string(t.config.YAML()), string(program), string(contents)
	return nil
}

// Keys of contents.
const (
	dataContent     = "data"
	workerContent   = "objective.command"
	networkContent  = "model.path"
	weightsContent  = "model.weights"
	momentsContent  = "optimizer.moments"
	scheduleContent = "schedule"
)

// contents returns the SHA-256 of what the run reads beside its config, as numbers: where they lie, and in which form, makes no difference.
// Of the schedule it is that of the factors of so many steps, whatever follows.
func (t *training[T]) contents(steps int) map[string]string {
	out := maps.Clone(t.sums())
	out[scheduleContent] = t.factors.sum(t.problem.Schedule, steps)
	return out
}

// reads implements runner. A schedule that the config has is none of it.
func (t *training[T]) reads() map[string]string {
	out := maps.Clone(t.sums())
	if stepsize.Shape(t.config.Schedule.Shape) == stepsize.File {
		out[scheduleContent] = (&factors{}).sum(t.problem.Schedule, t.loop.Steps)
	}
	return out
}

// sums returns the SHA-256 of what was read before the first step.
func (t *training[T]) sums() map[string]string {
	if t.read == nil {
		t.read = map[string]string{}
		if t.source.data != nil {
			t.read[dataContent] = t.source.data.Sum()
		}
		if w := t.source.worker; w != nil {
			t.read[workerContent] = w.Sum()
		}
		file := t.source.model.Sum()
		if file != "" {
			t.read[networkContent] = file
		}
		if t.config.Model.Weights != "" || file != "" {
			t.read[weightsContent] = sumOf(t.source.start.Theta, t.source.start.Running)
		}
		if m := t.problem.Moments; m != nil {
			all := [][]T{{T(m.Steps)}}
			t.read[momentsContent] = sumOf(append(all, m.State...)...)
		}
	}
	return t.read
}

// sumOf returns the SHA-256 of arrays.
func sumOf[T graph.Float](arrays ...[]T) string {
	sum := sha256.New()
	for _, x := range arrays {
		for part := range slices.Chunk(x, 4096) {
			_ = binary.Write(sum, binary.LittleEndian, part) // a hash takes everything
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// factors hashes the factors of a schedule as steps are taken.
type factors struct {
	of    hash.Hash
	steps int
}

// sum returns the SHA-256 of the factors of so many steps, no fewer than it was asked for before.
func (f *factors) sum(s stepsize.Schedule, steps int) string {
	if f.of == nil || steps < f.steps {
		f.of, f.steps = sha256.New(), 0
	}
	var part [4096]byte
	for f.steps < steps {
		n := min(steps-f.steps, len(part)/8)
		for i := range n {
			binary.LittleEndian.PutUint64(part[8*i:], math.Float64bits(s.At(f.steps+i)))
		}
		_, _ = f.of.Write(part[:8*n]) // a hash takes everything
		f.steps += n
	}
	return hex.EncodeToString(f.of.Sum(nil))
}
