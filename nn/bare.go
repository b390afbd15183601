package nn

import (
	"slices"

	"shadowflow/graph"
)

// Bare returns weights without a network around them: how files name and shape the parameters of a loss that is none. It records nothing.
func Bare(blocks []graph.Block) *Model {
	m := &Model{}
	for _, b := range blocks {
		m.params = append(m.params, Param{Name: b.Name, Shape: slices.Clone(b.Shape), Torch: slices.Clone(b.Shape), Offset: b.Offset})
	}
	return m
}
