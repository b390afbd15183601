package nn

import "shadowflow/graph"

// fromTorch writes a parameter's elements, given in PyTorch's order, in the order of theta.
func fromTorch[T graph.Float](p Param, dst []T, src []float64) {
	permute(p, func(here, there int) { dst[here] = T(src[there]) })
}

// toTorch writes a parameter's elements, given in the order of theta, in PyTorch's order.
func toTorch[T any](p Param, dst, src []T) {
	permute(p, func(here, there int) { dst[there] = src[here] })
}

// permute calls move with the index in theta's order and that in PyTorch's of each element.
func permute(p Param, move func(here, there int)) {
	if p.perm == nil {
		for i := range p.Size() {
			move(i, i)
		}
		return
	}
	rank := len(p.view)
	strides := make([]int, rank) // of PyTorch's axes
	step := 1
	for i := rank - 1; i >= 0; i-- {
		strides[i] = step
		step *= p.view[i]
	}
	at := make([]int, rank) // along the axes here
	there := 0
	for here := range step {
		move(here, there)
		for i := rank - 1; i >= 0; i-- {
			axis := p.perm[i]
			at[i]++
			there += strides[axis]
			if at[i] < p.view[axis] {
				break
			}
			there -= at[i] * strides[axis]
			at[i] = 0
		}
	}
}
