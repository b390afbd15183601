package run

import (
	"fmt"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/internal/memory"
	"shadowflow/rule"
)

// Vectors of parameters that a run holds beside those of a problem, in the program's precision, as measured at a network of two and a half
// million parameters, less a fifth: what is refused for them would not have fitted.
const (
	vectorsOfBias      = 7  // the second-order terms of a full batch
	vectorsOfBatchBias = 28 // those expected over the order of mini-batches
	vectorsOfSharpness = 24 // the search for eigenvalues, which may take three times as many
	vectorsAtEdge      = 74 // the central flow's search for the directions that it follows
)

// The same of equations, once they have begun, in vectors of their state, which are float64.
const (
	vectorsOfEquation = 4  // where it is, and its right-hand side
	vectorsOfState    = 11 // the two state equations that are followed for a step
	vectorsOfStages   = 5  // what the integrator makes of one equation, of one at a time
	vectorsOfCentral  = 33 // the central flow with its directions, in vectors of parameters
)

// Room returns about how many bytes that which is measured along a run takes, and moves beside it, in vectors of the dim parameters, at least.
func Room(c *config.Config, r *rule.Rule, dim int) int64 {
	vectors, state, equations, largest := 0, 0, 0, 0
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
	width := 4
	if c.DType == "float64" {
		width = 8
	}
	return int64(vectors)*int64(dim)*int64(width) + 8*(int64(equations)+vectorsOfStages*int64(largest))
}

// measuresBias reports whether a run finds the second-order terms, or those of an optimizer without the memory form that are known.
func measuresBias(c *config.Config, r *rule.Rule) bool {
	if c.Bias.Scale != 0 || c.Record.Bias == 0 || r.Memory != nil {
		return c.Bias.Scale != 0 || c.Record.Bias > 0
	}
	_, err := r.Settled()
	return err == nil && !c.Batch.Mini()
}

// roomFor refuses a run of dim parameters whose meters and equations would need more memory than there is, before any of them is made.
func roomFor(c *config.Config, r *rule.Rule, dim int) error {
	if err := memory.Check(Room(c, r, dim)); err != nil {
		return fmt.Errorf("what is measured along the run of %d parameters, and moves beside it, %w: "+
			"want fewer parameters, or less of record.sharpness, record.bias, record.state (0: none) and beside", dim, err)
	}
	return nil
}
