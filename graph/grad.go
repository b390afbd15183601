package graph

import "slices"

// Grad returns the gradient of the scalar y with respect to each x, by reverse mode. The xs may be any values that y is made
// from, parameters or not; the gradient with respect to a value that y does not depend on is zero.
func Grad(y Value, xs ...Value) []Value {
	b, ok := operandsFit("Grad", append([]Value{y}, xs...))
	if !ok {
		return invalid(b, "Grad", y, len(xs))
	}
	if len(y.n.shape) != 0 {
		b.fail("Grad", []Value{y}, "only a scalar has a gradient: reduce it, or use VJP")
		return invalid(b, "Grad", y, len(xs))
	}
	return VJP([]Value{y}, []Value{y.Like(1)}, xs)
}

// VJP returns, for each x, the sum over ys of the transposed Jacobian of y by x times the cotangent dys.
func VJP(ys, dys, xs []Value) []Value {
	all := slices.Concat(ys, dys, xs)
	b, ok := operandsFit("VJP", all)
	if !ok || len(ys) != len(dys) {
		b.fail("VJP", all, "want valid values, and one cotangent a result")
		return invalid(b, "VJP", Value{}, len(xs))
	}
	if hasIntegers(all) {
		b.fail("VJP", all, "int32 has no derivatives: want floating-point values")
		return invalid(b, "VJP", Value{}, len(xs))
	}
	r := reverse{pending: map[*Node][]cotangent{}}
	for i, y := range ys {
		if !slices.Equal(y.n.shape, dys[i].n.shape) || y.n.dtype != dys[i].n.dtype {
			b.fail("VJP", []Value{y, dys[i]}, "cotangent %d has another shape or type than its result", i)
			return invalid(b, "VJP", Value{}, len(xs))
		}
		r.pending[y.n] = append(r.pending[y.n], cotangent{value: dys[i]})
	}
	active := dependents(ys, xs)
	for _, n := range slices.Backward(active) {
		if r.propagate(n, active); b.err != nil { // beyond the bound of a program
			return invalid(b, "VJP", Value{}, len(xs))
		}
	}
	out := make([]Value, len(xs))
	for i, x := range xs {
		if out[i] = r.total(x.n); out[i].n == nil {
			out[i] = x.Like(0).BroadcastTo(x.n.shape...)
		}
	}
	return out
}

func hasIntegers(vs []Value) bool {
	return slices.ContainsFunc(vs, func(v Value) bool { return v.n.dtype == Int32 })
}

// invalid is what a transformation returns after an error: as many invalid values as results were asked for.
func invalid(b *Builder, op string, v Value, n int) []Value {
	out := make([]Value, n)
	for i := range out {
		out[i] = b.fail(op, []Value{v}, "invalid operand")
	}
	return out
}

// dependents returns the nodes that ys are made from and that depend on xs, xs included, in topological order.
func dependents(ys, xs []Value) []*Node {
	depends := map[*Node]bool{}
	var roots, order []*Node
	for _, x := range xs {
		depends[x.n] = true
	}
	for _, y := range ys {
		roots = append(roots, y.n)
	}
	walk(roots, func(*Node) bool { return true }, func(n *Node) {
		if rules[n.op].kind != kindConstant && slices.ContainsFunc(n.in, func(in *Node) bool { return depends[in] }) {
			depends[n] = true
		}
		if depends[n] {
			order = append(order, n)
		}
	})
	slices.SortFunc(order, func(a, b *Node) int { return a.id - b.id })
	return order
}

// cotangent is one contribution to a node's cotangent. That of a slice is kept as it is until all are known, because the
// cotangent of an array whose slices are used apart is their concatenation, not a sum of padded arrays.
type cotangent struct {
	value Value
	slice *Node // if not nil: value is the cotangent of this slice of the node
}

type reverse struct {
	pending map[*Node][]cotangent
}

// propagate hands n's cotangent on to its operands.
func (r *reverse) propagate(n *Node, active []*Node) {
	dy := r.total(n)
	if dy.n == nil {
		return
	}
	for i, in := range n.in {
		_, depends := slices.BinarySearchFunc(active, in, func(a, b *Node) int { return a.id - b.id })
		if !depends || rules[n.op].kind == kindConstant {
			continue
		}
		switch {
		case rules[n.op].kind == kindElementwise:
			if d := rules[n.op].partial(n, i); d.n != nil {
				r.pending[in] = append(r.pending[in], cotangent{value: dy.Mul(d)})
			}
		case n.op == OpSlice:
			r.pending[in] = append(r.pending[in], cotangent{value: dy, slice: n})
		default:
			r.pending[in] = append(r.pending[in], cotangent{value: rules[n.op].transpose(n, i, dy)})
		}
	}
}

// total adds up what is pending for n, and keeps the sum.
func (r *reverse) total(n *Node) Value {
	var sum Value
	var parts []cotangent
	for _, c := range r.pending[n] {
		if c.slice != nil {
			parts = append(parts, c)
			continue
		}
		sum = addMaybe(sum, c.value)
	}
	if len(parts) > 0 {
		sum = addMaybe(sum, joinSlices(n, parts))
	}
	if sum.n != nil {
		r.pending[n] = []cotangent{{value: sum}}
	}
	return sum
}

// joinSlices returns the cotangent of n from those of its slices: a concatenation where they lie side by side on one axis.
func joinSlices(n *Node, parts []cotangent) Value {
	axis, ok := commonAxis(n, parts)
	if ok {
		slices.SortStableFunc(parts, func(a, b cotangent) int { return sliceStart(a, axis) - sliceStart(b, axis) })
		if joined, ok := concatDisjoint(n, parts, axis); ok {
			return joined
		}
	}
	var sum Value
	for _, c := range parts {
		sum = addMaybe(sum, sliceTranspose(c.slice, c.value))
	}
	return sum
}

func sliceStart(c cotangent, axis int) int { return c.slice.attr.(SliceAttr).Start[axis] }

// commonAxis returns the one axis along which all parts are slices of step 1, all other axes being taken whole.
func commonAxis(n *Node, parts []cotangent) (int, bool) {
	axis := -1
	for _, c := range parts {
		for i, d := range c.slice.shape {
			if d == n.shape[i] {
				continue
			}
			if (axis >= 0 && axis != i) || c.slice.attr.(SliceAttr).Step[i] != 1 {
				return 0, false
			}
			axis = i
		}
	}
	return axis, axis >= 0
}

func concatDisjoint(n *Node, parts []cotangent, axis int) (Value, bool) {
	var pieces []Value
	at := 0
	gap := func(to int) {
		if to > at {
			shape := slices.Clone(n.shape)
			shape[axis] = to - at
			pieces = append(pieces, Value{n}.Like(0).BroadcastTo(shape...))
		}
	}
	for _, c := range parts {
		start := sliceStart(c, axis)
		if start < at {
			return Value{}, false
		}
		gap(start)
		pieces = append(pieces, c.value)
		at = start + c.slice.shape[axis]
	}
	gap(n.shape[axis])
	return Concat(axis, pieces...), true
}
