package graph

import "slices"

// reduction says how a sum or maximum over axes looks when its operand is seen as [rows, cols].
type reduction uint8

const (
	reduceNone reduction = iota
	reduceAll            // over everything
	reduceRows           // over the rows: one result a column
	reduceCols           // over the columns: one result a row
)

// reductionOf returns the kind of the reduction n and the columns it asks for (0: any).
func reductionOf(n *node) (reduction, int) {
	if n.prim != primSum && n.prim != primAmax {
		return reduceNone, 0
	}
	shape, axes := n.in[0].shape, n.attr.(axesAttr).Axes
	return twoAxes(shape, func(i int) bool { return slices.Contains(axes, i) })
}

// twoAxes sees an array as [rows, cols] such that the marked axes are all of it, its rows, or its columns.
func twoAxes(shape []int, marked func(axis int) bool) (reduction, int) {
	var marks []bool
	var dims []int
	for i, d := range shape {
		if d == 1 {
			continue
		}
		if k := len(marks); k > 0 && marks[k-1] == marked(i) {
			dims[k-1] *= d
			continue
		}
		marks, dims = append(marks, marked(i)), append(dims, d)
	}
	switch {
	case len(marks) == 1 && marks[0]:
		return reduceAll, 0
	case len(marks) == 2 && marks[0]:
		return reduceRows, dims[1]
	case len(marks) == 2:
		return reduceCols, dims[1]
	}
	return reduceNone, 0
}

// operandKind says how an operand of an elementwise operation is read.
type operandKind uint8

const (
	readWhole  operandKind = iota // element by element
	readScalar                    // one number
	readRow                       // [cols], the same for every row
	readColumn                    // [rows], the same for every column
	readConst                     // a known number
)

type operand struct {
	kind operandKind
	n    *node // whose elements are read
	cols int
	c    float64
}

// operandOf looks through views to what an elementwise operation reads.
func operandOf(n *node) operand {
	if c, ok := (Value{n}).constant(); ok {
		return operand{kind: readConst, c: c}
	}
	size := n.size()
	n = peel(n)
	if n.prim != primBroadcast {
		return operand{kind: readWhole, n: n}
	}
	src := n.in[0]
	kind, cols := twoAxes(n.shape, func(i int) bool { return src.shape[i] != n.shape[i] })
	inner := peel(src)
	if inner.prim == primBroadcast && inner.size() != 1 {
		return operand{kind: readWhole, n: n}
	}
	switch {
	case src.size() == 1 && size > 1:
		return operand{kind: readScalar, n: inner}
	case kind == reduceRows:
		return operand{kind: readRow, n: inner, cols: cols}
	case kind == reduceCols:
		return operand{kind: readColumn, n: inner, cols: cols}
	}
	return operand{kind: readWhole, n: n}
}

// peel looks through operations that only rename an array.
func peel(n *node) *node {
	for n.prim == primReshape || n.prim == primAlias || n.prim == primStop {
		n = n.in[0]
	}
	return n
}

// isView reports whether the node's elements lie in its operand's memory, or nowhere.
func isView(n *node) bool {
	switch n.prim {
	case primReshape, primAlias, primStop, primConst:
		return true
	case primSlice:
		_, ok := contiguous(n)
		return ok
	}
	return false
}

// contiguous returns where the elements of a slice begin in its operand, if they lie there without gaps.
func contiguous(n *node) (int, bool) {
	a, from := n.attr.(sliceAttr), n.in[0].shape
	offset, cut := 0, false
	for i, d := range n.shape {
		offset = offset*from[i] + a.Start[i]
		if cut && d != from[i] {
			return 0, false
		}
		if d > 1 {
			if a.Step[i] != 1 {
				return 0, false
			}
			cut = true
		}
	}
	return offset, true
}
