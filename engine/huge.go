package engine

import (
	"slices"

	"shadowflow/graph"
)

// huge says where elements of an array may be so low, or so high, that what is far below all numbers need not be far below them: in parts
// of its matrices or, where it is no stack of square ones, anywhere. Constants bring such numbers in; inputs are taken to have none.
type huge struct{ low, high sides }

// isHuge is the size from which on a number counts as huge. It leaves room below farBelow: many that are smaller come to no mask's height.
const isHuge = 1e20

func (h huge) or(other huge) huge { return huge{h.low | other.low, h.high | other.high} }

func (h huge) negative() huge { return huge{h.high, h.low} }

// moved returns parts of an array's matrices at the other end of an operation that moves elements.
func moved(n *graph.Node, s sides) sides {
	if s == 0 || alike(n, anywhere) == anywhere {
		return alike(n, s)
	}
	return anywhere
}

// hugeIn returns where an array may be huge, from where its operands may.
func (t *triangles) hugeIn(n *graph.Node) huge {
	of := func(i int) huge { return t.huge[n.In()[i]] }
	switch n.Op() {
	case graph.OpConst:
		v, _ := n.Constant()
		return hugeAt(v, anywhere)
	case graph.OpConstArray:
		return hugeConstant(n)
	case graph.OpAlias, graph.OpStop:
		return of(0)
	case graph.OpNeg:
		return of(0).negative()
	case graph.OpAdd, graph.OpMax, graph.OpMin:
		return of(0).or(of(1))
	case graph.OpSub:
		return of(0).or(of(1).negative())
	case graph.OpExp:
		return huge{high: of(0).high}
	case graph.OpRecip, graph.OpRsqrt, graph.OpTanh, graph.OpSigmoid, graph.OpErf, graph.OpSign, graph.OpStep,
		graph.OpGreater, graph.OpGreaterEqual, graph.OpEqual:
		return huge{}
	case graph.OpBroadcast, graph.OpReshape, graph.OpTranspose:
		return huge{moved(n, of(0).low), moved(n, of(0).high)}
	case graph.OpAmax:
		if largest := of(0); largest.low&diagonal == 0 && alongMatrices(n) { // each row, and each column, has its place on the diagonal
			return huge{high: whole(largest.high)}
		}
	}
	var all sides
	for i := range n.In() {
		all |= of(i).low | of(i).high
	}
	return huge{whole(all), whole(all)}
}

// whole is anywhere, if there are any sides.
func whole(s sides) sides {
	if s == 0 {
		return 0
	}
	return anywhere
}

// alongMatrices says whether a reduction takes in whole rows, or whole columns, of a stack of square matrices.
func alongMatrices(n *graph.Node) bool {
	last := len(n.In()[0].Shape()) - 1
	axes := n.Attr().(graph.AxesAttr).Axes
	return square(n.In()[0]) && (slices.Contains(axes, last) || slices.Contains(axes, last-1))
}

func hugeAt(v float64, s sides) huge {
	switch {
	case v <= -isHuge:
		return huge{low: s}
	case v >= isHuge:
		return huge{high: s}
	}
	return huge{}
}

func hugeConstant(n *graph.Node) huge {
	var h huge
	place := func(int) sides { return anywhere }
	if square(n) {
		side := n.Shape()[len(n.Shape())-1]
		place = func(at int) sides { return sideOf(at/side%side, at%side) }
	}
	for at, v := range n.Attr().(*graph.ArrayAttr).Data {
		h = h.or(hugeAt(v, place(at)))
	}
	return h
}

// sideOf returns the part of a matrix with row i's column j.
func sideOf(i, j int) sides {
	switch {
	case j > i:
		return above
	case j < i:
		return below
	}
	return diagonal
}
