package run

import (
	"fmt"

	"shadowflow/experiment/config"
	"shadowflow/internal/memory"
)

// Vectors of parameters that a run holds beside those of a problem, in the program's precision, as measured at a network of two and a half
// million parameters, less a fifth: what is refused for them would not have fitted.
const (
	vectorsOfBias       = 7  // the second-order terms of a full batch
	vectorsOfBatchBias  = 28 // those expected over the order of mini-batches
	vectorsOfSharpness  = 24 // the search for eigenvalues
	vectorsBeside       = 4  // an equation, with the stages of its integrator
	vectorsBesideAtEdge = 20 // the central flow, with the directions that it follows
)

// roomFor refuses a run of dim parameters of so many bytes whose meters and equations would need more memory than there is, before any of them is made.
func roomFor(c *config.Config, dim, width int) error {
	vectors := 0
	switch {
	case c.Record.Bias > 0 && c.Batch.Mini():
		vectors += vectorsOfBatchBias
	case c.Record.Bias > 0 || c.Bias.Scale != 0:
		vectors += vectorsOfBias
	}
	if c.Record.Sharpness > 0 {
		vectors += vectorsOfSharpness
	}
	for _, name := range c.Beside {
		if name == "central" {
			vectors += vectorsBesideAtEdge
		} else {
			vectors += vectorsBeside
		}
	}
	if err := memory.Check(int64(vectors) * int64(dim) * int64(width)); err != nil {
		return fmt.Errorf("what is measured along the run, and moves beside it, is more than %d vectors of its %d parameters, and %w: "+
			"want fewer parameters, or less of record.sharpness, record.bias (0: none) and beside", vectors, dim, err)
	}
	return nil
}
