package rule

import (
	"errors"
	"fmt"
	"slices"

	"shadowflow/graph"
)

// Rule is an optimizer with the values of its hyperparameters: a step over named state. The step size is not part of it.
type Rule struct {
	Name string
	// State names the arrays that a step remembers. They are zero before the first step.
	State []string
	// Shapes are what each of these consists of: parts in their shapes, one after another, that are called after the weights that
	// they are of. nil stands for an array like theta, and one part without name and axes for a number. A nil Shapes stands for
	// arrays like theta alone.
	Shapes [][]graph.Block
	// Elementwise says that an element's step depends on no other element. Otherwise a rule is for the weights that it was made for.
	Elementwise bool
	// Scalars are numbers that depend on the step n alone, like factors of bias correction. They are inputs of a step's program.
	Scalars []func(n int) float64
	// Hessian reports whether step n reads an estimate of the Hessian's diagonal, see [Call]; nil if no step does.
	Hessian func(n int) bool
	// Step returns, as graph code, theta after a step and the state after it, in the order of State, from the gradient that the rule's formulas
	// see; see [Rule.Conditioned].
	Step func(c Call) (theta graph.Value, state []graph.Value)
	// Memory is the form of moments and an update; nil if the rule has none. See [Rule.MemoryForm].
	Memory *Memory

	lacks   string // why there is no Memory
	family  sizes  // nil where there is none
	whole   string // why there is no family; empty where the step is code alone, and there are none of these either
	update  func(c Call) graph.Value
	settled func(g, theta graph.Value) graph.Value
	wanders string // why there is no settled

	conditioning Conditioning
	inner        *Rule    // that takes the gradient as it becomes; nil without a conditioning
	grouped      *grouped // nil without groups
	ofOneWeight  bool     // it has functions of whole weights, and takes all parameters for one
}

// Call is what a step is made of, for all parameters as one vector.
type Call struct {
	// Theta and G are the parameters and the gradient of the loss there.
	Theta, G graph.Value
	// Hessian is an estimate of the diagonal of the derivative H of that gradient, u (H u) element by element with a random u (M.
	// Hutchinson 1990); the zero Value for a rule that reads none.
	Hessian graph.Value
	// LR is the step size, a scalar.
	LR graph.Value
	// State is what the step before left, in the order of the rule's.
	State []graph.Value
	// Scalars are those of the rule in this step.
	Scalars []graph.Value
}

// PartsOf returns what the i-th array of state consists of, nil if that is what theta does. See Shapes.
func (r *Rule) PartsOf(i int) []graph.Block {
	if r.Shapes == nil {
		return nil
	}
	return r.Shapes[i]
}

// Length returns the number of elements of the i-th array of state, where the parameters are dim.
func (r *Rule) Length(i, dim int) int {
	return lengthOf(r.PartsOf(i), dim)
}

func lengthOf(parts []graph.Block, dim int) int {
	if parts == nil {
		return dim
	}
	last := parts[len(parts)-1]
	return last.Offset + last.Size()
}

// Lengths returns the number of elements of theta, dim, and then of each array of state.
func (r *Rule) Lengths(dim int) []int {
	lengths := []int{dim}
	for i := range r.State {
		lengths = append(lengths, r.Length(i, dim))
	}
	return lengths
}

// NoMemoryError says that a rule has no memory form, of which more was asked than steps.
type NoMemoryError struct {
	Rule string
	// Lacks says what stands against it.
	Lacks string
	// Whole says why there is no equation with memory as state either; empty if there is.
	Whole string
	// Settles says that its update without memory is known all the same; see [Rule.Settled].
	Settles bool
}

func (e *NoMemoryError) Error() string {
	state := ", and so does the equation with memory as state (--memory state; state-1, state-2)"
	if e.Whole != "" {
		state = "; the equation with memory as state there is not, for " + e.Whole
	}
	bias := "; the realized bias is measured in a run all the same"
	if !e.Settles {
		bias = ". Nor has it an update without memory that is known, from which a run would measure the realized bias"
	}
	return fmt.Sprintf("optimizer %s takes steps, but has no modified equation that eliminates its memory: %s. Its iterates and runs need only "+
		"the step%s; derivations, the fields without memory, predicted bias and preconditioner need moments sum_k w(k) phi(g) and an update made from them, g and theta%s",
		e.Rule, e.Lacks, state, bias)
}

// MemoryForm returns the rule's moments and update, or a *NoMemoryError.
func (r *Rule) MemoryForm() (*Memory, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Memory == nil {
		lacks := r.lacks
		if lacks == "" {
			lacks = "its step is given as code alone"
		}
		return nil, &NoMemoryError{r.Name, lacks, r.whole, r.settled != nil}
	}
	return r.Memory, nil
}

// Validate returns an error that says what the rule lacks.
func (r *Rule) Validate() error {
	if r == nil || r.Step == nil {
		return errors.New("rule: Step is missing")
	}
	if r.Shapes != nil && len(r.Shapes) != len(r.State) {
		return fmt.Errorf("rule %s: %d shapes for %d arrays of state", r.Name, len(r.Shapes), len(r.State))
	}
	for i, name := range r.State {
		if name == "" || slices.Contains(r.State[:i], name) {
			return fmt.Errorf("rule %s: state %d is called %q: want a name of its own", r.Name, i, name)
		}
	}
	if r.Memory == nil {
		return nil
	}
	if err := r.Memory.validate(); err != nil {
		return fmt.Errorf("rule %s: %w", r.Name, err)
	}
	return nil
}

// short reports whether a step takes one pass over the parameters.
func (r *Rule) short() bool {
	if r.grouped == nil {
		return r.Elementwise
	}
	return r.conditioning.ClipNorm == 0 && !slices.ContainsFunc(r.grouped.parts, func(p Part) bool { return !p.rule.short() })
}

// step is Step from the gradient of the loss.
func (r *Rule) step(c Call) (theta graph.Value, state []graph.Value) { return r.Step(r.condition(c)) }
