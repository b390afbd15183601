package graph

import (
	"math"
	"slices"
)

// PoolSpec says how a pooling window moves over an image.
type PoolSpec struct {
	Size   [2]int // rows, columns
	Stride [2]int // 0 stands for the window's size
	Pad    [4]int // top, left, bottom, right; a maximum ignores padding, an average counts it as zeros
	// Dilation is the number of rows and columns of the image from one element of the window to the next; 0 stands for 1.
	Dilation [2]int
}

func (v Value) pool(name string, spec PoolSpec) (a PoolAttr, bad Value, ok bool) {
	vs := []Value{v}
	b, ok := operandsFit(name, vs)
	if !ok {
		return a, b.fail(name, vs, "invalid operand"), false
	}
	if len(v.n.shape) != 4 || v.n.dtype == Int32 {
		return a, b.fail(name, vs, "want images [N,H,W,C] of a floating-point type"), false
	}
	var span [2]int
	for i, n := range spec.Size {
		if n < 1 || spec.Stride[i] < 0 || spec.Dilation[i] < 0 || spec.Dilation[i] > longestDilation || spec.Dilation[i] > 1 && n > longestDilation {
			return a, b.fail(name, vs, "window %v, stride %v, dilation %v: want a window of at least 1, no negative stride, and where there is a dilation at most %d of both", spec.Size, spec.Stride, spec.Dilation, longestDilation), false
		}
		if spec.Stride[i] == 0 {
			spec.Stride[i] = n
		}
		spec.Dilation[i], span[i] = dilated(n, spec.Dilation[i])
	}
	p := spec.Pad
	if slices.Min(p[:]) < 0 || max(p[0], p[2]) >= span[0] || max(p[1], p[3]) >= span[1] {
		return a, b.fail(name, vs, "padding %v: want none below 0, and less than the window %v", p, span), false
	}
	a = PoolAttr{PoolSpec: spec, X: [4]int(v.n.shape)}
	oh, ow, ok := windows(a.X[1], a.X[2], span, spec.Stride, spec.Pad)
	if !ok {
		return a, b.fail(name, vs, "window %v is larger than the image with padding %v", span, spec.Pad), false
	}
	for axis, count := range []int{oh, ow} {
		if spec.misses(axis, count, a.X[1+axis]) {
			return a, b.fail(name, vs, "padding %v and dilation %v: want an element of the image in every window %v", p, spec.Dilation, spec.Size), false
		}
	}
	a.Y = [4]int{a.X[0], oh, ow, a.X[3]}
	return a, Value{}, true
}

// misses reports whether one of so many windows along an axis of that length has no element of it, but steps over it.
func (s *PoolSpec) misses(axis, count, length int) bool {
	if s.Dilation[axis] <= length {
		return false // it begins before the end and ends behind the start, in steps no longer than the axis
	}
	for i := range count {
		start := i*s.Stride[axis] - s.Pad[axis]
		first := max(0, (-start+s.Dilation[axis]-1)/s.Dilation[axis])
		if first >= s.Size[axis] || start+first*s.Dilation[axis] >= length {
			return true
		}
	}
	return false
}

// MaxPool returns the maximum of each window of the images v [N,H,W,C]; at a tie the derivative goes to the first.
func (v Value) MaxPool(spec PoolSpec) Value {
	a, bad, ok := v.pool("MaxPool", spec)
	if !ok {
		return bad
	}
	if v.n.Size() > math.MaxInt32 {
		return v.n.b.fail("MaxPool", []Value{v}, "want at most %d elements: fewer images at a time", math.MaxInt32)
	}
	return take(a, v, v.n.b.record(OpPoolIndex, a, a.Y[:], Int32, v))
}

// AvgPool returns the mean of each window of the images v [N,H,W,C], padding counted as zeros.
func (v Value) AvgPool(spec PoolSpec) Value {
	a, bad, ok := v.pool("AvgPool", spec)
	if !ok {
		return bad
	}
	return sumPool(a, v).Mul(v.Like(1 / float64(spec.Size[0]*spec.Size[1])))
}

// The primitives of pooling: a maximum is found once, as places; taking the elements there, and putting elements back, are linear and
// turn into each other. So are the sums over windows and their spreading back.

func take(a PoolAttr, x, index Value) Value {
	return x.n.b.record(OpTake, a, a.Y[:], x.n.dtype, x, index)
}

func put(a PoolAttr, y, index Value) Value {
	return y.n.b.record(OpPut, a, a.X[:], y.n.dtype, y, index)
}

func sumPool(a PoolAttr, x Value) Value {
	return x.n.b.record(OpSumPool, a, a.Y[:], x.n.dtype, x)
}

func spread(a PoolAttr, y Value) Value {
	return y.n.b.record(OpSpread, a, a.X[:], y.n.dtype, y)
}
