package graph

import (
	"math"
	"slices"
)

// Mean returns the mean of the elements along the axes, which go away; without arguments, of all elements.
func (v Value) Mean(axes ...int) Value {
	s := v.Sum(axes...)
	if !s.Valid() {
		return s
	}
	return s.Mul(s.Like(float64(s.Size()) / float64(v.Size())))
}

// Gelu returns v Phi(v) with Phi the normal distribution function, the exact form.
func (v Value) Gelu() Value {
	if !v.Valid() || v.n.dtype == Int32 {
		return v.unary("Gelu", OpErf)
	}
	return v.Mul(v.Mul(v.Like(math.Sqrt2 / 2)).Erf().Add(v.Like(1))).Mul(v.Like(0.5))
}

// Silu returns v times its sigmoid.
func (v Value) Silu() Value { return v.Mul(v.Sigmoid()) }

// LogSumExp returns log(sum(e^v)) along the last axis, which goes away, without overflow.
func (v Value) LogSumExp() Value {
	b, ok := operandsFit("LogSumExp", []Value{v})
	if !ok || len(v.n.shape) == 0 {
		return b.fail("LogSumExp", []Value{v}, "want at least one axis")
	}
	top := v.topOfLast()
	keep := append(slices.Clone(v.n.shape[:len(v.n.shape)-1]), 1)
	return v.Sub(top.Reshape(keep...)).Exp().Sum(-1).Log().Add(top)
}

// Softmax returns e^v / sum(e^v) along the last axis, without overflow.
func (v Value) Softmax() Value {
	b, ok := operandsFit("Softmax", []Value{v})
	if !ok || len(v.n.shape) == 0 {
		return b.fail("Softmax", []Value{v}, "want at least one axis")
	}
	e, sum := v.exponentials()
	return e.Div(sum)
}

// exponentials returns e^v, but for a factor of each row of its last axis that keeps it from overflowing, and the sums of the rows.
func (v Value) exponentials() (e, sum Value) {
	keep := append(slices.Clone(v.n.shape[:len(v.n.shape)-1]), 1)
	e = v.Sub(v.topOfLast().Reshape(keep...)).Exp()
	return e, e.Sum(-1).Reshape(keep...)
}

// SoftmaxMatMul returns softmax(v) times the matrix w, which is what attention does with its scores. The rows of e^v are divided by their sums after the product, so that
// neither that nor its derivatives are done for each element of v.
func (v Value) SoftmaxMatMul(w Value) Value {
	b, ok := operandsFit("SoftmaxMatMul", []Value{v, w})
	if !ok || len(v.n.shape) < 2 {
		return b.fail("SoftmaxMatMul", []Value{v, w}, "want at least two axes")
	}
	e, sum := v.exponentials()
	return e.MatMul(w).Mul(sum.Recip())
}

// LogSoftmax returns log(softmax(v)) along the last axis, without overflow.
func (v Value) LogSoftmax() Value {
	l := v.LogSumExp()
	if !l.Valid() {
		return l
	}
	return v.Sub(l.Reshape(append(slices.Clone(v.n.shape[:len(v.n.shape)-1]), 1)...))
}

// topOfLast is the maximum along the last axis as a constant: subtracting it changes no result and no derivative.
func (v Value) topOfLast() Value { return v.Amax(-1).StopGradient() }

// CrossEntropy returns the mean over examples of -log softmax(logits)[label], for logits v [N, C] and int32 labels [N].
func (v Value) CrossEntropy(labels Value) Value {
	return v.LogSumExp().Sub(v.Gather(labels)).Mean()
}

// Standardize subtracts the mean over the axes and divides by the square root of the (population) variance plus eps: the core
// of batch normalization (all axes but the last) and of layer normalization (the last). The mean and the variance come back
// with the reduced axes kept at length 1.
func (v Value) Standardize(eps float64, axes ...int) (y, mean, variance Value) {
	b, ok := operandsFit("Standardize", []Value{v})
	if !ok {
		bad := b.fail("Standardize", []Value{v}, "invalid operand")
		return bad, bad, bad
	}
	m, ok := v.moments(axes)
	if !ok {
		bad := b.fail("Standardize", []Value{v}, "axes %v: want different axes", axes)
		return bad, bad, bad
	}
	r := m.variance.Add(m.variance.Like(eps)).Rsqrt()
	return m.centred.Mul(r).Sub(m.offset.Mul(r)), m.mean, m.variance
}

// moments are an array's mean and variance over some axes, which are kept at length 1.
type moments struct {
	mean, variance Value
	// The array less its mean is centred less offset. Centred is the array less a constant, and offset, the mean less
	// that constant, is zero, but not its derivatives.
	centred, offset Value
}

// moments does not differentiate the mean inside of the squares: for any constant s, the variance is the mean of
// (v-s)^2 less (mean-s)^2. With the mean's value for s, that is as accurate as the definition, and of every order of its
// derivatives it leaves less to compute: an element of the gradient needs two multiplications and no further sum.
func (v Value) moments(axes []int) (moments, bool) {
	sorted, _, ok := v.reduceShape(axes)
	if !ok {
		return moments{}, false
	}
	keep := slices.Clone(v.n.shape)
	for _, a := range sorted {
		keep[a] = 1
	}
	mean := v.Mean(sorted...).Reshape(keep...)
	s := mean.StopGradient()
	m := moments{mean: mean, centred: v.Sub(s), offset: mean.Sub(s)}
	m.variance = m.centred.Square().Mean(sorted...).Reshape(keep...).Sub(m.offset.Square())
	return m, true
}

// BatchNorm standardizes images v [.., C] over all axes but the last by the batch's own statistics, then scales and shifts each
// channel, by scale and shift [C]. The mean and the (population) variance [C] come back for running averages.
func (v Value) BatchNorm(scale, shift Value, eps float64) (y, mean, variance Value) {
	b, ok := operandsFit("BatchNorm", []Value{v, scale, shift})
	if !ok || len(v.n.shape) < 2 {
		bad := b.fail("BatchNorm", []Value{v, scale, shift}, "want at least two axes")
		return bad, bad, bad
	}
	if c := v.n.shape[len(v.n.shape)-1:]; !slices.Equal(scale.n.shape, c) || !slices.Equal(shift.n.shape, c) {
		bad := b.fail("BatchNorm", []Value{v, scale, shift}, "want a scale and a shift of shape %v, one number a channel", c)
		return bad, bad, bad
	}
	axes := make([]int, len(v.n.shape)-1)
	for i := range axes {
		axes[i] = i
	}
	m, ok := v.moments(axes)
	if !ok {
		bad := b.fail("BatchNorm", []Value{v, scale, shift}, "invalid operand")
		return bad, bad, bad
	}
	// One multiplication an element: whatever is the same for a channel comes first.
	a := m.variance.Add(m.variance.Like(eps)).Rsqrt().Mul(scale)
	return m.centred.Mul(a).Add(shift.Sub(m.offset.Mul(a))), m.mean.Reshape(-1), m.variance.Reshape(-1)
}

// LayerNorm standardizes v [.., C] along its last axis, then scales and shifts.
func (v Value) LayerNorm(scale, shift Value, eps float64) Value {
	y, _, _ := v.Standardize(eps, -1)
	return y.Mul(scale).Add(shift)
}
