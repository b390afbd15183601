package graph

// Again records the operation of a node, which may be of another builder, on other operands, for executors that cut a program into parts.
// The operands may differ from the node's in what the operation leaves alone: the lengths of leading axes that it works along item by
// item. The shape is that of the result, which only the caller can know; parameters and constants are not recorded again but anew, arrays of
// constants excepted.
func (b *Builder) Again(n *Node, shape []int, in ...Value) Value {
	if _, ok := operandsFit(n.op.String(), in); len(in) != len(n.in) || !ok && len(in) > 0 || n.op == OpParam || n.op == OpConst {
		return b.fail(n.op.String(), in, "want the %d operands of an operation that is recorded again", len(n.in))
	}
	return b.record(n.op, n.attr, shape, n.dtype, in...)
}
