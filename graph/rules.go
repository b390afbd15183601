package graph

import "math"

// rule says what a primitive does to derivatives. An elementwise function has partial derivatives, from which forward mode, reverse
// mode and Taylor series all follow; every other primitive is linear in one group of its operands, bilinear in two, or constant.
type rule struct {
	kind kind
	// partial returns the derivative of an elementwise function by operand i, as a value of n's shape, or the zero Value
	// where it vanishes.
	partial func(n *Node, i int) Value
	// tangent applies a linear primitive to tangents d of its operands; the zero Value stands for a zero tangent, and at
	// least one is not. Operands it is not linear in (indices, masks) have no tangent.
	tangent func(n *Node, d []Value) Value
	// apply applies a bilinear primitive to other operands than n's.
	apply func(n *Node, x, y Value) Value
	// transpose returns what a cotangent dy of n, which is linear or bilinear, adds to the cotangent of operand i.
	transpose func(n *Node, i int, dy Value) Value
}

type kind uint8

const (
	kindMissing     kind = iota
	kindConstant         // derivatives are zero: parameters, constants, comparisons, indices
	kindElementwise      // smooth or piecewise smooth functions of one or two operands
	kindLinear           // jointly linear in some operands, the others fixed
	kindBilinear         // linear in each of two operands
)

// rules has the rule of each primitive.
var rules = [NumOps]rule{
	OpParam:        {kind: kindConstant},
	OpConst:        {kind: kindConstant},
	OpConstArray:   {kind: kindConstant},
	OpStop:         {kind: kindConstant},
	OpSign:         {kind: kindConstant},
	OpStep:         {kind: kindConstant},
	OpGreater:      {kind: kindConstant},
	OpGreaterEqual: {kind: kindConstant},
	OpEqual:        {kind: kindConstant},
	OpPoolIndex:    {kind: kindConstant},

	// Functions of one operand name their derivative by the operand x and the result y. At a kink the convention is PyTorch's:
	// relu'(0) = 0, |x|'(0) = 0.
	OpNeg:     derivative(func(_, y Value) Value { return y.Like(-1) }),
	OpExp:     derivative(func(_, y Value) Value { return y }),
	OpLog:     derivative(func(x, _ Value) Value { return x.Recip() }),
	OpLog1p:   derivative(func(x, _ Value) Value { return x.Add(x.Like(1)).Recip() }),
	OpSqrt:    derivative(func(_, y Value) Value { return y.Like(0.5).Div(y) }),
	OpRsqrt:   derivative(func(x, y Value) Value { return y.Like(-0.5).Mul(y).Div(x) }),
	OpRecip:   derivative(func(_, y Value) Value { return y.Mul(y).Neg() }),
	OpTanh:    derivative(func(_, y Value) Value { return y.Like(1).Sub(y.Mul(y)) }),
	OpSigmoid: derivative(func(_, y Value) Value { return y.Mul(y.Like(1).Sub(y)) }),
	OpErf:     derivative(func(x, _ Value) Value { return x.Mul(x).Neg().Exp().Mul(x.Like(2 / math.SqrtPi)) }),
	OpRelu:    derivative(func(_, y Value) Value { return y.step() }), // y > 0 where x > 0, and y is there anyway
	OpAbs:     derivative(func(x, _ Value) Value { return x.Sign() }),
	OpPow:     {kind: kindElementwise, partial: powPartial},
	OpDiv:     {kind: kindElementwise, partial: divPartial},
	OpMax:     {kind: kindElementwise, partial: tieShare},
	OpMin:     {kind: kindElementwise, partial: func(n *Node, i int) Value { return tieShare(n, 1-i) }},

	OpAdd: {kind: kindLinear,
		tangent:   func(_ *Node, d []Value) Value { return addMaybe(d[0], d[1]) },
		transpose: func(_ *Node, _ int, dy Value) Value { return dy }},
	OpSub:    {kind: kindLinear, tangent: subTangent, transpose: subTranspose},
	OpSelect: {kind: kindLinear, tangent: selectTangent, transpose: selectTranspose},
	OpConcat: {kind: kindLinear, tangent: concatTangent, transpose: concatTranspose},

	// Linear in the first operand: how it acts on one, and its transpose.
	OpAlias: linear(
		func(_ *Node, x Value) Value { return x },
		func(_ *Node, dy Value) Value { return dy }),
	OpBroadcast: linear(
		func(n *Node, x Value) Value { return x.BroadcastTo(n.shape...) },
		func(n *Node, dy Value) Value { return dy.Sum(stretched(n)...).Reshape(n.in[0].shape...) }),
	OpReshape: linear(
		func(n *Node, x Value) Value { return x.Reshape(n.shape...) },
		func(n *Node, dy Value) Value { return dy.Reshape(n.in[0].shape...) }),
	OpTranspose: linear(
		func(n *Node, x Value) Value { return x.Transpose(n.attr.(AxesAttr).Axes...) },
		func(n *Node, dy Value) Value { return dy.Transpose(inverse(n.attr.(AxesAttr).Axes)...) }),
	OpSlice: linear(
		func(n *Node, x Value) Value { a := n.attr.(SliceAttr); return x.Slice(a.Start, a.Stop, a.Step) },
		sliceTranspose),
	OpPad: linear(
		func(n *Node, x Value) Value { a := n.attr.(PadAttr); return x.Pad(a.Low, a.High, a.Gap) },
		padTranspose),
	OpGather: linear(
		func(n *Node, x Value) Value { return x.gather(n.in[1], n.attr.(*Call)) },
		func(n *Node, dy Value) Value { return dy.scatter(n.in[1], last(n.in[0].shape), n.attr.(*Call)) }),
	OpScatter: linear(
		func(n *Node, x Value) Value { return x.scatter(n.in[1], last(n.shape), n.attr.(*Call)) },
		func(n *Node, dy Value) Value { return dy.gather(n.in[1], n.attr.(*Call)) }),
	OpRows: linear(
		func(n *Node, x Value) Value { return x.rows(n.in[1], n.attr.(*Call)) },
		func(n *Node, dy Value) Value { return dy.addRows(n.in[1], n.in[0].shape[0], n.attr.(*Call)) }),
	OpAddRows: linear(
		func(n *Node, x Value) Value { return x.addRows(n.in[1], n.shape[0], n.attr.(*Call)) },
		func(n *Node, dy Value) Value { return dy.rows(n.in[1], n.attr.(*Call)) }),
	OpSum: linear(
		func(n *Node, x Value) Value { return x.Sum(n.attr.(AxesAttr).Axes...) },
		func(n *Node, dy Value) Value { return dy.keepAxes(n).BroadcastTo(n.in[0].shape...) }),
	OpAmax: linear( // at a tie each maximum takes an equal share, as PyTorch's amax has it
		func(n *Node, x Value) Value { return x.Mul(amaxShare(n)).Sum(n.attr.(AxesAttr).Axes...) },
		func(n *Node, dy Value) Value { return dy.keepAxes(n).Mul(amaxShare(n)) }),
	OpTake: linear(
		func(n *Node, x Value) Value { return take(n.attr.(PoolAttr), x, Value{n.in[1]}) },
		func(n *Node, dy Value) Value { return put(n.attr.(PoolAttr), dy, Value{n.in[1]}) }),
	OpPut: linear(
		func(n *Node, y Value) Value { return put(n.attr.(PoolAttr), y, Value{n.in[1]}) },
		func(n *Node, dx Value) Value { return take(n.attr.(PoolAttr), dx, Value{n.in[1]}) }),
	OpSumPool: linear(
		func(n *Node, x Value) Value { return sumPool(n.attr.(PoolAttr), x) },
		func(n *Node, dy Value) Value { return spread(n.attr.(PoolAttr), dy) }),
	OpSpread: linear(
		func(n *Node, y Value) Value { return spread(n.attr.(PoolAttr), y) },
		func(n *Node, dx Value) Value { return sumPool(n.attr.(PoolAttr), dx) }),

	OpMul: {kind: kindBilinear,
		apply:     func(_ *Node, x, y Value) Value { return x.Mul(y) },
		transpose: func(n *Node, i int, dy Value) Value { return dy.Mul(Value{n.in[1-i]}) }},
	OpMatMul: {kind: kindBilinear,
		apply:     func(n *Node, x, y Value) Value { a := n.attr.(MatMulAttr); return matmul(x, y, a.TransA, a.TransB) },
		transpose: matmulTranspose},
	// The three convolutions turn into each other.
	OpConv: {kind: kindBilinear,
		apply: func(n *Node, x, w Value) Value { return conv(n.attr.(ConvAttr), x, w) },
		transpose: func(n *Node, i int, dy Value) Value {
			if i == 0 {
				return convInput(n.attr.(ConvAttr), dy, Value{n.in[1]})
			}
			return convKernel(n.attr.(ConvAttr), Value{n.in[0]}, dy)
		}},
	OpConvInput: {kind: kindBilinear,
		apply: func(n *Node, y, w Value) Value { return convInput(n.attr.(ConvAttr), y, w) },
		transpose: func(n *Node, i int, dx Value) Value {
			if i == 0 {
				return conv(n.attr.(ConvAttr), dx, Value{n.in[1]})
			}
			return convKernel(n.attr.(ConvAttr), dx, Value{n.in[0]})
		}},
	OpConvKernel: {kind: kindBilinear,
		apply: func(n *Node, x, y Value) Value { return convKernel(n.attr.(ConvAttr), x, y) },
		transpose: func(n *Node, i int, dw Value) Value {
			if i == 0 {
				return convInput(n.attr.(ConvAttr), Value{n.in[1]}, dw)
			}
			return conv(n.attr.(ConvAttr), Value{n.in[0]}, dw)
		}},
}

// derivative is the rule of a function of one operand x with the result y, whose derivative may be stated by either.
func derivative(by func(x, y Value) Value) rule {
	return rule{kind: kindElementwise, partial: func(n *Node, _ int) Value {
		return by(Value{n.in[0]}, Value{n}).BroadcastTo(n.shape...)
	}}
}

// linear is the rule of a primitive that is linear in its first operand, whatever the others are.
func linear(apply, transpose func(n *Node, x Value) Value) rule {
	return rule{
		kind:      kindLinear,
		tangent:   func(n *Node, d []Value) Value { return apply(n, d[0]) },
		transpose: func(n *Node, _ int, dy Value) Value { return transpose(n, dy) },
	}
}
