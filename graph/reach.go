package graph

import "slices"

// Reach says how far the series of a [Jet] go. A square root of what is 0 at the point and leaves it, or a maximum of two that are equal there and
// part, has no series in whole powers: from some degree on it has no coefficients, and neither has what is made of it. Coefficients
// that a Jet gives there mean nothing; those below are right.
//
// What a series lacks, of the degrees 0 to the highest, is a number for each element: 0 where it lacks nothing, d where the last d degrees
// are missing, the highest + 1 where the value itself is. Halves count too: the root of a series that begins with degree 1 has the size r^(1/2)
// at a distance r, and its square is of degree 1.
type Reach struct {
	jet     *Jet
	highest int
	given   map[*Node]func() Value
	lacks   map[*Node]Value
	leads   map[leadKey]Value
	gaps    []Gap
}

// Gap is an operation at a place where it may have no series.
type Gap struct {
	Op Op
	// Of are the operation's operands.
	Of []*Node
	// Lacks is what its result lacks because of the operation itself; an element of it is 0 where the operation has a series.
	Lacks Value
	// Weight is a scalar parameter: with 1 what the gap lacks counts, with 0 it does not.
	Weight Value
}

type leadKey struct {
	n    *Node
	from int
}

// Reach returns how far the series go, looked at up to a degree.
func (j *Jet) Reach(highest int) *Reach {
	return &Reach{jet: j, highest: highest, given: map[*Node]func() Value{}, lacks: map[*Node]Value{}, leads: map[leadKey]Value{}}
}

// Set gives what the series of x lacks, where the Jet was given the series. The zero Value stands for nothing.
func (r *Reach) Set(x Value, lacks func() Value) {
	if x.Valid() {
		r.given[x.n] = lacks
	}
}

// Lacks returns what the series of y lacks.
func (r *Reach) Lacks(y Value) Value {
	if !y.Valid() {
		return y
	}
	v := r.of(y.n)
	if v.n == nil {
		return y.Like(0).BroadcastTo(y.n.shape...)
	}
	return v
}

// Gaps returns the operations that what was asked for meets, in the order of the program.
func (r *Reach) Gaps() []Gap { return r.gaps }

// of is Lacks with the zero Value for nothing.
func (r *Reach) of(n *Node) Value {
	if v, ok := r.lacks[n]; ok {
		return v
	}
	var v Value
	if given, ok := r.given[n]; ok {
		v = given()
	} else if n.dtype != Int32 {
		v = r.made(n)
	}
	r.lacks[n] = v
	return v
}

func (r *Reach) made(n *Node) Value {
	if _, ok := r.jet.given[n]; ok {
		return Value{}
	}
	switch {
	case n.op == OpStop && rules[n.in[0].op].kind == kindConstant: // as a choice has its mask, which jumps nevertheless
		return r.of(n.in[0])
	case rules[n.op].kind == kindConstant:
		return r.gap(n, r.jump(n))
	}
	in := make([]Value, len(n.in))
	for i, x := range n.in {
		in[i] = r.of(x)
	}
	switch rules[n.op].kind {
	case kindLinear:
		return r.linear(n, in)
	case kindBilinear:
		if n.op == OpMul {
			return larger(r.times(in[0], n.in[1]), r.times(in[1], n.in[0]))
		}
		return everywhere(n, in)
	}
	return r.elementwise(n, in)
}

// elementwise returns what a function of one or two operands lacks.
func (r *Reach) elementwise(n *Node, in []Value) Value {
	inherited := in[0]
	switch n.op {
	case OpDiv:
		inherited = larger(in[0], r.times(in[1], n.in[0]))
	case OpMax, OpMin:
		inherited = larger(in[0], in[1])
	}
	return larger(inherited, r.gap(n, r.own(n)))
}

// own returns what a function lacks by itself, the zero Value where it has a series everywhere.
func (r *Reach) own(n *Node) Value {
	x := Value{n.in[0]}
	switch n.op {
	case OpSqrt:
		return r.power(n.in[0], 0.5)
	case OpPow:
		return r.power(n.in[0], n.attr.(PowAttr).P)
	case OpRsqrt, OpLog:
		return r.all(x.Greater(x.Like(0)), false)
	case OpRecip:
		return r.pole(n.in[0])
	case OpDiv:
		return r.pole(n.in[1])
	case OpAbs, OpRelu:
		return r.crossing(x, false)
	case OpMax, OpMin:
		if _, floor := n.attr.(floorAttr); floor {
			return Value{}
		}
		return r.crossing(x.Sub(Value{n.in[1]}), false)
	}
	return Value{}
}

// power returns what x^p lacks: at 0 it goes like r^(p lead), and has a series only where p is whole or x stays 0.
func (r *Reach) power(n *Node, p float64) Value {
	x := Value{n}
	if !r.moves(n) {
		return Value{}
	}
	whole := p == float64(int(p))
	switch {
	case whole && p >= 0:
		return Value{}
	case whole:
		return r.pole(n)
	}
	none := x.Like(float64(r.highest + 1)).BroadcastTo(n.shape...)
	lead := r.first(n, 1)
	atZero := none.Sub(lead.Mul(x.Like(p))).Max(x.Like(0))
	if p < 0 {
		atZero = none
	}
	atZero = Select(lead.Greater(x.Like(float64(r.highest))), x.Like(0), atZero)
	return Select(x.Greater(tiny(x)), x.Like(0), Select(x.GreaterEqual(x.Like(0)), atZero, none))
}

// pole returns what 1/x lacks: all at 0. A root of a floor that stays where it is is no 0.
func (r *Reach) pole(n *Node) Value {
	x := Value{n}
	if _, ok := n.Constant(); ok {
		return Value{}
	}
	near := x.Abs().Greater(tiny(x).Sqrt())
	if !r.moves(n) {
		return r.all(x.Equal(x.Like(0)), true)
	}
	rests := r.first(n, 1).Greater(x.Like(float64(r.highest))).Mul(x.Abs().Greater(x.Like(0)))
	return r.all(near.Add(rests).Greater(x.Like(0)), false)
}

// all returns that everything is missing where a mask is as given, and nothing elsewhere.
func (r *Reach) all(mask Value, where bool) Value {
	none, nothing := mask.Like(float64(r.highest+1)), mask.Like(0)
	if where {
		return Select(mask, none, nothing).BroadcastTo(mask.n.shape...)
	}
	return Select(mask, nothing, none).BroadcastTo(mask.n.shape...)
}

// crossing returns what a function lacks where d is 0 and does not stay so: all from the degree on that d begins with, or all where it jumps.
func (r *Reach) crossing(d Value, jumps bool) Value {
	if !d.Valid() || !r.moves(d.n) {
		return Value{}
	}
	first := r.first(d.n, 1)
	lacks := d.Like(float64(r.highest + 1)).BroadcastTo(d.n.shape...)
	leaves := d.Equal(d.Like(0)).Mul(d.Like(float64(r.highest)).GreaterEqual(first))
	if !jumps {
		lacks = lacks.Sub(first)
	}
	return Select(leaves, lacks, d.Like(0)).BroadcastTo(d.n.shape...)
}

// jump returns what an operation lacks whose derivatives are 0: all where its value jumps.
func (r *Reach) jump(n *Node) Value {
	switch n.op {
	case OpSign, OpStep:
		return r.crossing(Value{n.in[0]}, true)
	case OpGreater, OpGreaterEqual, OpEqual:
		return r.crossing(Value{n.in[0]}.Sub(Value{n.in[1]}), true)
	}
	return Value{}
}

// gap records an operation that lacks something by itself, and returns it as it counts.
func (r *Reach) gap(n *Node, lacks Value) Value {
	if !lacks.Valid() {
		return lacks
	}
	weight := n.b.Param("gap", n.dtype)
	r.gaps = append(r.gaps, Gap{Op: n.op, Of: n.in, Lacks: lacks, Weight: weight})
	return lacks.Mul(weight)
}

// linear returns what an operation lacks that is linear in its operands.
func (r *Reach) linear(n *Node, in []Value) Value {
	none := !slices.ContainsFunc(in, func(v Value) bool { return v.n != nil })
	switch n.op {
	case OpSelect:
		var taken Value
		if in[1].n != nil || in[2].n != nil {
			taken = selectTangent(n, in)
		}
		return larger(in[0], taken)
	case OpAmax:
		return r.amax(n, in[0])
	}
	if none {
		return Value{}
	}
	switch n.op {
	case OpAdd, OpSub:
		return larger(in[0], in[1])
	case OpSum:
		return in[0].Amax(n.attr.(AxesAttr).Axes...)
	case OpAlias, OpBroadcast, OpReshape, OpTranspose, OpSlice, OpPad, OpConcat, OpGather, OpScatter, OpRows:
		return rules[n.op].tangent(n, in)
	}
	return everywhere(n, in)
}

// amax returns what a largest element lacks: where several are, it goes as far as they stay equal.
func (r *Reach) amax(n *Node, in Value) Value {
	x, axes := Value{n.in[0]}, n.attr.(AxesAttr).Axes
	equal := x.Equal(Value{n}.keepAxes(n))
	lacks := x.Like(0).BroadcastTo(x.n.shape...)
	for degree := r.highest; degree > 0; degree-- { // the lowest that differs counts
		for a := range degree + 1 {
			if c := r.jet.coef(n.in[0], a, degree-a); c.n != nil {
				differs := c.Equal(r.jet.coef(n, a, degree-a).keepAxes(n)).Neg().Add(x.Like(1))
				lacks = Select(equal.Mul(differs), x.Like(float64(r.highest+1-degree)), lacks)
			}
		}
	}
	if in.n != nil {
		in = in.Amax(axes...)
	}
	return larger(in, r.gap(n, lacks.Amax(axes...)))
}

// times returns what a series that lacks something lacks when it is multiplied by y: less by the degree that y begins with.
func (r *Reach) times(lacks Value, y *Node) Value {
	if lacks.n == nil {
		return lacks
	}
	return lacks.Sub(r.first(y, 0)).Max(lacks.Like(0))
}

// first returns the degree that a series begins with, of the degrees from one on, be it one that it lacks.
func (r *Reach) first(n *Node, from int) Value {
	first := r.lead(n, from)
	if own := r.of(n); own.n != nil {
		first = first.Min(own.Neg().Add(own.Like(float64(r.highest + 1))))
	}
	return first
}

// moves reports whether a value may have coefficients beside the constant one.
func (r *Reach) moves(n *Node) bool {
	if r.of(n).n != nil {
		return true
	}
	for degree := 1; degree <= r.highest; degree++ {
		for a := range degree + 1 {
			if r.jet.coef(n, a, degree-a).n != nil {
				return true
			}
		}
	}
	return false
}

// lead returns the lowest degree of a value's coefficients that are not 0, of the degrees from one on; the highest + 1 if there is none.
func (r *Reach) lead(n *Node, from int) Value {
	key := leadKey{n, from}
	if v, ok := r.leads[key]; ok {
		return v
	}
	x := Value{n}
	still := x.Like(1).BroadcastTo(n.shape...)
	lead := x.Like(float64(from)).BroadcastTo(n.shape...)
	for degree := from; degree <= r.highest; degree++ {
		for a := range degree + 1 {
			if c := r.jet.coef(n, a, degree-a); c.n != nil {
				still = still.Mul(c.Equal(c.Like(0)))
			}
		}
		lead = lead.Add(still)
	}
	r.leads[key] = lead
	return lead
}

// everywhere returns that all elements lack what any element of the operands does.
func everywhere(n *Node, in []Value) Value {
	var most Value
	for _, v := range in {
		if v.n != nil {
			most = larger(most, v.Amax())
		}
	}
	if most.n == nil {
		return most
	}
	return most.BroadcastTo(n.shape...)
}

// larger is the larger of two values, the zero Value for 0.
func larger(x, y Value) Value {
	switch {
	case x.n == nil:
		return y
	case y.n == nil:
		return x
	}
	return x.Max(y)
}
