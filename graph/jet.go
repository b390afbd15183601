package graph

import "slices"

// Jet expands values in truncated Taylor series of one or two variables t and h: given the coefficients of t^a h^b of some
// values, it gives those of every value made from them. Coefficients are made when they are asked for, each once, so that a
// series may be given by a function that asks for lower coefficients of what is made from it: a recursion for the solution
// of a differential or a delay equation writes itself as it reads on paper.
//
// The rule for a smooth elementwise function y = f(x) is that D = t d/dt + h d/dh is a derivation, which multiplies the
// coefficient of degree d = a + b by d: d y_ab = sum (i+j) x_ij f'(x)_(a-i)(b-j), over (i,j) other than (0,0).
type Jet struct {
	given map[*Node]func(a, b int) Value
	memo  map[jetKey]Value
	open  map[jetKey]bool // coefficients being made
}

type jetKey struct {
	n    *Node
	a, b int
}

// NewJet returns an expansion in which nothing moves yet.
func NewJet() *Jet {
	return &Jet{given: map[*Node]func(a, b int) Value{}, memo: map[jetKey]Value{}, open: map[jetKey]bool{}}
}

// Set gives the coefficients of x for a + b >= 1; its constant coefficient is x itself. The function is called at most once
// for each (a, b). The zero Value stands for zero.
func (j *Jet) Set(x Value, coef func(a, b int) Value) {
	if x.Valid() && coef != nil {
		j.given[x.n] = coef
	}
}

// Coef returns the coefficient of t^a h^b of y.
func (j *Jet) Coef(y Value, a, b int) Value {
	bd, ok := operandsFit("Jet", []Value{y})
	if !ok {
		return bd.fail("Jet", []Value{y}, "invalid operand")
	}
	if a < 0 || b < 0 {
		return bd.fail("Jet", []Value{y}, "there is no coefficient (%d, %d)", a, b)
	}
	if y.n.dtype == Int32 {
		return bd.fail("Jet", []Value{y}, "int32 has no series: want a floating-point value")
	}
	c := j.coef(y.n, a, b)
	if c.n == nil {
		return y.Like(0).BroadcastTo(y.n.shape...)
	}
	return c
}

// coef is Coef with the zero Value for zero.
func (j *Jet) coef(n *Node, a, b int) Value {
	if a == 0 && b == 0 {
		return Value{n}
	}
	key := jetKey{n, a, b}
	if v, ok := j.memo[key]; ok {
		return v
	}
	if j.open[key] {
		return n.b.fail("Jet", []Value{{n}}, "coefficient (%d, %d) is made from itself", a, b)
	}
	j.open[key] = true
	v := j.expand(n, a, b)
	delete(j.open, key)
	j.memo[key] = v
	return v
}

func (j *Jet) expand(n *Node, a, b int) Value {
	if given, ok := j.given[n]; ok {
		v := given(a, b)
		if v.n != nil && v.n.b != n.b {
			return n.b.fail("Jet", []Value{{n}, v}, "coefficient (%d, %d) belongs to another Builder", a, b)
		}
		if v.Valid() && (!slices.Equal(v.n.shape, n.shape) || v.n.dtype != n.dtype) {
			return n.b.fail("Jet", []Value{{n}, v}, "coefficient (%d, %d) has another shape or type than its value", a, b)
		}
		return v
	}
	switch rules[n.op].kind {
	case kindLinear:
		d := make([]Value, len(n.in))
		moving := false
		for i, in := range n.in {
			d[i] = j.coef(in, a, b)
			if d[i].n != nil && d[i].n.bad {
				return d[i]
			}
			moving = moving || d[i].n != nil
		}
		if !moving {
			return Value{}
		}
		return rules[n.op].tangent(n, d)
	case kindBilinear:
		return j.cauchy(n.in[0], n.in[1], a, b, 0, func(x, y Value) Value { return rules[n.op].apply(n, x, y) })
	case kindElementwise:
		switch n.op {
		case OpDiv:
			return j.quotient(n, n.in[0], n.in[1], a, b)
		case OpRecip:
			return j.quotient(n, nil, n.in[0], a, b)
		case OpSqrt:
			return j.root(n, a, b)
		case OpMax:
			if _, floor := n.attr.(floorAttr); floor {
				return j.floored(n, a, b)
			}
		}
		return j.smooth(n, a, b)
	}
	return Value{}
}

// cauchy adds up apply(x_ij, y_(a-i)(b-j)), leaving out the terms in which x or y has degree less than from.
func (j *Jet) cauchy(x, y *Node, a, b, from int, apply func(x, y Value) Value) Value {
	var sum Value
	for p := 0; p <= a; p++ {
		for q := 0; q <= b; q++ {
			if p+q < from || a-p+b-q < from {
				continue
			}
			cx := j.coef(x, p, q)
			if cx.n == nil {
				continue
			}
			cy := j.coef(y, a-p, b-q)
			switch {
			case cx.n.bad:
				return cx
			case cy.n != nil && cy.n.bad:
				return cy
			case cy.n != nil:
				sum = addMaybe(sum, apply(cx, cy))
			}
		}
	}
	return sum
}

// quotient expands y = x/z (x = 1 where nil) by y z = x.
func (j *Jet) quotient(y, x, z *Node, a, b int) Value {
	var num Value
	if x != nil {
		num = j.coef(x, a, b)
	}
	var sum Value
	for p := 0; p <= a; p++ {
		for q := 0; q <= b; q++ {
			if p+q == 0 {
				continue
			}
			if cz := j.coef(z, p, q); cz.n != nil {
				if cy := j.coef(y, a-p, b-q); cy.n != nil {
					sum = addMaybe(sum, cz.Mul(cy))
				}
			}
		}
	}
	switch {
	case sum.n == nil && num.n == nil:
		return Value{}
	case sum.n == nil:
		return num.Div(Value{z})
	case num.n == nil:
		return sum.Neg().Div(Value{z})
	}
	return num.Sub(sum).Div(Value{z})
}

// floored expands a floor: what cannot be negative moves as if it had none.
func (j *Jet) floored(n *Node, a, b int) Value {
	x, c := Value{n.in[0]}, j.coef(n.in[0], a, b)
	if c.n == nil {
		return Value{}
	}
	return Select(x.GreaterEqual(x.Like(0)), c, c.Like(0))
}

// root expands y = sqrt(x) by y y = x. At 0 it is 0 where x stays so; where x leaves it there are no coefficients, see [Reach], and 0 stands in
// their place, so that they do no harm to others.
func (j *Jet) root(y *Node, a, b int) Value {
	num := j.coef(y.in[0], a, b)
	if cross := j.cauchy(y, y, a, b, 1, Value.Mul); cross.n != nil {
		if num.n == nil {
			num = cross.Neg()
		} else {
			num = num.Sub(cross)
		}
	}
	if num.n == nil {
		return Value{}
	}
	x := Value{y.in[0]}
	return Select(x.Greater(tiny(x)), num.Mul(num.Like(0.5)).Div(Value{y}), x.Like(0))
}

// smooth expands an elementwise function by its partial derivatives.
func (j *Jet) smooth(n *Node, a, b int) Value {
	var sum Value
	for i, in := range n.in {
		partial := rules[n.op].partial(n, i)
		if partial.n == nil {
			continue
		}
		for p := 0; p <= a; p++ {
			for q := 0; q <= b; q++ {
				if p+q == 0 {
					continue
				}
				x := j.coef(in, p, q)
				if x.n == nil {
					continue
				}
				f := j.coef(partial.n, a-p, b-q)
				if f.n == nil {
					continue
				}
				term := x.Mul(f)
				sum = addMaybe(sum, term.Mul(term.Like(float64(p+q)/float64(a+b))))
			}
		}
	}
	return sum
}
