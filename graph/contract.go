package graph

import (
	"slices"
)

// ConvSpec says how a kernel moves over an image.
type ConvSpec struct {
	Stride [2]int // rows, columns; 0 stands for 1
	// Pad is the number of zeros added at the top, left, bottom and right.
	Pad    [4]int
	Groups int // 0 stands for 1
	// Dilation is the number of rows and columns of the image from one tap of the kernel to the next; 0 stands for 1.
	Dilation [2]int
}

func matmulTranspose(n *Node, i int, dy Value) Value {
	a, x, y := n.attr.(MatMulAttr), Value{n.in[0]}, Value{n.in[1]}
	switch {
	case i == 0 && !a.TransA:
		return matmul(dy, y, false, !a.TransB)
	case i == 0:
		return matmul(y, dy, a.TransB, true)
	case !a.TransB:
		return matmul(x, dy, !a.TransA, false)
	}
	return matmul(dy, x, true, a.TransA)
}

// MatMul returns the matrix product of v [.., M, K] and w [.., K, N]; the leading axes, if any, agree. A transposed operand
// (T) costs nothing: the product reads it as it lies.
func (v Value) MatMul(w Value) Value {
	vs := []Value{v, w}
	b, ok := operandsFit("MatMul", vs)
	if !ok {
		return b.fail("MatMul", vs, "invalid operand")
	}
	if v.n.dtype != w.n.dtype || v.n.dtype == Int32 {
		return b.fail("MatMul", vs, "operands are %v and %v: want two of the same floating-point type", v.n.dtype, w.n.dtype)
	}
	rank := len(v.n.shape)
	if rank < 2 || len(w.n.shape) != rank {
		return b.fail("MatMul", vs, "want two matrices, or two stacks of matrices with as many axes")
	}
	if !slices.Equal(v.n.shape[:rank-2], w.n.shape[:rank-2]) {
		return b.fail("MatMul", vs, "leading axes %v and %v differ", v.n.shape[:rank-2], w.n.shape[:rank-2])
	}
	if v.n.shape[rank-1] != w.n.shape[rank-2] {
		return b.fail("MatMul", vs, "inner axes %d and %d differ", v.n.shape[rank-1], w.n.shape[rank-2])
	}
	return matmul(v, w, false, false)
}

// matmul records op(x) op(y), reading transposed operands where they lie.
func matmul(x, y Value, transA, transB bool) Value {
	if x.n.bad || y.n.bad {
		return x.n.b.invalid()
	}
	x, transA = throughTranspose(x, transA)
	y, transB = throughTranspose(y, transB)
	rank := len(x.n.shape)
	shape := slices.Clone(x.n.shape)
	if transA {
		shape[rank-2] = x.n.shape[rank-1]
	}
	shape[rank-1] = y.n.shape[rank-1]
	if transB {
		shape[rank-1] = y.n.shape[rank-2]
	}
	return x.n.b.record(OpMatMul, MatMulAttr{transA, transB}, shape, x.n.dtype, x, y)
}

func throughTranspose(x Value, trans bool) (Value, bool) {
	if x.n.op == OpTranspose && slices.Equal(x.n.attr.(AxesAttr).Axes, swapLast(len(x.n.shape))) {
		return Value{x.n.in[0]}, !trans
	}
	return x, trans
}

// longestDilation is far from overflow.
const longestDilation = 1 << 20

// dilated returns the dilation of a kernel or window along an axis as it is recorded, for equal ones the same, and its length from the first element to the last.
func dilated(elements, dilation int) (recorded, span int) {
	if recorded = dilation; recorded == 0 || elements == 1 {
		recorded = 1
	}
	return recorded, (elements-1)*recorded + 1
}

// Conv2D returns the convolution (in the sense of neural networks: no flip) of images v [N,H,W,C] with kernels
// w [KH,KW,C/groups,O], as [N,OH,OW,O].
func (v Value) Conv2D(w Value, spec ConvSpec) Value {
	vs := []Value{v, w}
	b, ok := operandsFit("Conv2D", vs)
	if !ok {
		return b.fail("Conv2D", vs, "invalid operand")
	}
	if len(v.n.shape) != 4 || len(w.n.shape) != 4 || v.n.dtype != w.n.dtype || v.n.dtype == Int32 {
		return b.fail("Conv2D", vs, "want images [N,H,W,C] and kernels [KH,KW,C/groups,O] of the same floating-point type")
	}
	if min(spec.Stride[0], spec.Stride[1], spec.Dilation[0], spec.Dilation[1], spec.Groups) < 0 {
		return b.fail("Conv2D", vs, "stride %v, dilation %v, %d groups: want none below 0", spec.Stride, spec.Dilation, spec.Groups)
	}
	var span [2]int
	for i, taps := range w.n.shape[:2] {
		spec.Stride[i] = max(spec.Stride[i], 1)
		if spec.Dilation[i], span[i] = dilated(taps, spec.Dilation[i]); spec.Dilation[i] > longestDilation {
			return b.fail("Conv2D", vs, "dilation %v: want at most %d", spec.Dilation, longestDilation)
		}
	}
	spec.Groups = max(spec.Groups, 1)
	a := ConvAttr{ConvSpec: spec, X: [4]int(v.n.shape), W: [4]int(w.n.shape)}
	c, o := a.X[3], a.W[3]
	if c%spec.Groups != 0 || o%spec.Groups != 0 || a.W[2] != c/spec.Groups {
		return b.fail("Conv2D", vs, "%d groups: want kernels of %d/%d input channels, and both channel numbers divisible by the groups", spec.Groups, c, spec.Groups)
	}
	if slices.Min(spec.Pad[:]) < 0 {
		return b.fail("Conv2D", vs, "padding %v: want none below 0", spec.Pad)
	}
	oh, ow, ok := windows(a.X[1], a.X[2], span, spec.Stride, spec.Pad)
	if !ok {
		return b.fail("Conv2D", vs, "kernel with dilation %v is larger than the image with padding %v", spec.Dilation, spec.Pad)
	}
	a.Y = [4]int{a.X[0], oh, ow, o}
	return conv(a, v, w)
}

// windows returns how many windows fit along rows and columns.
func windows(h, w int, size, stride [2]int, pad [4]int) (oh, ow int, ok bool) {
	h, w = h+pad[0]+pad[2]-size[0], w+pad[1]+pad[3]-size[1]
	return h/stride[0] + 1, w/stride[1] + 1, h >= 0 && w >= 0
}

func conv(a ConvAttr, x, w Value) Value {
	return x.n.b.record(OpConv, a, a.Y[:], x.n.dtype, x, w)
}

func convInput(a ConvAttr, y, w Value) Value {
	return y.n.b.record(OpConvInput, a, a.X[:], y.n.dtype, y, w)
}

func convKernel(a ConvAttr, x, y Value) Value {
	return x.n.b.record(OpConvKernel, a, a.W[:], x.n.dtype, x, y)
}
