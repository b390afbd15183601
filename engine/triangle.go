package engine

import (
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/kernel/gemm"
)

// minTriangle is the side from which on leaving out a triangle of a product pays.
const minTriangle = 32

// sides are parts of the matrices in an array's last two axes.
type sides uint8

const (
	above sides = 1 << iota // the diagonal
	below
	diagonal

	anywhere = above | below | diagonal
)

// flipped returns the sides of the transposed matrix.
func (s sides) flipped() sides { return s&above<<1 | s&below>>1 | s&diagonal }

// shape returns the triangle that is left without the sides.
func (s sides) shape() gemm.Shape {
	switch {
	case s&above != 0:
		return gemm.Lower
	case s&below != 0:
		return gemm.Upper
	}
	return gemm.Full
}

// triangles says which halves of products need not be computed: those of a left operand that is zero there, and those of a result that
// nothing needs there, since it goes, through sums and the like, only into products, element by element, with what is zero, or into sums with
// what is far below all numbers. A mask of causal attention is one of the two, a triangle of zeros or of numbers so low that e to them
// is zero, and what follows holds for a loss and for all its derivatives alike: so it is looked for here, and not said by the graph.
//
// An infinite element or NaN in a half that is left out does not come to the result, as it would by the definition.
type triangles struct {
	zero      map[*graph.Node]sides // where the array is zero
	far       map[*graph.Node]sides // where it is below farBelow
	huge      map[*graph.Node]huge  // where it may be, or above all numbers
	unneeded  map[*graph.Node]sides // where any finite number does
	constants bool                  // there is a triangle to begin with
}

// farBelow is a number that a mask has or is below, so that the products of queries and keys beside it count for nothing: they are smaller.
const farBelow = -1e29

// facts are what is known of one array.
type facts struct {
	zero, far sides
	huge      huge
}

// at returns what is known of n.
func (t *triangles) at(n *graph.Node) facts { return facts{t.zero[n], t.far[n], t.huge[n]} }

// findTriangles looks at nodes in topological order. Of parameters it knows what is given.
func findTriangles(nodes, outs []*graph.Node, given map[*graph.Node]facts) *triangles {
	t := &triangles{zero: map[*graph.Node]sides{}, far: map[*graph.Node]sides{}, huge: map[*graph.Node]huge{}, unneeded: map[*graph.Node]sides{}}
	for _, n := range nodes {
		if known, ok := given[n]; ok {
			t.zero[n], t.far[n], t.huge[n] = known.zero, known.far, known.huge
			t.constants = t.constants || known.zero|known.far != 0
			continue
		}
		t.huge[n] = t.hugeIn(n)
		if square(n) {
			t.far[n] = t.farBelow(n)
			t.zero[n] = t.zeros(n)
		}
	}
	if !t.constants {
		return t
	}
	for _, n := range nodes {
		if square(n) && !slices.Contains(outs, n) {
			t.unneeded[n] = above | below
		}
	}
	for _, n := range slices.Backward(nodes) {
		for i, in := range n.In() {
			t.unneeded[in] &= t.spares(n, i)
		}
	}
	return t
}

// square says whether the last two axes are of one length, and worth a look.
func square(n *graph.Node) bool {
	rank := len(n.Shape())
	return rank >= 2 && n.Shape()[rank-1] == n.Shape()[rank-2] && n.Shape()[rank-1] >= minTriangle
}

// zeros returns where an array is zero, from where its operands are.
func (t *triangles) zeros(n *graph.Node) sides {
	of := func(i int) sides { return t.zero[n.In()[i]] }
	switch n.Op() {
	case graph.OpConstArray:
		return t.constant(n, func(v float64) bool { return v == 0 })
	case graph.OpExp:
		return t.far[n.In()[0]]
	case graph.OpNeg, graph.OpAbs, graph.OpSign, graph.OpStep, graph.OpSqrt, graph.OpTanh, graph.OpErf, graph.OpRelu, graph.OpAlias, graph.OpStop, graph.OpDiv:
		return of(0)
	case graph.OpMul:
		return of(0) | of(1)
	case graph.OpAdd, graph.OpSub, graph.OpMax, graph.OpMin:
		return of(0) & of(1)
	case graph.OpBroadcast, graph.OpReshape, graph.OpTranspose:
		return alike(n, of(0))
	}
	return 0
}

// farBelow returns where an array is far below all numbers, which it does not stay beside a huge one: the largest element of a row that is
// hidden as a whole is as low as its others.
func (t *triangles) farBelow(n *graph.Node) sides {
	of := func(i int) sides { return t.far[n.In()[i]] }
	switch n.Op() {
	case graph.OpConstArray:
		return t.constant(n, func(v float64) bool { return v <= farBelow })
	case graph.OpAdd:
		return of(0)&^t.huge[n.In()[1]].high | of(1)&^t.huge[n.In()[0]].high
	case graph.OpSub:
		return of(0) &^ t.huge[n.In()[1]].low
	case graph.OpAlias, graph.OpStop:
		return of(0)
	case graph.OpBroadcast, graph.OpReshape, graph.OpTranspose:
		return alike(n, of(0))
	}
	return 0
}

// constant returns where all of a constant stack of matrices are as is says.
func (t *triangles) constant(n *graph.Node, is func(float64) bool) sides {
	s, side := above|below, n.Shape()[len(n.Shape())-1]
	for at, v := range n.Attr().(*graph.ArrayAttr).Data {
		if i, j := at/side%side, at%side; j > i && !is(v) {
			s &^= above
		} else if j < i && !is(v) {
			s &^= below
		}
		if s == 0 {
			return 0
		}
	}
	t.constants = true
	return s
}

// spares returns where n does not need its operand i.
func (t *triangles) spares(n *graph.Node, i int) sides {
	switch n.Op() {
	case graph.OpMul:
		return t.unneeded[n] | t.zero[n.In()[1-i]]
	case graph.OpNeg, graph.OpAbs, graph.OpSign, graph.OpTanh, graph.OpErf, graph.OpRelu, graph.OpExp, graph.OpAlias, graph.OpStop, graph.OpSub:
		return t.unneeded[n]
	case graph.OpAdd:
		return t.unneeded[n] | t.far[n.In()[1-i]]&^t.huge[n.In()[i]].high
	case graph.OpDiv:
		if i == 0 {
			return t.unneeded[n]
		}
	case graph.OpBroadcast, graph.OpReshape, graph.OpTranspose:
		return alike(n, t.unneeded[n])
	}
	return 0
}

// alike returns the sides, of the one end of an operation that moves elements, at its other end: none if it does not keep matrices together.
func alike(n *graph.Node, s sides) sides {
	from, to := n.In()[0].Shape(), n.Shape()
	if len(from) < 2 || len(to) < 2 {
		return 0
	}
	if a, ok := n.Attr().(graph.AxesAttr); ok {
		rank := len(to)
		switch last := [2]int{a.Axes[rank-2], a.Axes[rank-1]}; last {
		case [2]int{rank - 2, rank - 1}:
			return s
		case [2]int{rank - 1, rank - 2}:
			return s.flipped()
		}
		return 0
	}
	if slices.Equal(from[len(from)-2:], to[len(to)-2:]) {
		return s
	}
	return 0
}

// of returns the triangles of a matrix product: of its left operand, as it is multiplied, and of its result.
func (t *triangles) of(n *graph.Node) (a, c gemm.Shape) {
	zero := t.zero[n.In()[0]]
	if n.Attr().(graph.MatMulAttr).TransA {
		zero = zero.flipped()
	}
	return zero.shape(), t.unneeded[n].shape()
}
