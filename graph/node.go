package graph

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Node is one recorded operation, as programs that execute or print what was recorded see it; [Value.Node] gives it, and nothing
// that it returns may be changed. Two values are of one node exactly if they are equal operations on equal operands.
type Node struct {
	id    int
	op    Op
	in    []*Node
	attr  any
	shape []int
	dtype DType
	b     *Builder
	bad   bool
}

// Node returns the operation that computes the value, nil for the zero Value.
func (v Value) Node() *Node { return v.n }

// ID is the node's place among those of its builder. Operands have smaller ids, so that id order is a topological order.
func (n *Node) ID() int { return n.id }

// Op is what the node does.
func (n *Node) Op() Op { return n.op }

// In are the operands.
func (n *Node) In() []*Node { return n.in }

// MadeOf returns the places, in order, of those of some candidates that nodes are made of, the nodes themselves included. What a candidate is made of
// itself is not looked at.
func MadeOf(nodes, candidates []*Node) []int {
	var places []int
	walk(nodes, func(n *Node) bool {
		i := slices.Index(candidates, n)
		if i >= 0 {
			places = append(places, i)
		}
		return i < 0
	}, func(*Node) {})
	slices.Sort(places)
	return places
}

// walk visits what nodes are made of, the nodes themselves included, each once: enter comes before a node's operands and says whether these are visited, leave
// behind them.
func walk(nodes []*Node, enter func(n *Node) bool, leave func(n *Node)) {
	seen := map[*Node]bool{}
	var visit func(n *Node)
	visit = func(n *Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if !enter(n) {
			return
		}
		for _, x := range n.in {
			visit(x)
		}
		leave(n)
	}
	for _, n := range nodes {
		visit(n)
	}
}

// Attr is what the operation depends on beside its operands, of the type that stands beside its [Op].
func (n *Node) Attr() any { return n.attr }

// Shape are the lengths of the result's axes.
func (n *Node) Shape() []int { return n.shape }

// DType is the type of the result's elements.
func (n *Node) DType() DType { return n.dtype }

// Size is the number of the result's elements.
func (n *Node) Size() int { return numel(n.shape) }

// Constant returns the number that every element is known to equal.
func (n *Node) Constant() (float64, bool) {
	for n.op == OpBroadcast || n.op == OpReshape {
		n = n.in[0]
	}
	if n.op != OpConst {
		return 0, false
	}
	return n.attr.(constAttr).V, true
}

// ParamAttr tells parameters of the same shape apart.
type ParamAttr struct {
	Index int // counts parameters, constant arrays and aliases
	Name  string
}

type constAttr struct{ V float64 }

// ArrayAttr holds the elements of a constant array, in row-major order. Constant arrays are never merged: the key of a recorded one
// is its serial number.
type ArrayAttr struct {
	Data   []float64
	serial int
}

// String is what the key of the recorded operation shows.
func (a *ArrayAttr) String() string { return strconv.Itoa(a.serial) }

// AxesAttr names axes.
type AxesAttr struct{ Axes []int }

// SliceAttr takes the elements Start, Start+Step, .. below Stop of each axis.
type SliceAttr struct{ Start, Stop, Step []int }

// PadAttr puts zeros before, after, and between the elements of each axis.
type PadAttr struct{ Low, High, Gap []int }

// PowAttr is an exponent.
type PowAttr struct{ P float64 }

// MatMulAttr says of either operand whether it lies transposed.
type MatMulAttr struct{ TransA, TransB bool }

// ConvAttr is a convolution's full geometry: images X [N,H,W,C], kernels W [KH,KW,C/groups,O], results Y [N,OH,OW,O].
type ConvAttr struct {
	ConvSpec
	X, W, Y [4]int
}

// PoolAttr is a pooling's full geometry: images X [N,H,W,C], results Y [N,OH,OW,C].
type PoolAttr struct {
	PoolSpec
	X, Y [4]int
}

// Call is a call from outside this package, the attribute of operations that may fail when a program runs. A derivative's operation
// has the call of the operation that it is the derivative of.
type Call struct {
	op     string
	shapes [][]int
	site   string
}

// callOf describes the call that is being recorded. It walks the stack, which takes longer than recording does.
func callOf(op string, operands []Value) *Call {
	c := &Call{op: op, site: callSite()}
	for _, v := range operands {
		c.shapes = append(c.shapes, v.Shape())
	}
	return c
}

// String is what the key of the recorded operation shows: nothing, so that equal operations are one wherever they are called.
func (c *Call) String() string { return "" }

// Fails returns the error of the call for that reason.
func (c *Call) Fails(reason string) *OpError { return &OpError{c.op, c.shapes, c.site, reason} }

// callSite returns file:line of the nearest caller outside this package.
func callSite() string {
	pc := make([]uintptr, 1024) // an expansion of a deep program calls itself deeply
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for {
		f, more := frames.Next()
		inside := strings.HasPrefix(f.Function, "shadowflow/graph.") && !strings.HasSuffix(f.File, "_test.go")
		if !inside {
			return f.File + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return "unknown"
		}
	}
}

// Passed returns all that is computed on the way to a value, operands before what is made of them and the value last.
func (v Value) Passed() []Value {
	var out []Value
	walk([]*Node{v.n}, func(*Node) bool { return true }, func(n *Node) { out = append(out, Value{n}) })
	return out
}
