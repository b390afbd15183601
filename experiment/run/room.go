package run

import (
	"fmt"
	"strings"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/internal/memory"
	"shadowflow/nn"
	"shadowflow/rule"
)

// Vectors of parameters that a run holds beside those of a problem, in the program's precision, as measured at a network of two and a half
// million parameters, less a fifth, but for those that are known.
const (
	// parameters, moments, gradient, update, a checkpoint being written
	vectorsOfRun       = 12
	vectorsOfBias      = 7                           // the second-order terms of a full batch
	vectorsOfBatchBias = 28                          // those expected over the order of mini-batches
	vectorsOfSharpness = diagnose.LanczosVectors + 8 // the basis of the search for eigenvalues, the two that it finds, and what the meter keeps and makes
	vectorsAtEdge      = 74                          // the central flow's search for the directions that it follows
)

// The same of equations, once they have begun, in vectors of their state, which are float64.
const (
	vectorsOfEquation = 4  // where it is, and its right-hand side
	vectorsOfState    = 11 // the two state equations that are followed for a step
	vectorsOfStages   = 5  // what the integrator makes of one equation, of one at a time
	vectorsOfCentral  = 33 // the central flow with its directions, in vectors of parameters
)

// Room returns about how many bytes a run takes in vectors of the dim parameters: its own, those of what is measured along it, and of what moves beside it. Its
// data and RoomOfPrograms come on top.
func Room(c *config.Config, r *rule.Rule, dim int) int64 {
	vectors, state, equations, largest := vectorsOfRun, 0, 0, 0
	switch {
	case !measuresBias(c, r):
	case c.Batch.Mini():
		vectors += vectorsOfBatchBias
	default:
		vectors += vectorsOfBias
	}
	if c.Record.Sharpness > 0 {
		vectors += vectorsOfSharpness
	}
	for _, n := range r.Lengths(dim) {
		state += n
	}
	for _, name := range c.Beside {
		size := dim
		switch {
		case name == "central":
			vectors, equations = vectors+vectorsAtEdge, equations+vectorsOfCentral*dim
			continue
		case strings.HasPrefix(name, "state-"):
			size = state
		case strings.HasPrefix(name, "lift-"):
			size = 2 * state
		}
		equations, largest = equations+vectorsOfEquation*size, max(largest, size)
	}
	if c.Record.State > 0 && followable(c, r) {
		equations, largest = equations+vectorsOfState*state, max(largest, state)
	}
	return int64(vectors)*int64(dim)*int64(widthOf(c)) + 8*(int64(equations)+vectorsOfStages*int64(largest))
}

// measuresBias reports whether a run finds the second-order terms, or those of an optimizer without the memory form that are known.
func measuresBias(c *config.Config, r *rule.Rule) bool {
	if c.Bias.Scale != 0 || c.Record.Bias == 0 || r.Memory != nil {
		return c.Bias.Scale != 0 || c.Record.Bias > 0
	}
	_, err := r.Settled()
	return err == nil && !c.Batch.Mini()
}

// widthOf returns the bytes of a number of a run.
func widthOf(c *config.Config) int {
	if c.DType == "float64" {
		return 8
	}
	return 4
}

// roomFor refuses a run that would need more memory than there is, before any of it is made. Its data is there. The network is nil for a loss in closed form.
func roomFor(c *config.Config, r *rule.Rule, dim int, m *nn.Model, examples int, regression bool) error {
	const small = 64 << 20 // not worth measuring programs, which takes as long as making them
	need := Room(c, r, dim)
	if err := memory.Check(need); err == nil && m != nil && need > small { // else it is known that it does not fit, or that it does
		programs, err := RoomOfPrograms(c, m, r, examples, regression)
		if err != nil {
			return err
		}
		need += programs
	}
	if err := memory.Check(need); err != nil {
		return fmt.Errorf("the run of %d parameters, with what is measured along it and moves beside it, %w: "+
			"want fewer parameters, or less of record.sharpness, record.bias, record.state (0: none), beside and batch.physical", dim, err)
	}
	return nil
}
