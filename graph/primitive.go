package graph

// primitive is one operation of the language and its derivative rules. The elementwise functions give partial derivatives,
// from which forward mode, reverse mode and Taylor series all follow; every other primitive is linear in one group of its
// operands, bilinear in two, or has no derivative.
type primitive struct {
	name string
	kind kind
	// partial returns the derivative of an elementwise function by operand i, as a value of n's shape, or the zero Value
	// where it vanishes.
	partial func(n *node, i int) Value
	// tangent applies a linear primitive to tangents d of its operands; the zero Value stands for a zero tangent, and at
	// least one is not. Operands it is not linear in (indices, masks) have no tangent. For a bilinear primitive: in says
	// the two operands to multiply.
	tangent func(n *node, d []Value) Value
	apply   func(n *node, x, y Value) Value
	// transpose returns what a cotangent dy of n adds to the cotangent of operand i.
	transpose func(n *node, i int, dy Value) Value
}

type kind uint8

const (
	kindNoDerivative kind = iota // parameters, constants, comparisons, indices
	kindElementwise              // smooth or piecewise smooth functions of one or two operands
	kindLinear                   // jointly linear in some operands, the others fixed
	kindBilinear                 // linear in each of two operands
)

// The primitives without operands.
var (
	primParam      = &primitive{name: "param"}
	primConst      = &primitive{name: "const"}
	primConstArray = &primitive{name: "constarray"}
)

var (
	primAlias = &primitive{name: "alias", kind: kindLinear}
	primStop  = &primitive{name: "stop"}
)

func init() {
	primAlias.tangent = func(_ *node, d []Value) Value { return d[0] }
	primAlias.transpose = func(_ *node, _ int, dy Value) Value { return dy }
}

// StopGradient returns v as a constant: its derivatives are zero.
func (v Value) StopGradient() Value {
	b, ok := operandsFit("StopGradient", []Value{v})
	if !ok {
		return b.fail("StopGradient", []Value{v}, "invalid value")
	}
	if _, known := v.constant(); known || v.n.prim == primStop || v.n.prim == primConstArray {
		return v
	}
	return b.record(primStop, nil, v.n.shape, v.n.dtype, v)
}
