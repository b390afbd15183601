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
	for i := range spec.Size {
		if spec.Size[i] < 1 || spec.Stride[i] < 0 {
			return a, b.fail(name, vs, "window %v, stride %v: want a window of at least 1 and no negative stride", spec.Size, spec.Stride), false
		}
		if spec.Stride[i] == 0 {
			spec.Stride[i] = spec.Size[i]
		}
	}
	if p := spec.Pad; slices.Min(p[:]) < 0 || max(p[0], p[2]) >= spec.Size[0] || max(p[1], p[3]) >= spec.Size[1] { // then a window holds no element of the image
		return a, b.fail(name, vs, "padding %v: want none below 0, and less than the window %v", p, spec.Size), false
	}
	a = PoolAttr{PoolSpec: spec, X: [4]int(v.n.shape)}
	oh, ow, ok := windows(a.X[1], a.X[2], spec.Size, spec.Stride, spec.Pad)
	if !ok {
		return a, b.fail(name, vs, "window %v is larger than the image with padding %v", spec.Size, spec.Pad), false
	}
	a.Y = [4]int{a.X[0], oh, ow, a.X[3]}
	return a, Value{}, true
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
