package nn

import (
	"slices"

	"shadowflow/graph"
)

// Blocks returns a network's parameters by PyTorch's names, in the shapes that they have in theta.
func (m *Model) Blocks() []graph.Block {
	var blocks []graph.Block
	for _, p := range m.params {
		blocks = append(blocks, graph.Block{Name: p.Name, Shape: p.Shape, Offset: p.Offset})
	}
	return blocks
}

// Bare returns weights, and running averages, without a network around them: how files name and shape the parameters of a loss that is none.
// It records nothing.
func Bare(blocks, running []graph.Block) *Model {
	m := &Model{}
	for _, b := range blocks {
		m.params = append(m.params, Param{Name: b.Name, Shape: slices.Clone(b.Shape), Torch: slices.Clone(b.Shape), Offset: b.Offset})
	}
	for _, b := range running {
		m.stats = append(m.stats, Stat{Name: b.Name, Size: b.Size(), Offset: b.Offset})
	}
	return m
}
