package graph

// Block is one weight of a model: its name, its shape, and where its elements begin in the flat vector of all parameters.
type Block struct {
	Name   string
	Shape  []int
	Offset int
}

// Size returns the number of the weight's elements.
func (b Block) Size() int { return numel(b.Shape) }
