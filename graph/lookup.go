package graph

import (
	"math"
	"slices"
)

// Gather picks, along the last axis of v [.., C], the element that the integer label [..] names. A label that is not among 0 to
// C-1 fails the run of a program with an [OpError] that names this call, in the program's derivatives too.
func (v Value) Gather(labels Value) Value {
	vs := []Value{v, labels}
	b, ok := operandsFit("Gather", vs)
	if !ok {
		return b.fail("Gather", vs, "invalid operand")
	}
	rank := len(v.n.shape)
	if rank == 0 || labels.n.dtype != Int32 || v.n.dtype == Int32 || !slices.Equal(v.n.shape[:rank-1], labels.n.shape) {
		return b.fail("Gather", vs, "want a floating-point array [.., C] and int32 labels [..]")
	}
	return v.gather(labels.n, callOf("Gather", vs))
}

// gather is Gather for operands that fit; an error in a run names the call.
func (v Value) gather(labels *Node, call *Call) Value {
	return v.n.b.record(OpGather, call, labels.shape, v.n.dtype, v, Value{labels})
}

// scatter puts each element of v [..] where its label says along a new last axis of length classes, zeros elsewhere. An error in
// a run names the call.
func (v Value) scatter(labels *Node, classes int, call *Call) Value {
	shape := append(slices.Clone(v.n.shape), classes)
	return v.n.b.record(OpScatter, call, shape, v.n.dtype, v, Value{labels})
}

// Rows looks rows of the table v [n, d..] up, as of an embedding: for integer indices [..] the result is [.., d..]. An index that is
// not among 0 to n-1 fails the run of a program with an [OpError] that names this call, in the program's derivatives too.
func (v Value) Rows(indices Value) Value {
	vs := []Value{v, indices}
	b, ok := operandsFit("Rows", vs)
	if !ok {
		return b.fail("Rows", vs, "invalid operand")
	}
	if len(v.n.shape) == 0 || indices.n.dtype != Int32 || v.n.dtype == Int32 {
		return b.fail("Rows", vs, "want a floating-point table [n, d..] and int32 indices")
	}
	if indices.n.Size() > math.MaxInt32 {
		return b.fail("Rows", vs, "want at most %d indices: fewer at a time", math.MaxInt32)
	}
	return v.rows(indices.n, callOf("Rows", vs))
}

// rows is Rows for operands that fit; an error in a run names the call.
func (v Value) rows(indices *Node, call *Call) Value {
	return v.n.b.record(OpRows, call, slices.Concat(indices.shape, v.n.shape[1:]), v.n.dtype, v, Value{indices})
}

// addRows adds the rows v [.., d..] to a table of n rows of zeros, each where its index says. An error in a run names the call.
func (v Value) addRows(indices *Node, n int, call *Call) Value {
	shape := append([]int{n}, v.n.shape[len(indices.shape):]...)
	return v.n.b.record(OpAddRows, call, shape, v.n.dtype, v, Value{indices})
}
