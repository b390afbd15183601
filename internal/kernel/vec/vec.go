// Package vec holds elementwise functions and reductions of float32 and float64 slices, in AVX-512, AVX2, NEON and plain Go.
//
// The functions come as a table, one for each element type and instruction set. Three promises hold for all of them.
//
//   - An element's result depends on that element's arguments alone, not on its position or on the length of the slice,
//     so that a task may be cut anywhere.
//   - AVX-512, AVX2 and NEON give the same bits. Plain Go gives them too, reductions included, for the order of summation is
//     fixed and products are rounded before they are added; only Exp, Log, Log1p, Tanh, Sigmoid and Erf, which plain Go
//     takes from package math, differ within the bounds that stand beside them.
//   - NaN, infinities, signed zeros and subnormals are treated as IEEE 754 and PyTorch do.
//
// The files that end in avx512_amd64, avx2_amd64 and neon_arm64 are written by the program in asm.
package vec

import "shadowflow/internal/kernel/isa"

//go:generate go run ./asm -dir .

// Float is an element type.
type Float interface{ float32 | float64 }

// Unary sets dst[i] = f(x[i]).
type Unary[T Float] func(dst, x []T)

// Binary sets dst[i] = f(x[i], y[i]).
type Binary[T Float] func(dst, x, y []T)

// Ternary sets dst[i] = f(x[i], y[i], z[i]).
type Ternary[T Float] func(dst, x, y, z []T)

// Kernels is a table of functions. The length of dst rules: sources must be at least that long, and dst may be the same
// slice as any of them. Slices that overlap otherwise give unspecified results. No function allocates.
type Kernels[T Float] struct {
	Neg, Abs Unary[T]
	// Sign is -1, 0 (for either zero) or 1, and NaN for NaN.
	Sign Unary[T]
	// Exp overflows to +Inf and underflows through the subnormals to 0. Error below 1.5 ulp.
	Exp Unary[T]
	// Log is -Inf at zero and NaN below. Error below 1.5 ulp.
	Log Unary[T]
	// Log1p is log(1+x), accurate near zero. Error below 1.5 ulp.
	Log1p Unary[T]
	Sqrt  Unary[T]
	// Rsqrt is 1/sqrt(x), both operations rounded as IEEE 754 wants.
	Rsqrt Unary[T]
	Recip Unary[T]
	// Tanh is accurate near zero. Error below 2 ulp.
	Tanh Unary[T]
	// Sigmoid is 1/(1+exp(-x)), accurate in both tails. Error below 2 ulp.
	Sigmoid Unary[T]
	// Erf is the error function. Error below 2 ulp.
	Erf Unary[T]
	// Relu is 0 where x < 0 and x elsewhere, NaN and -0 included.
	Relu Unary[T]
	// Step is 1 where x > 0 and 0 elsewhere.
	Step Unary[T]

	Add, Sub, Mul, Div Binary[T]
	// Max and Min are NaN where either argument is; -0 is less than +0.
	Max, Min Binary[T]
	// Comparisons are 1 where they hold and 0 elsewhere; with a NaN none holds.
	Greater, GreaterEqual, Equal Binary[T]

	// Select is y where x != 0 (NaN is not zero), and z elsewhere.
	Select Ternary[T]
	// MulAdd is x*y + z with the product rounded: the bits of Mul followed by Add.
	MulAdd Ternary[T]

	// Fill sets every element of dst to v.
	Fill func(dst []T, v T)
	// AddScaled adds a*x[i], rounded, to each dst[i]: the bits of MulAdd.
	AddScaled func(dst []T, a T, x []T)

	// Sum adds in blocks of 4096 elements, each as 64 (float32) or 32 (float64) interleaved partial sums that are
	// then folded in halves; blocks are added pairwise.
	Sum func(x []T) T
	// Dot is the sum of the rounded products x[i]*y[i], in Sum's order. The length of x rules.
	Dot func(x, y []T) T
	// MaxOf is the largest element, NaN if any element is, and -Inf for no elements.
	MaxOf func(x []T) T
	// SumRows sets dst[i] to the Sum of row i of x, which is [len(dst), len(x)/len(dst)].
	SumRows Unary[T]
	// MaxRows sets dst[i] to the MaxOf row i of x, which is [len(dst), len(x)/len(dst)].
	MaxRows Unary[T]
	// AddRowsInto adds to acc[j] the sum of column j of x, which is [len(x)/len(acc), len(acc)]: in blocks of 1024
	// rows, each as four interleaved partial sums; block after block is added to acc.
	AddRowsInto func(acc, x []T)

	// WindowArgMax sets index[c] to the largest element's position in x among at + c + i*rowStride + j*colStride, for
	// i < rows and j < cols, both at least 1: the first of equal ones in that order; the last NaN if there is any. All
	// positions must lie in x.
	WindowArgMax func(index []int32, x []T, at, rows, rowStride, cols, colStride int)
	// WindowTake sets dst[w*n+c] to x[index[w*n+c]], of n channels: one of the positions of channel c of window w.
	WindowTake func(dst, x []T, index []int32, n int, w Window)
	// WindowPut is its transpose, of windows without positions in common: it sets those of all n channels of each to 0, and dst[index[w*n+c]] to 0 + x[w*n+c].
	// It is nil where no kernel does that faster than all are cleared and the elements are added one by one.
	WindowPut func(dst, x []T, index []int32, n int, w Window)
}

// Window is a row of windows of images: channel c of window w has the positions At + w*Next + c + i*RowStride + j*ColStride, for i < Rows and j < Cols, both at
// least 1. There are as many windows as the index has places for all channels.
type Window struct {
	At, Next        int
	Rows, RowStride int
	Cols, ColStride int
}

// windowsIn returns how many windows of n channels an index is of, and panics where they do not lie in both slices.
func windowsIn[T Float](w Window, images, pooled []T, index []int32, n int) int {
	if len(index) == 0 || n == 0 {
		return 0
	}
	windows := len(index) / n
	last := w.At + (windows-1)*w.Next
	_, _, _ = pooled[windows*n-1], images[w.At:], images[last:last+(w.Rows-1)*w.RowStride+(w.Cols-1)*w.ColStride+n]
	return windows
}

// few is the number of elements up to which plain Go beats the call of an assembly function.
const few = 4

// For returns the functions for an instruction set, or plain Go where this processor's architecture lacks it. That the
// processor itself can run them is the caller's to check, with isa.Available.
func For[T Float](set isa.Set) *Kernels[T] {
	k := plain[T]()
	switch k := any(k).(type) {
	case *Kernels[float32]:
		accelerate32(k, set)
	case *Kernels[float64]:
		accelerate64(k, set)
	}
	return k
}

func plain[T Float]() *Kernels[T] {
	return &Kernels[T]{
		Neg: neg[T], Abs: abs[T], Sign: sign[T], Exp: exp[T], Log: log[T], Log1p: log1p[T],
		Sqrt: sqrt[T], Rsqrt: rsqrt[T], Recip: recip[T], Tanh: tanh[T], Sigmoid: sigmoid[T], Erf: erf[T],
		Relu: relu[T], Step: step[T],
		Add: add[T], Sub: sub[T], Mul: mul[T], Div: div[T], Max: maximum[T], Min: minimum[T],
		Greater: greater[T], GreaterEqual: greaterEqual[T], Equal: equal[T],
		Select: choose[T], MulAdd: mulAdd[T], Fill: fill[T], AddScaled: addScaled[T],
		Sum: sum[T], Dot: dot[T], MaxOf: maxOf[T],
		SumRows: sumRows[T], MaxRows: maxRows[T], AddRowsInto: addRowsInto[T],
		WindowArgMax: windowArgMax[T], WindowTake: windowTake[T],
	}
}
