package graph

import (
	"math"
	"slices"
)

func powPartial(n *Node, _ int) Value {
	p := n.attr.(PowAttr).P
	x := Value{n.in[0]}
	return x.Pow(p - 1).Mul(x.Like(p))
}

func divPartial(n *Node, i int) Value {
	b := Value{n.in[1]}
	if i == 0 {
		return b.Recip()
	}
	return Value{n}.Div(b).Neg()
}

func subTangent(_ *Node, d []Value) Value {
	switch {
	case d[1].n == nil:
		return d[0]
	case d[0].n == nil:
		return d[1].Neg()
	}
	return d[0].Sub(d[1])
}

func subTranspose(_ *Node, i int, dy Value) Value {
	if i == 1 {
		return dy.Neg()
	}
	return dy
}

func selectTangent(n *Node, d []Value) Value {
	x, y := d[1], d[2]
	if x.n == nil {
		x = y.Like(0)
	}
	if y.n == nil {
		y = x.Like(0)
	}
	return Select(Value{n.in[0]}, x, y)
}

func selectTranspose(n *Node, i int, dy Value) Value {
	mask, zero := Value{n.in[0]}, dy.Like(0)
	if i == 1 {
		return Select(mask, dy, zero)
	}
	return Select(mask, zero, dy)
}

// tieShare is 1 where operand i of n is the larger, 0 where it is the smaller, 1/2 at a tie, as PyTorch's maximum has it.
func tieShare(n *Node, i int) Value {
	a, b := Value{n.in[i]}, Value{n.in[1-i]}
	return a.Greater(b).Add(a.Equal(b).Mul(a.Like(0.5)))
}

func (v Value) unary(name string, op Op) Value {
	b, ok := operandsFit(name, []Value{v})
	if !ok {
		return b.fail(name, []Value{v}, "invalid operand")
	}
	if v.n.dtype == Int32 {
		return b.fail(name, []Value{v}, "operand is int32: want float32 or float64")
	}
	return b.record(op, nil, v.n.shape, v.n.dtype, v)
}

// Neg returns -v.
func (v Value) Neg() Value {
	if v.Valid() {
		if c, ok := v.n.Constant(); ok {
			return v.Like(-c).BroadcastTo(v.n.shape...)
		}
		if v.n.op == OpNeg {
			return Value{v.n.in[0]}
		}
	}
	return v.unary("Neg", OpNeg)
}

// Exp returns e^v.
func (v Value) Exp() Value { return v.unary("Exp", OpExp) }

// Log returns the natural logarithm of v.
func (v Value) Log() Value { return v.unary("Log", OpLog) }

// Log1p returns log(1 + v), accurate near zero.
func (v Value) Log1p() Value { return v.unary("Log1p", OpLog1p) }

// Sqrt returns the square root of v.
func (v Value) Sqrt() Value { return v.foldUnary("Sqrt", OpSqrt, math.Sqrt) }

// Rsqrt returns 1/sqrt(v).
func (v Value) Rsqrt() Value { return v.unary("Rsqrt", OpRsqrt) }

// Recip returns 1/v.
func (v Value) Recip() Value {
	return v.foldUnary("Recip", OpRecip, func(c float64) float64 { return 1 / c })
}

// Tanh returns the hyperbolic tangent of v.
func (v Value) Tanh() Value { return v.unary("Tanh", OpTanh) }

// Sigmoid returns 1/(1 + e^-v).
func (v Value) Sigmoid() Value { return v.unary("Sigmoid", OpSigmoid) }

// Erf returns the error function of v.
func (v Value) Erf() Value { return v.unary("Erf", OpErf) }

// Relu returns max(v, 0); its derivative at 0 is 0.
func (v Value) Relu() Value { return v.unary("Relu", OpRelu) }

// Abs returns |v|; its derivative at 0 is 0.
func (v Value) Abs() Value { return v.unary("Abs", OpAbs) }

// Sign returns -1, 0 or 1; its derivative is 0.
func (v Value) Sign() Value { return v.unary("Sign", OpSign) }

// step is 1 where v > 0, else 0.
func (v Value) step() Value { return v.unary("step", OpStep) }

// foldUnary is unary with a known constant computed at once.
func (v Value) foldUnary(name string, op Op, f func(float64) float64) Value {
	if v.Valid() && v.n.dtype != Int32 {
		if c, ok := v.n.Constant(); ok {
			return v.Like(f(c)).BroadcastTo(v.n.shape...)
		}
	}
	return v.unary(name, op)
}

// Square returns v*v.
func (v Value) Square() Value { return v.Mul(v) }

// Pow returns v^p for a fixed p. For v < 0 and p not an integer the result is NaN.
func (v Value) Pow(p float64) Value {
	b, ok := operandsFit("Pow", []Value{v})
	if !ok {
		return b.fail("Pow", []Value{v}, "invalid operand")
	}
	if v.n.dtype == Int32 {
		return b.fail("Pow", []Value{v}, "operand is int32: want float32 or float64")
	}
	switch p {
	case 0:
		return v.Like(1).BroadcastTo(v.n.shape...)
	case 1:
		return v
	case 2:
		return v.Mul(v)
	case 3:
		return v.Mul(v).Mul(v)
	case 4:
		return v.Mul(v).Mul(v.Mul(v))
	case 0.5:
		return v.Sqrt()
	case -0.5:
		return v.Rsqrt()
	case -1:
		return v.Recip()
	}
	return b.record(OpPow, PowAttr{p}, v.n.shape, v.n.dtype, v)
}

// binary broadcasts two operands to one shape and checks their types.
func binary(name string, x, y Value) (b *Builder, xb, yb Value, ok bool) {
	vs := []Value{x, y}
	b, ok = operandsFit(name, vs)
	if !ok {
		return b, b.fail(name, vs, "invalid operand"), y, false
	}
	if x.n.dtype != y.n.dtype || x.n.dtype == Int32 {
		return b, b.fail(name, vs, "operands are %v and %v: want two of the same floating-point type", x.n.dtype, y.n.dtype), y, false
	}
	if slices.Equal(x.n.shape, y.n.shape) {
		return b, x, y, true
	}
	shape, fits := broadcastShape(x.n.shape, y.n.shape)
	if !fits {
		return b, b.fail(name, vs, "shapes do not broadcast: aligned at the right, two axes must be equal or one of them 1"), y, false
	}
	return b, x.BroadcastTo(shape...), y.BroadcastTo(shape...), true
}

// arith records a binary operation, with its operands in a fixed order where that does not change the result.
func arith(b *Builder, op Op, x, y Value) Value {
	if (op == OpAdd || op == OpMul) && y.n.id < x.n.id {
		x, y = y, x
	}
	return b.record(op, nil, x.n.shape, x.n.dtype, x, y)
}

// fold computes f at once where both operands are known constants.
func fold(x, y Value, f func(a, b float64) float64) (Value, bool) {
	a, okA := x.n.Constant()
	c, okC := y.n.Constant()
	if !okA || !okC {
		return Value{}, false
	}
	return x.Like(f(a, c)).BroadcastTo(x.n.shape...), true
}

// Add returns v + w, broadcast.
func (v Value) Add(w Value) Value {
	b, x, y, ok := binary("Add", v, w)
	switch {
	case !ok:
		return x
	case x.isConst(0):
		return y
	case y.isConst(0):
		return x
	case y.n.op == OpNeg:
		return x.Sub(Value{y.n.in[0]})
	case x.n.op == OpNeg:
		return y.Sub(Value{x.n.in[0]})
	}
	if c, ok := fold(x, y, func(a, b float64) float64 { return a + b }); ok {
		return c
	}
	return arith(b, OpAdd, x, y)
}

// Sub returns v - w, broadcast.
func (v Value) Sub(w Value) Value {
	b, x, y, ok := binary("Sub", v, w)
	switch {
	case !ok:
		return x
	case y.isConst(0):
		return x
	case x.isConst(0):
		return y.Neg()
	case y.n.op == OpNeg:
		return x.Add(Value{y.n.in[0]})
	}
	if c, ok := fold(x, y, func(a, b float64) float64 { return a - b }); ok {
		return c
	}
	return arith(b, OpSub, x, y)
}

// Mul returns v * w elementwise, broadcast.
func (v Value) Mul(w Value) Value {
	b, x, y, ok := binary("Mul", v, w)
	switch {
	case !ok:
		return x
	case x.isConst(1):
		return y
	case y.isConst(1):
		return x
	case x.isConst(-1):
		return y.Neg()
	case y.isConst(-1):
		return x.Neg()
	}
	if c, ok := fold(x, y, func(a, b float64) float64 { return a * b }); ok {
		return c
	}
	return arith(b, OpMul, x, y)
}

// Div returns v / w elementwise, broadcast.
func (v Value) Div(w Value) Value {
	b, x, y, ok := binary("Div", v, w)
	switch {
	case !ok:
		return x
	case y.isConst(1):
		return x
	case x.isConst(1):
		return y.Recip()
	}
	if c, ok := fold(x, y, func(a, b float64) float64 { return a / b }); ok {
		return c
	}
	return arith(b, OpDiv, x, y)
}

// Max returns the larger of v and w, broadcast; at a tie each takes half the derivative.
func (v Value) Max(w Value) Value { return v.compare("Max", OpMax, w) }

// Floor returns v, which cannot be negative, with a tiny number in the place of 0 and of less: 1e-200, of float32 1e-37. Where a parameter has no gradient
// a mean of squares is 0 for ever, and so is its rate; the derivative of its root along that rate is then 0 too, and not the 0 times infinity that
// it would be at 0 itself. The root of that number is small beside any eps, and no gradient's square is smaller but for 0. The series of a [Jet]
// are v's.
func (v Value) Floor() Value {
	if !v.Valid() {
		return v
	}
	b, x, y, ok := binary("Floor", v, floorOf(v))
	if !ok {
		return x
	}
	return b.record(OpMax, floorAttr{}, x.n.shape, x.n.dtype, x, y)
}

// floorAttr tells a floor from a maximum.
type floorAttr struct{}

func floorOf(v Value) Value {
	if v.n.dtype == Float32 {
		return v.Like(1e-37)
	}
	return v.Like(1e-200)
}

// tiny is a number up to which a series has none for those who take roots: what a floor is, over the weights that a mean is divided by.
func tiny(v Value) Value {
	if v.n.dtype == Float32 {
		return v.Like(1e-32)
	}
	return v.Like(1e-190)
}

// Min returns the smaller of v and w, broadcast; at a tie each takes half the derivative.
func (v Value) Min(w Value) Value { return v.compare("Min", OpMin, w) }

// Greater returns 1 where v > w, else 0; its derivative is 0.
func (v Value) Greater(w Value) Value { return v.compare("Greater", OpGreater, w) }

// GreaterEqual returns 1 where v >= w, else 0; its derivative is 0.
func (v Value) GreaterEqual(w Value) Value { return v.compare("GreaterEqual", OpGreaterEqual, w) }

// Equal returns 1 where v = w, else 0; its derivative is 0.
func (v Value) Equal(w Value) Value { return v.compare("Equal", OpEqual, w) }

func (v Value) compare(name string, op Op, w Value) Value {
	b, x, y, ok := binary(name, v, w)
	if !ok {
		return x
	}
	return arith(b, op, x, y)
}

// Select returns x where mask is not 0, else y, all broadcast to one shape.
func Select(mask, x, y Value) Value {
	b, x, y, ok := binary("Select", x, y)
	if !ok {
		return x
	}
	_, mask, x, ok = binary("Select", mask.StopGradient(), x)
	if !ok {
		return mask
	}
	y = y.BroadcastTo(x.n.shape...)
	if x.n == y.n {
		return x
	}
	return b.record(OpSelect, nil, x.n.shape, x.n.dtype, mask, x, y)
}

// addMaybe adds two values of which either may be the zero Value, which stands for zero.
func addMaybe(x, y Value) Value {
	switch {
	case x.n == nil:
		return y
	case y.n == nil:
		return x
	}
	return x.Add(y)
}
