package graph

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// DType is the type of an array's elements.
type DType uint8

// The element types. Only Float32 and Float64 take part in arithmetic; Int32 holds labels and indices.
const (
	Float32 DType = iota
	Float64
	Int32
)

var dtypeNames = [...]string{"float32", "float64", "int32"}

// String returns the type's name as configs spell it.
func (t DType) String() string { return dtypeNames[t] }

// Size returns the bytes of one element.
func (t DType) Size() int {
	if t == Float64 {
		return 8
	}
	return 4
}

// ParseDType returns the floating-point type of that name.
func ParseDType(name string) (DType, error) {
	switch name {
	case "float32":
		return Float32, nil
	case "float64":
		return Float64, nil
	}
	return 0, fmt.Errorf("dtype %q: want float32 or float64", name)
}

// Value is an array that a program computes. The zero Value is invalid.
type Value struct{ n *node }

// node is one recorded operation. Operands have smaller ids than the node, so that id order is a topological order.
type node struct {
	id    int
	prim  *primitive
	in    []*node
	attr  any
	shape []int
	dtype DType
	b     *Builder
	bad   bool
}

func (n *node) size() int { return numel(n.shape) }

// Builder records the operations of a program. The zero Builder is empty. It is not for concurrent use.
type Builder struct {
	nodes []*node
	memo  map[string]*node
	fresh int
	err   error
}

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder { return &Builder{} }

// Err returns the first error of the operations recorded so far.
func (b *Builder) Err() error { return b.err }

// Shape returns the lengths of the value's axes; a scalar has none.
func (v Value) Shape() []int {
	if v.n == nil {
		return nil
	}
	return slices.Clone(v.n.shape)
}

// DType returns the type of the value's elements.
func (v Value) DType() DType {
	if v.n == nil {
		return Float32
	}
	return v.n.dtype
}

// Size returns the number of the value's elements.
func (v Value) Size() int {
	if v.n == nil {
		return 0
	}
	return v.n.size()
}

// Builder returns the builder that recorded the value, nil for the zero Value.
func (v Value) Builder() *Builder {
	if v.n == nil {
		return nil
	}
	return v.n.b
}

// Valid reports whether the value is fit for use: not zero, and made without an error.
func (v Value) Valid() bool { return v.n != nil && !v.n.bad }

// OpError says which operation did not fit its operands, and where it was called. Where equal operations on equal operands were
// called, that is the first call.
type OpError struct {
	Op     string  // the operation
	Shapes [][]int // the operands' shapes
	Site   string  // file:line of the caller outside this package
	Reason string
}

func (e *OpError) Error() string {
	var operands []string
	for _, s := range e.Shapes {
		operands = append(operands, fmt.Sprint(s))
	}
	return fmt.Sprintf("%s: %s(%s): %s", e.Site, e.Op, strings.Join(operands, ", "), e.Reason)
}

// fail records an error and returns an invalid value.
func (b *Builder) fail(op string, operands []Value, format string, args ...any) Value {
	if b == nil {
		return Value{}
	}
	if b.err == nil {
		b.err = callOf(op, operands).fails(fmt.Sprintf(format, args...))
	}
	return Value{&node{b: b, bad: true}}
}

// callAttr is a call from outside this package, the attribute of operations that may fail when a program runs. A derivative's
// operation has the call of the operation that it is the derivative of.
type callAttr struct {
	op     string
	shapes [][]int
	site   string
}

// callOf describes the call that is being recorded. It walks the stack, which takes longer than recording does.
func callOf(op string, operands []Value) *callAttr {
	c := &callAttr{op: op, site: callSite()}
	for _, v := range operands {
		c.shapes = append(c.shapes, v.Shape())
	}
	return c
}

// String is what the key of the recorded operation shows: nothing, so that equal operations are one wherever they are called.
func (c *callAttr) String() string { return "" }

// fails returns the error of the call for that reason.
func (c *callAttr) fails(reason string) *OpError { return &OpError{c.op, c.shapes, c.site, reason} }

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

// operandsFit checks what every operation needs: valid operands of one builder. It returns that builder, and false when the
// operation must return an invalid value.
func operandsFit(op string, vs []Value) (*Builder, bool) {
	var b *Builder
	for _, v := range vs {
		if v.n != nil {
			b = v.n.b
			break
		}
	}
	for i, v := range vs {
		switch {
		case v.n == nil:
			b.fail(op, vs, "operand %d is the zero Value", i)
			return b, false
		case v.n.bad:
			return b, false
		case v.n.b != b:
			b.fail(op, vs, "operand %d belongs to another Builder", i)
			return b, false
		}
	}
	return b, b != nil
}

// record adds the operation, or returns the equal one recorded before.
func (b *Builder) record(p *primitive, attr any, shape []int, dtype DType, in ...Value) Value {
	var key strings.Builder
	key.WriteString(p.name)
	key.WriteByte('|')
	key.WriteString(strconv.Itoa(int(dtype)))
	for _, v := range in {
		key.WriteByte(',')
		key.WriteString(strconv.Itoa(v.n.id))
	}
	fmt.Fprintf(&key, "|%v|%v", shape, attr)
	k := key.String()
	if n, ok := b.memo[k]; ok {
		return Value{n}
	}
	if !sizeable(shape) {
		return b.fail(p.name, in, "a result of shape %v has more than 2^36 elements", shape)
	}
	n := &node{id: len(b.nodes), prim: p, attr: attr, shape: slices.Clone(shape), dtype: dtype, b: b}
	for _, v := range in {
		n.in = append(n.in, v.n)
	}
	if b.memo == nil {
		b.memo = make(map[string]*node)
	}
	b.nodes = append(b.nodes, n)
	b.memo[k] = n
	return Value{n}
}

// paramAttr tells parameters of the same shape apart.
type paramAttr struct {
	Index int
	Name  string
}

// Param adds an input of the program.
func (b *Builder) Param(name string, dtype DType, shape ...int) Value {
	if !positive(shape) {
		return b.fail("Param", nil, "%q has shape %v: every axis needs a length of at least 1", name, shape)
	}
	b.fresh++
	return b.record(primParam, paramAttr{b.fresh, name}, shape, dtype)
}

// Const adds a scalar constant.
func (b *Builder) Const(dtype DType, v float64) Value {
	if dtype == Int32 {
		return b.fail("Const", nil, "a constant must be float32 or float64")
	}
	return b.record(primConst, constAttr{v}, nil, dtype)
}

// Like returns a scalar constant of the value's type, in its builder.
func (v Value) Like(c float64) Value {
	b, ok := operandsFit("Like", []Value{v})
	if !ok {
		return b.fail("Like", []Value{v}, "invalid value")
	}
	if v.n.dtype == Int32 {
		return b.fail("Like", []Value{v}, "operand is int32: want float32 or float64")
	}
	return b.Const(v.n.dtype, c)
}

// ConstArray adds a constant array; data, in row-major order, is not copied and must not change.
func (b *Builder) ConstArray(dtype DType, data []float64, shape ...int) Value {
	if len(data) != numel(shape) || dtype == Int32 || !positive(shape) {
		return b.fail("ConstArray", nil, "%d numbers of type %v do not fill shape %v", len(data), dtype, shape)
	}
	b.fresh++
	return b.record(primConstArray, &arrayAttr{b.fresh, data}, shape, dtype)
}

type constAttr struct{ V float64 }

// arrayAttr's key is its serial number: constant arrays are never merged.
type arrayAttr struct {
	serial int
	data   []float64
}

// String is what the key of the recorded operation shows.
func (a *arrayAttr) String() string { return strconv.Itoa(a.serial) }

// Alias returns a new value equal to v that no other operation is merged with: a name for v whose series [Jet] may be told
// apart from that of v.
func (v Value) Alias() Value {
	b, ok := operandsFit("Alias", []Value{v})
	if !ok {
		return b.fail("Alias", []Value{v}, "invalid value")
	}
	b.fresh++
	return b.record(primAlias, b.fresh, v.n.shape, v.n.dtype, v)
}

// constant returns the number that every element of v is known to equal.
func (v Value) constant() (float64, bool) {
	n := v.n
	for n.prim == primBroadcast || n.prim == primReshape {
		n = n.in[0]
	}
	if n.prim != primConst {
		return 0, false
	}
	return n.attr.(constAttr).V, true
}

func (v Value) isConst(c float64) bool {
	got, ok := v.constant()
	return ok && got == c
}

// positive reports whether every axis has a length of at least 1.
func positive(shape []int) bool {
	for _, d := range shape {
		if d < 1 {
			return false
		}
	}
	return true
}

// sizeable reports whether an array of the shape could be in memory.
func sizeable(shape []int) bool {
	left := 1 << 36
	for _, d := range shape {
		if d < 1 || d > left {
			return false
		}
		left /= d
	}
	return true
}

func numel(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
