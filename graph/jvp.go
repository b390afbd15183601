package graph

import "slices"

// JVP returns the tangent of each y when each x moves along dx: the Jacobian of ys by xs times dxs, by forward mode. The JVP
// of a Grad is a Hessian-vector product.
func JVP(ys, xs, dxs []Value) []Value {
	all := slices.Concat(ys, xs, dxs)
	b, ok := operandsFit("JVP", all)
	if !ok || len(xs) != len(dxs) {
		b.fail("JVP", all, "want valid values, and one tangent a variable")
		return invalid(b, "JVP", Value{}, len(ys))
	}
	if hasIntegers(all) {
		b.fail("JVP", all, "int32 has no derivatives: want floating-point values")
		return invalid(b, "JVP", Value{}, len(ys))
	}
	tangents := map[*Node]Value{}
	for i, x := range xs {
		if !slices.Equal(x.n.shape, dxs[i].n.shape) || x.n.dtype != dxs[i].n.dtype {
			b.fail("JVP", []Value{x, dxs[i]}, "tangent %d has another shape or type than its variable", i)
			return invalid(b, "JVP", Value{}, len(ys))
		}
		tangents[x.n] = dxs[i]
	}
	for _, n := range dependents(ys, xs) {
		if _, given := tangents[n]; !given {
			tangents[n] = push(n, tangents)
		}
		if b.err != nil { // beyond the bound of a program
			return invalid(b, "JVP", Value{}, len(ys))
		}
	}
	out := make([]Value, len(ys))
	for i, y := range ys {
		if out[i] = tangents[y.n]; out[i].n == nil {
			out[i] = y.Like(0).BroadcastTo(y.n.shape...)
		}
	}
	return out
}

// push returns n's tangent from those of its operands; the zero Value where it vanishes.
func push(n *Node, tangents map[*Node]Value) Value {
	d := make([]Value, len(n.in))
	moving := false
	for i, in := range n.in {
		d[i] = tangents[in]
		moving = moving || d[i].n != nil
	}
	if !moving {
		return Value{}
	}
	var sum Value
	switch rules[n.op].kind {
	case kindLinear:
		return rules[n.op].tangent(n, d)
	case kindBilinear:
		x, y := Value{n.in[0]}, Value{n.in[1]}
		if d[0].n != nil {
			sum = rules[n.op].apply(n, d[0], y)
		}
		if d[1].n != nil {
			sum = addMaybe(sum, rules[n.op].apply(n, x, d[1]))
		}
	case kindElementwise:
		for i := range d {
			if d[i].n == nil {
				continue
			}
			if p := rules[n.op].partial(n, i); p.n != nil {
				sum = addMaybe(sum, d[i].Mul(p))
			}
		}
	}
	return sum
}
