package engine

import (
	"shadowflow/graph"
)

// reduction says how a sum or maximum over axes looks when its operand is seen as [rows, cols].
type reduction uint8

const (
	reduceNone reduction = iota
	reduceAll            // over everything
	reduceRows           // over the rows: one result a column
	reduceCols           // over the columns: one result a row
)

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
	n    *graph.Node // whose elements are read
	cols int
	c    float64
}

// operandOf looks through views to what an elementwise operation reads.
func operandOf(n *graph.Node) operand {
	if c, ok := n.Constant(); ok {
		return operand{kind: readConst, c: c}
	}
	size := n.Size()
	n = peel(n)
	if n.Op() != graph.OpBroadcast {
		return operand{kind: readWhole, n: n}
	}
	src := n.In()[0]
	kind, cols := twoAxes(n.Shape(), func(i int) bool { return src.Shape()[i] != n.Shape()[i] })
	inner := peel(src)
	if inner.Op() == graph.OpBroadcast && inner.Size() != 1 {
		return operand{kind: readWhole, n: n}
	}
	switch {
	case src.Size() == 1 && size > 1:
		return operand{kind: readScalar, n: inner}
	case kind == reduceRows:
		return operand{kind: readRow, n: inner, cols: cols}
	case kind == reduceCols:
		return operand{kind: readColumn, n: inner, cols: cols}
	}
	return operand{kind: readWhole, n: n}
}

// peel looks through operations that only rename an array.
func peel(n *graph.Node) *graph.Node {
	for n.Op() == graph.OpReshape || n.Op() == graph.OpAlias || n.Op() == graph.OpStop {
		n = n.In()[0]
	}
	return n
}

// isView reports whether the node's elements lie in its operand's memory, or nowhere.
func isView(n *graph.Node) bool {
	switch n.Op() {
	case graph.OpReshape, graph.OpAlias, graph.OpStop, graph.OpConst:
		return true
	case graph.OpSlice:
		_, ok := contiguous(n)
		return ok
	}
	return false
}

// contiguous returns where the elements of a slice begin in its operand, if they lie there without gaps.
func contiguous(n *graph.Node) (int, bool) {
	a, from := n.Attr().(graph.SliceAttr), n.In()[0].Shape()
	offset, cut := 0, false
	for i, d := range n.Shape() {
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

// numel is the number of elements of an array.
func numel(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
