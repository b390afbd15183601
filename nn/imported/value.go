package imported

import (
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/onnx/fold"
)

// value is what an operator reads or gives: an array that is known, a list of values, or one that is recorded. A recorded one may lie in another order than the
// file has it, which costs nothing until somebody needs the file's.
type value struct {
	known *fold.Array
	list  []value
	v     graph.Value
	shape []int // as the file has it
	order []int // axis i as it lies is axis order[i] in the file; nil: the same order
	flat  *flat // how one axis of it is ordered; nil: as in the file
	// image, if valid, is images as they lie here, of which this is the file's order reshaped, and v is not recorded yet.
	image graph.Value
	// weight is 1 and the index of the weight that this is, as the file has it or transposed; 0 for anything else.
	weight int
	turned []int // of a transposed weight, the weight's axis that each of its axes is; nil: the same order
}

// flat says of an axis, by where it lies, that it is of flattened images [H, W, C] where the file has [C, H, W].
type flat struct{ axis, c, h, w int }

func (f *flat) equal(g *flat) bool { return f == g || f != nil && g != nil && *f == *g }

func (x value) floating() bool {
	if x.known != nil {
		return x.known.Type.Floating()
	}
	return x.v.DType() != graph.Int32
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// same is the order of the file.
func same(rank int) []int {
	order := make([]int, rank)
	for i := range order {
		order[i] = i
	}
	return order
}

func (x value) axes() []int {
	if x.order == nil {
		return same(len(x.shape))
	}
	return x.order
}

// ofData returns a recorded value in the order of the file.
func ofData(v graph.Value) value { return value{v: v, shape: v.Shape()} }

// stored returns a value whose axes lie in an order.
func stored(v graph.Value, order []int) value {
	shape := make([]int, len(order))
	for i, d := range v.Shape() {
		shape[order[i]] = d
	}
	if slices.IsSorted(order) {
		order = nil
	}
	return value{v: v, shape: shape, order: order}
}

// permute moves axes; where only axes of length 1 move, no element does.
func permute(v graph.Value, axes []int) graph.Value {
	var moving []int
	shape := make([]int, len(axes))
	for i, a := range axes {
		if shape[i] = v.Shape()[a]; shape[i] != 1 {
			moving = append(moving, a)
		}
	}
	if slices.IsSorted(moving) {
		return v.Reshape(shape...)
	}
	return v.Transpose(axes...)
}

// largest is the size of the largest constant: what hides from attention is finite, so that no derivative is a difference of infinities.
const largest = 1e30

// constant records a known array of floating-point numbers, once for all that read it.
func (l *lowering) constant(a *fold.Array) graph.Value {
	if v, ok := l.constants[a]; ok {
		return v
	}
	v := l.recordConstant(a)
	l.constants[a] = v
	return v
}

func (l *lowering) recordConstant(a *fold.Array) graph.Value {
	data := make([]float64, len(a.Floats))
	equal := len(data) > 0
	for i, v := range a.Floats {
		data[i] = finite(v)
		equal = equal && data[i] == data[0]
	}
	if equal {
		return l.b.Const(l.dtype, data[0]).BroadcastTo(a.Shape...)
	}
	return l.b.ConstArray(l.dtype, data, a.Shape...)
}

// in returns a value's array with its axes in an order.
func (l *lowering) in(x value, order []int) (graph.Value, error) {
	switch {
	case x.list != nil:
		return graph.Value{}, fmt.Errorf("it reads a sequence where an array is wanted")
	case x.known != nil && !x.known.Type.Floating():
		return graph.Value{}, fmt.Errorf("it reads an array of %s where floating-point numbers are wanted", x.known.Type)
	case x.known != nil:
		if x.known.Size() == 0 {
			return graph.Value{}, fmt.Errorf("it reads an array of shape %v, without elements", x.known.Shape)
		}
		return permute(l.constant(x.known), order), nil
	}
	v := x.v
	if x.image.Valid() {
		v = permute(x.image, []int{0, 3, 1, 2}).Reshape(x.shape...)
	}
	if f := x.flat; f != nil {
		v = unflatten(v, f)
	}
	if slices.Equal(x.axes(), order) {
		return v, nil
	}
	from := make([]int, len(order)) // where each axis of the file lies
	for i, a := range x.axes() {
		from[a] = i
	}
	axes := make([]int, len(order))
	for i, a := range order {
		axes[i] = from[a]
	}
	return permute(v, axes), nil
}

// unflatten gives an axis of flattened images the file's order.
func unflatten(v graph.Value, f *flat) graph.Value {
	shape := v.Shape()
	before, behind := shape[:f.axis], shape[f.axis+1:]
	k := len(before)
	axes := same(len(shape) + 2)
	axes[k], axes[k+1], axes[k+2] = k+2, k, k+1
	return v.Reshape(slices.Concat(before, []int{f.h, f.w, f.c}, behind)...).Transpose(axes...).Reshape(shape...)
}

// flattened gives an axis of flattened images, which lies in the file's order, that of images here.
func flattened(v graph.Value, f *flat) graph.Value {
	shape := v.Shape()
	before, behind := shape[:f.axis], shape[f.axis+1:]
	k := len(before)
	axes := same(len(shape) + 2)
	axes[k], axes[k+1], axes[k+2] = k+1, k+2, k
	return v.Reshape(slices.Concat(before, []int{f.c, f.h, f.w}, behind)...).Transpose(axes...).Reshape(shape...)
}

// plain returns a value's array in the order of the file.
func (l *lowering) plain(x value) (graph.Value, error) { return l.in(x, same(l.rank(x))) }

func (l *lowering) rank(x value) int { return len(l.shapeOf(x)) }

func (l *lowering) shapeOf(x value) []int {
	if x.known != nil {
		return x.known.Shape
	}
	return x.shape
}

// turn moves a value's axes, as Transpose does: nothing that is recorded moves.
func turn(x value, perm []int) value {
	to := make([]int, len(perm)) // where each axis goes
	shape := make([]int, len(perm))
	for i, a := range perm {
		to[a] = i
		shape[i] = x.shape[a]
	}
	y := x
	y.shape, y.order = shape, make([]int, len(perm))
	for i, a := range x.axes() {
		y.order[i] = to[a]
	}
	if slices.IsSorted(y.order) {
		y.order = nil
	}
	y.turned = make([]int, len(perm))
	for i, a := range perm {
		y.turned[i] = a
		if x.turned != nil {
			y.turned[i] = x.turned[a]
		}
	}
	return y
}

// finite is a number that is at most the largest.
func finite(v float64) float64 { return max(min(v, largest), -largest) }

// written is what has been recorded of numbers that operators need and no file has: places that they take, shares of windows, masks.
type written struct {
	count int
	masks map[[2]int]graph.Value // by the numbers of queries and keys; see causal
}

// maxWritten is the most such numbers of a network.
const maxWritten = 1 << 26

// write makes room for numbers that an operator needs.
func (w *written) write(n int) ([]float64, error) {
	if n > maxWritten-w.count {
		return nil, fmt.Errorf("it needs %d numbers of its own, and with what others need there are more than %d", n, maxWritten)
	}
	w.count += n
	return make([]float64, n), nil
}
