package run

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/rule"
	"shadowflow/safetensors"
	"shadowflow/schema"
	"shadowflow/torchfile"
)

// Moments are what an optimizer remembers before the first step of a run, which was left by steps taken elsewhere.
type Moments[T graph.Float] struct {
	// Steps is the number of these steps: n goes on from there.
	Steps int
	// State has the arrays in the order of the rule's State.
	State [][]T
	// Notes say where the optimizer that took these steps had other hyperparameters.
	Notes []string

	groups []torchGroup // of the optimizer that the file is of, where it says
}

// steps returns the number of steps, 0 without moments.
func (m *Moments[T]) steps() int {
	if m == nil {
		return 0
	}
	return m.Steps
}

// notes returns the notes, none without moments.
func (m *Moments[T]) notes() []string {
	if m == nil {
		return nil
	}
	return m.Notes
}

// mostMomentsSteps is the largest optimizer.moments_steps.
const mostMomentsSteps = 1_000_000_000

// readMoments reads the file optimizer.moments, nil if there is none.
func readMoments[T graph.Float](c *config.Config, s *source, r *rule.Rule) (*Moments[T], error) {
	path := c.Optimizer.Moments
	switch {
	case path == "" && c.Optimizer.MomentsSteps != 0:
		return nil, &schema.Error{Key: "optimizer.moments_steps", Problem: "of no use without optimizer.moments"}
	case path == "":
		return nil, nil
	case len(r.State) == 0:
		return nil, &schema.Error{Key: "optimizer.moments", Problem: fmt.Sprintf("optimizer %s remembers nothing; leave it out", r.Name)}
	}
	m := &Moments[T]{}
	var tensors []safetensors.Tensor
	var err error
	if torchfile.Is(path) {
		tensors, err = m.readTorch(path, s.model, r)
	} else {
		tensors, err = m.readOurs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("optimizer.moments: %w", err)
	}
	reader := nn.NewReader(s.model, path, tensors)
	reader.WantFinite()
	for i, entry := range r.State {
		array := make([]T, r.Length(i, s.model.NumParams()))
		readVector(reader, Vector{Prefix: statePrefix(entry), Parts: r.PartsOf(i)}, array)
		if at := slices.IndexFunc(array, func(x T) bool { return x < 0 }); at >= 0 && r.NonNegative(i) {
			return nil, fmt.Errorf("optimizer.moments: %s: number %d of %s is %g; want none below 0", path, at, entry, array[at])
		}
		m.State = append(m.State, array)
	}
	if err := reader.Err(); err != nil {
		return nil, fmt.Errorf("optimizer.moments: %w", err)
	}
	if c.Optimizer.MomentsSteps != 0 {
		m.Steps = c.Optimizer.MomentsSteps
	}
	switch {
	case m.Steps == 0:
		return nil, &schema.Error{Key: "optimizer.moments", Problem: path + " does not say how many steps its moments are from; want optimizer.moments_steps"}
	case m.Steps < 0 || m.Steps > mostMomentsSteps:
		return nil, fmt.Errorf("optimizer.moments: %s says that its moments are from %d steps; want at least 1 and at most %d, or optimizer.moments_steps",
			path, m.Steps, mostMomentsSteps)
	}
	return m, nil
}

// statePrefix stands before the weights' names in files with an entry of a rule's state.
func statePrefix(entry string) string { return "state." + entry + "." }

// readOurs reads a safetensors file with the names of our checkpoints, and step among its metadata.
func (m *Moments[T]) readOurs(path string) ([]safetensors.Tensor, error) {
	file, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if text, ok := file.Metadata["step"]; ok {
		if m.Steps, err = strconv.Atoi(text); err != nil || m.Steps < 0 {
			return nil, fmt.Errorf("%s: metadata step %q: want a number of steps", path, text)
		}
	}
	return slices.DeleteFunc(file.Tensors, func(t safetensors.Tensor) bool { return !strings.HasPrefix(t.Name, "state.") }), nil
}
