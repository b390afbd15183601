package engine

import (
	"math"
	"slices"
	"sync"

	"shadowflow/graph"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/vec"
)

// row is all that the engine knows of a primitive.
type row struct {
	role role
	// An elementwise function: what it costs beside an addition, on tiles in cache; the kernels on tiles; and what runs it, and a
	// reduction, where arrays have a few elements.
	cost  int
	ops   vec.Operations // of an element
	f32   tiled[float32]
	f64   tiled[float64]
	small small
	// with returns the row of a node, if it depends on the node's attribute.
	with func(n *graph.Node) row
	// alone builds the step of a unit of this primitive alone; of a product, and the products that it is added to.
	alone func(c *compiler, u *unit) step
	// flops counts a node's multiplications and additions. Only products are counted.
	flops func(n *graph.Node) int64
	// part says that of an operand only as many elements are read as are made.
	part bool
}

// role is how a primitive takes part in a program. A primitive without a row has none, and programs with it are refused.
type role uint8

const (
	roleNone        role = iota
	roleGiven            // in memory before the program starts
	roleView             // elements of its operand's memory, or such as readers can repeat: see operandOf; moved where that fails
	roleElementwise      // fused: computed tile by tile with others
	roleReduction        // fused with what it reduces, if its axes are the first, the last or all; alone if not
	roleProduct          // a step of its own, which can add to an array
	roleAlone            // a step of its own
)

// tiled is an elementwise function on tiles: the one of these that takes as many operands.
type tiled[T graph.Float] struct {
	f1 vec.Unary[T]
	f2 vec.Binary[T]
	f3 vec.Ternary[T]
}

// tiledOf returns the row's function for elements of type T.
func tiledOf[T graph.Float](r *row) tiled[T] {
	if f, ok := any(r.f32).(tiled[T]); ok {
		return f
	}
	return any(r.f64).(tiled[T])
}

// The costs of elementwise functions. What is dear is never computed twice.
const (
	cheap = 1
	slow  = 4
	dear  = inlineCost + 1
)

// table has the row of each primitive.
type table [graph.NumOps]row

// of returns the row of a node.
func (t *table) of(n *graph.Node) row {
	if r := t[n.Op()]; r.with != nil {
		return r.with(n)
	}
	return t[n.Op()]
}

func (t *table) elementwise(n *graph.Node) bool { return t[n.Op()].role == roleElementwise }

func (t *table) product(n *graph.Node) bool { return t[n.Op()].role == roleProduct }

// reduction returns the kind of the reduction n and the columns it asks for (0: any).
func (t *table) reduction(n *graph.Node) (reduction, int) {
	if t[n.Op()].role != roleReduction {
		return reduceNone, 0
	}
	axes := n.Attr().(graph.AxesAttr).Axes
	return twoAxes(n.In()[0].Shape(), func(i int) bool { return slices.Contains(axes, i) })
}

// sharedTable returns the rows for the instruction set that this process uses.
var sharedTable = sync.OnceValue(func() *table {
	set, _ := isa.Best() // its error is newCompiler's to return
	return tableFor(set)
})

// tableFor returns the rows, with the kernels of an instruction set.
func tableFor(set isa.Set) *table {
	x, y := vec.For[float32](set), vec.For[float64](set)
	move := byType(moveOf[float32], moveOf[float64], moveOf[int32])
	label := byType(labelOf[float32], labelOf[float64], nil)
	reduce := byType(reduceOf[float32], reduceOf[float64], nil)
	product := byType(productOf[float32], productOf[float64], nil)
	pool := byType(poolOf[float32], poolOf[float64], nil)
	return &table{
		graph.OpParam:      {role: roleGiven},
		graph.OpConst:      {role: roleGiven},
		graph.OpConstArray: {role: roleGiven},

		graph.OpAlias:     {role: roleView},
		graph.OpStop:      {role: roleView},
		graph.OpReshape:   {role: roleView},
		graph.OpBroadcast: {role: roleView, alone: move},
		graph.OpSlice:     {role: roleView, alone: move, part: true},

		graph.OpNeg:     unary(cheap, small{op: codeNeg}, x.Neg, y.Neg),
		graph.OpExp:     unary(dear, call1(math.Exp), x.Exp, y.Exp).taking("exp"),
		graph.OpLog:     unary(dear, call1(math.Log), x.Log, y.Log).taking("log"),
		graph.OpLog1p:   unary(dear, call1(math.Log1p), x.Log1p, y.Log1p).taking("log1p"),
		graph.OpSqrt:    unary(slow, small{op: codeSqrt}, x.Sqrt, y.Sqrt).taking("sqrt"),
		graph.OpRsqrt:   unary(dear, call1(rsqrt), x.Rsqrt, y.Rsqrt).taking("rsqrt"),
		graph.OpRecip:   unary(slow, small{op: codeRecip}, x.Recip, y.Recip).taking("recip"),
		graph.OpTanh:    unary(dear, call1(math.Tanh), x.Tanh, y.Tanh).taking("tanh"),
		graph.OpSigmoid: unary(dear, call1(sigmoid), x.Sigmoid, y.Sigmoid).taking("sigmoid"),
		graph.OpErf:     unary(dear, call1(math.Erf), x.Erf, y.Erf).taking("erf"),
		graph.OpRelu:    unary(cheap, call1(relu), x.Relu, y.Relu).taking("relu"),
		graph.OpAbs:     unary(cheap, call1(math.Abs), x.Abs, y.Abs),
		graph.OpSign:    unary(cheap, call1(sign), x.Sign, y.Sign),
		graph.OpStep:    unary(cheap, call1(func(a float64) float64 { return oneIf(a > 0) }), x.Step, y.Step),
		graph.OpPow:     {role: roleElementwise, cost: dear, with: powerOf},

		graph.OpAdd:          binary(cheap, small{op: codeAdd}, x.Add, y.Add).taking("add"),
		graph.OpSub:          binary(cheap, small{op: codeSub}, x.Sub, y.Sub).taking("sub"),
		graph.OpMul:          binary(cheap, small{op: codeMul}, x.Mul, y.Mul).taking("mul"),
		graph.OpDiv:          binary(slow, small{op: codeDiv}, x.Div, y.Div).taking("div"),
		graph.OpMax:          binary(cheap, call2(math.Max), x.Max, y.Max).taking("maximum"),
		graph.OpMin:          binary(cheap, call2(math.Min), x.Min, y.Min).taking("minimum"),
		graph.OpGreater:      binary(cheap, call2(func(a, b float64) float64 { return oneIf(a > b) }), x.Greater, y.Greater),
		graph.OpGreaterEqual: binary(cheap, call2(func(a, b float64) float64 { return oneIf(a >= b) }), x.GreaterEqual, y.GreaterEqual),
		graph.OpEqual:        binary(cheap, call2(func(a, b float64) float64 { return oneIf(a == b) }), x.Equal, y.Equal),
		graph.OpSelect: {role: roleElementwise, cost: cheap, small: small{op: codeCall, f: choose},
			f32: tiled[float32]{f3: x.Select}, f64: tiled[float64]{f3: y.Select}},

		graph.OpSum:  {role: roleReduction, small: small{op: codeSum}, alone: reduce},
		graph.OpAmax: {role: roleReduction, small: small{op: codeAmax}, alone: reduce},

		graph.OpMatMul:     {role: roleProduct, alone: product, flops: matmulFlops},
		graph.OpConv:       {role: roleProduct, alone: product, flops: convFlops},
		graph.OpConvInput:  {role: roleProduct, alone: product, flops: convFlops},
		graph.OpConvKernel: {role: roleProduct, alone: product, flops: convFlops},

		graph.OpTranspose: {role: roleAlone, alone: move},
		graph.OpPad:       {role: roleAlone, alone: move},
		graph.OpConcat:    {role: roleAlone, alone: move},
		graph.OpGather:    {role: roleAlone, alone: label, part: true},
		graph.OpScatter:   {role: roleAlone, alone: label},
		graph.OpRows:      {role: roleAlone, alone: byType(rowsOf[float32], rowsOf[float64], nil), part: true},
		graph.OpAddRows:   {role: roleAlone, alone: byType(addRowsOf[float32], addRowsOf[float64], nil)},
		graph.OpPoolIndex: {role: roleAlone, alone: pool},
		graph.OpTake:      {role: roleAlone, alone: pool, part: true},
		graph.OpPut:       {role: roleAlone, alone: pool},
		graph.OpSumPool:   {role: roleAlone, alone: pool},
		graph.OpSpread:    {role: roleAlone, alone: pool},
	}
}

func unary(cost int, s small, x vec.Unary[float32], y vec.Unary[float64]) row {
	return row{role: roleElementwise, cost: cost, small: s, f32: tiled[float32]{f1: x}, f64: tiled[float64]{f1: y}}
}

func binary(cost int, s small, x vec.Binary[float32], y vec.Binary[float64]) row {
	return row{role: roleElementwise, cost: cost, small: s, f32: tiled[float32]{f2: x}, f64: tiled[float64]{f2: y}}
}

// taking is the row of a function of that name, with its operations.
func (r row) taking(function string) row {
	r.ops = vec.OperationsOf(function)
	return r
}

// operations returns those of a node that is made tile by tile: of a sum, one for each element of what is added up.
func (t *table) operations(n *graph.Node) float64 {
	switch r := t.of(n); {
	case r.role == roleReduction:
		return float64(n.In()[0].Size())
	case n.DType() == graph.Float32:
		return float64(n.Size() * r.ops.Float32)
	default:
		return float64(n.Size() * r.ops.Float64)
	}
}

// powerOf is the row of a power with the node's exponent.
func powerOf(n *graph.Node) row {
	p := n.Attr().(graph.PowAttr).P
	return unary(dear, call1(func(a float64) float64 { return math.Pow(a, p) }), power[float32](p), power[float64](p))
}

func power[T graph.Float](p float64) vec.Unary[T] {
	return func(dst, x []T) {
		for i, v := range x[:len(dst)] {
			dst[i] = T(math.Pow(float64(v), p))
		}
	}
}

// byType builds a step by the type of the first operand's elements.
func byType(f32, f64, i32 func(*compiler, *unit) step) func(*compiler, *unit) step {
	return func(c *compiler, u *unit) step {
		return [...]func(*compiler, *unit) step{graph.Float32: f32, graph.Float64: f64, graph.Int32: i32}[u.result().In()[0].DType()](c, u)
	}
}
