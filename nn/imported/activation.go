package imported

import (
	"fmt"

	"shadowflow/graph"
	"shadowflow/nn"
)

// number returns an input that is one known number; ok is false where it is left out.
func (c *call) number(i int) (v float64, ok bool, err error) {
	if !c.has(i) {
		return 0, false, nil
	}
	a, err := c.known(i)
	if err != nil {
		return 0, false, err
	}
	if a.Size() != 1 || !a.Type.Floating() {
		return 0, false, fmt.Errorf("its input %d is %s of shape %v, want one floating-point number", i, a.Type, a.Shape)
	}
	return a.Floats[0], true, nil
}

// meant returns which of some numbers a float32 of the file stands for, the number itself if it is none of them: PyTorch computes with the exact ones.
func meant(v float64, exact ...float64) float64 {
	for _, e := range exact {
		if float32(v) == float32(e) {
			return e
		}
	}
	return v
}

// clip is the smaller of an upper bound and the larger of a lower one: at a bound its derivative is shared as that of Max and Min is, and at a lower bound of 0 it is
// that of Relu.
func clip(c *call, x value) ([]value, error) {
	low, above, err := c.number(1)
	if err != nil {
		return nil, err
	}
	high, below, err := c.number(2)
	if err != nil {
		return nil, err
	}
	return one(c.apply(x, func(v graph.Value) graph.Value {
		switch {
		case above && low == 0:
			v = v.Relu()
		case above:
			v = v.Max(v.Like(low))
		}
		if below {
			v = v.Min(v.Like(high))
		}
		return v
	}))
}

func hardSigmoid(c *call, x value) ([]value, error) {
	slope, middle := meant(c.attributes.Float("alpha", 0.2), 1./6), c.attributes.Float("beta", 0.5)
	return one(c.apply(x, func(v graph.Value) graph.Value { return unitRamp(v, slope, middle) }))
}

// unitRamp is slope v + middle, cut to 0 and 1.
func unitRamp(v graph.Value, slope, middle float64) graph.Value {
	return v.Mul(v.Like(slope)).Add(v.Like(middle)).Relu().Min(v.Like(1))
}

func hardSwish(v graph.Value) graph.Value { return v.Mul(unitRamp(v, 1./6, 0.5)) }

func mish(v graph.Value) graph.Value { return v.Mul(nn.Softplus(v).Tanh()) }

func softsign(v graph.Value) graph.Value { return v.Div(v.Abs().Add(v.Like(1))) }

func swish(c *call, x value) ([]value, error) {
	slope := c.attributes.Float("alpha", 1)
	return one(c.apply(x, func(v graph.Value) graph.Value { return v.Mul(v.Mul(v.Like(slope)).Sigmoid()) }))
}

// exponentialUnit is scale v above 0, and scale alpha (e^(v/width) - 1) elsewhere, with the derivative from below at 0.
func exponentialUnit(v graph.Value, scale, alpha, width float64) graph.Value {
	above := v.Greater(v.Like(0))
	below := graph.Select(above, v.Like(0), v)
	y := graph.Select(above, v, expm1(below.Mul(v.Like(1/width))).Mul(v.Like(alpha)))
	return y.Mul(v.Like(scale))
}

// expm1 is e^v - 1, with all its digits near 0 too.
func expm1(v graph.Value) graph.Value {
	return v.Mul(v.Like(0.5)).Tanh().Mul(v.Exp().Add(v.Like(1)))
}

func elu(c *call, x value) ([]value, error) {
	alpha := c.attributes.Float("alpha", 1)
	return one(c.apply(x, func(v graph.Value) graph.Value { return exponentialUnit(v, 1, alpha, 1) }))
}

func celu(c *call, x value) ([]value, error) {
	alpha := c.attributes.Float("alpha", 1)
	if alpha == 0 {
		return nil, fmt.Errorf("alpha is 0, which it divides by")
	}
	return one(c.apply(x, func(v graph.Value) graph.Value { return exponentialUnit(v, 1, alpha, alpha) }))
}

// The constants of Klambauer et al., "Self-Normalizing Neural Networks" (2017).
const (
	seluAlpha = 1.6732632423543772848170429916717
	seluGamma = 1.0507009873554804934193349852946
)

func selu(c *call, x value) ([]value, error) {
	alpha, gamma := meant(c.attributes.Float("alpha", seluAlpha), seluAlpha), meant(c.attributes.Float("gamma", seluGamma), seluGamma, olderGamma)
	if gamma == olderGamma {
		gamma = seluGamma
	}
	return one(c.apply(x, func(v graph.Value) graph.Value { return exponentialUnit(v, gamma, alpha, 1) }))
}

// olderGamma is the factor that the standard gives: a float32 that is not the nearest.
const olderGamma = 1.05070102214813232421875

// prelu is v above 0 and slope v elsewhere; slopes broadcast to what it is of.
func prelu(v, slope graph.Value) graph.Value { return v.Relu().Sub(v.Neg().Relu().Mul(slope)) }

// norm is the square root of a sum of squares.
func norm(v graph.Value, axes ...int) graph.Value { return sumOfSquares(v, axes...).Sqrt() }

func sumOfSquares(v graph.Value, axes ...int) graph.Value { return v.Square().Sum(axes...) }

func sumOfSizes(v graph.Value, axes ...int) graph.Value { return v.Abs().Sum(axes...) }

func smallest(v graph.Value, axes ...int) graph.Value { return v.Neg().Amax(axes...).Neg() }

// combined makes an operator of a function of two values, of as many as there are.
func combined(f func(v, w graph.Value) graph.Value) operator {
	return func(c *call) ([]value, error) {
		if len(c.in) == 0 {
			return nil, fmt.Errorf("it has no inputs")
		}
		in, like, err := c.together(same(len(c.in))...)
		if err != nil {
			return nil, err
		}
		like.v = in[0]
		for _, v := range in[1:] {
			like.v = f(like.v, v)
		}
		return one(like, nil)
	}
}

func mean(c *call) ([]value, error) {
	out, err := combined(graph.Value.Add)(c)
	if err != nil {
		return nil, err
	}
	return one(c.apply(out[0], func(v graph.Value) graph.Value { return v.Mul(v.Like(1 / float64(len(c.in)))) }))
}
