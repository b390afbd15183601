package graph

import (
	"fmt"
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

// Value is an array that a program computes. The zero Value is invalid.
type Value struct{ n *Node }

// Builder records the operations of a program. The zero Builder is empty. It is not for concurrent use.
type Builder struct {
	nodes []*Node
	memo  map[string]*Node
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
	return v.n.Size()
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
	var err error
	if b.err == nil { // describing the call takes a while
		err = callOf(op, operands).Fails(fmt.Sprintf(format, args...))
	}
	return b.failed(err)
}

// failed records an error, unless there is one before, and returns an invalid value.
func (b *Builder) failed(err error) Value {
	if b.err == nil {
		b.err = err
	}
	return b.invalid()
}

// invalid returns a value that is the result of a fault.
func (b *Builder) invalid() Value { return Value{&Node{b: b, bad: true}} }

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

// maxNodes bounds a program: derivatives of high order grow with the fourth power of the order, and with the length of what they are of.
const maxNodes = 1 << 19

// record adds the operation, or returns the equal one recorded before.
func (b *Builder) record(op Op, attr any, shape []int, dtype DType, in ...Value) Value {
	for _, v := range in {
		if v.n.bad { // within a rule of differentiation that went beyond the bound; its id would be another's
			return b.invalid()
		}
	}
	var key strings.Builder
	key.WriteString(op.String())
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
		return b.fail(op.String(), in, "a result of shape %v has more than 2^36 elements", shape)
	}
	if len(b.nodes) >= maxNodes {
		return b.failed(fmt.Errorf("a program of more than %d operations: want a lower order of derivatives, shorter formulas or fewer layers", maxNodes))
	}
	n := &Node{id: len(b.nodes), op: op, attr: attr, shape: slices.Clone(shape), dtype: dtype, b: b}
	for _, v := range in {
		n.in = append(n.in, v.n)
	}
	if b.memo == nil {
		b.memo = make(map[string]*Node)
	}
	b.nodes = append(b.nodes, n)
	b.memo[k] = n
	return Value{n}
}

// Param adds an input of the program.
func (b *Builder) Param(name string, dtype DType, shape ...int) Value {
	if !positive(shape) {
		return b.fail("Param", nil, "%q has shape %v: every axis needs a length of at least 1", name, shape)
	}
	b.fresh++
	return b.record(OpParam, ParamAttr{b.fresh, name}, shape, dtype)
}

// Const adds a scalar constant.
func (b *Builder) Const(dtype DType, v float64) Value {
	if dtype == Int32 {
		return b.fail("Const", nil, "a constant must be float32 or float64")
	}
	return b.record(OpConst, constAttr{v}, nil, dtype)
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

// ConstArray adds a constant array; data, in row-major order, is not copied and must not change. For int32 it holds whole numbers.
func (b *Builder) ConstArray(dtype DType, data []float64, shape ...int) Value {
	if len(data) != numel(shape) || !positive(shape) {
		return b.fail("ConstArray", nil, "%d numbers of type %v do not fill shape %v", len(data), dtype, shape)
	}
	if i := slices.IndexFunc(data, func(x float64) bool { return x != float64(int32(x)) }); dtype == Int32 && i >= 0 {
		return b.fail("ConstArray", nil, "element %d is %v: want whole numbers of type int32", i, data[i])
	}
	b.fresh++
	return b.record(OpConstArray, &ArrayAttr{data, b.fresh}, shape, dtype)
}

// Alias returns a new value equal to v that no other operation is merged with: a name for v whose series [Jet] may be told
// apart from that of v.
func (v Value) Alias() Value {
	b, ok := operandsFit("Alias", []Value{v})
	if !ok {
		return b.fail("Alias", []Value{v}, "invalid value")
	}
	b.fresh++
	return b.record(OpAlias, b.fresh, v.n.shape, v.n.dtype, v)
}

// StopGradient returns v as a constant: its derivatives are zero.
func (v Value) StopGradient() Value {
	b, ok := operandsFit("StopGradient", []Value{v})
	if !ok {
		return b.fail("StopGradient", []Value{v}, "invalid value")
	}
	if _, known := v.n.Constant(); known || v.n.op == OpStop || v.n.op == OpConstArray {
		return v
	}
	return b.record(OpStop, nil, v.n.shape, v.n.dtype, v)
}

func (v Value) isConst(c float64) bool {
	got, ok := v.n.Constant()
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
