package imported

import (
	"fmt"

	"shadowflow/graph"
	"shadowflow/onnx"
)

func unary(f func(graph.Value) graph.Value) operator {
	return first(func(c *call, x value) ([]value, error) { return one(c.apply(x, f)) })
}

// apply records a function of each element, wherever it lies.
func (l *lowering) apply(x value, f func(graph.Value) graph.Value) (value, error) {
	if x.known != nil {
		v, err := l.plain(x)
		return ofData(f(v)), err
	}
	if !x.floating() {
		return value{}, fmt.Errorf("it reads whole numbers, want floating-point ones")
	}
	return value{v: f(x.v), shape: x.shape, order: x.order, flat: x.flat}, nil
}

func binary(f func(v, w graph.Value) graph.Value) operator {
	return func(c *call) ([]value, error) {
		if len(c.in) != 2 {
			return nil, fmt.Errorf("it has %d inputs, want 2", len(c.in))
		}
		in, like, err := c.together(0, 1)
		if err != nil {
			return nil, err
		}
		like.v = f(in[0], in[1])
		return one(like, nil)
	}
}

func identity(_ *call, x value) ([]value, error) { return one(x, nil) }

func dropout(c *call, x value) ([]value, error) {
	c.attributes.Ignore("seed")
	if c.has(2) {
		training, err := c.known(2)
		if err != nil || training.Size() != 1 || training.Type != onnx.Bool {
			return nil, fmt.Errorf("its training_mode is no known truth value")
		}
		ratio, given, err := c.number(1)
		if err != nil {
			return nil, err
		}
		if !given {
			ratio = 0.5
		}
		if training.Ints[0] != 0 && ratio != 0 {
			return nil, fmt.Errorf("it drops a share of %v in training, and draws at random are not there yet: export the network with p=0", ratio)
		}
	}
	return one(x, nil)
}

func cast(c *call, x value) ([]value, error) {
	c.attributes.Ignore("saturate", "round_mode")
	return castTo(x, onnx.Type(c.attributes.Int("to", 0)).Floating())
}

func castLike(c *call, x value) ([]value, error) {
	c.attributes.Ignore("saturate", "round_mode")
	like, err := c.input(1)
	if err != nil {
		return nil, err
	}
	if x.known != nil && like.known == nil && like.floating() { // of the program's type, whatever the file's
		a, err := x.known.As(onnx.Float64)
		return one(value{known: a}, err)
	}
	return castTo(x, like.floating())
}

// castTo keeps what is recorded: all floating-point numbers of a program have one type.
func castTo(x value, floating bool) ([]value, error) {
	if x.floating() != floating {
		return nil, fmt.Errorf("it makes whole numbers of floating-point ones, or the reverse, of what depends on the examples: that is not there yet")
	}
	return one(x, nil)
}

// truths makes numbers of an input of truth values, 0 and 1, as those are that are recorded.
func (c *call) truths(i int) error {
	if !c.has(i) || c.in[i].known == nil {
		return nil
	}
	numbers, err := c.in[i].known.As(onnx.Float64)
	c.in[i] = value{known: numbers}
	return err
}

// logical makes an operator of what it does to two truth values, 0 or 1.
func logical(f func(v, w graph.Value) graph.Value) operator {
	return func(c *call) ([]value, error) {
		for i := range c.in {
			if err := c.truths(i); err != nil {
				return nil, err
			}
		}
		return binary(f)(c)
	}
}

func less(v, w graph.Value) graph.Value { return w.Greater(v) }

func lessOrEqual(v, w graph.Value) graph.Value { return w.GreaterEqual(v) }

func differs(v, w graph.Value) graph.Value { return v.Sub(w).Abs() }

func not(v graph.Value) graph.Value { return v.Like(1).Sub(v) }

func where(c *call) ([]value, error) {
	if err := c.truths(0); err != nil {
		return nil, err
	}
	in, like, err := c.together(0, 1, 2)
	if err != nil {
		return nil, err
	}
	like.v = graph.Select(in[0], in[1], in[2])
	return one(like, nil)
}

func power(c *call, x value) ([]value, error) {
	p, err := c.known(1)
	if err != nil {
		return nil, err
	}
	if p.Size() != 1 {
		return nil, fmt.Errorf("its exponent has shape %v, want one number", p.Shape)
	}
	exponent, err := p.As(onnx.Float64)
	if err != nil {
		return nil, err
	}
	return one(c.apply(x, func(v graph.Value) graph.Value { return v.Pow(exponent.Floats[0]) }))
}

func gelu(c *call, x value) ([]value, error) {
	switch kind := c.attributes.Text("approximate", "none"); kind {
	case "none":
		return one(c.apply(x, graph.Value.Gelu))
	case "tanh":
		return one(c.apply(x, tanhGelu))
	default:
		return nil, fmt.Errorf("approximate is %.40q, want none or tanh", kind)
	}
}

// tanhGelu is the approximation x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
func tanhGelu(v graph.Value) graph.Value {
	const root = 0.7978845608028654 // sqrt(2/pi)
	t := v.Add(v.Pow(3).Mul(v.Like(0.044715))).Mul(v.Like(root)).Tanh()
	return v.Mul(t.Add(v.Like(1))).Mul(v.Like(0.5))
}

func leakyRelu(c *call, x value) ([]value, error) {
	slope := c.attributes.Float("alpha", 0.01)
	return one(c.apply(x, func(v graph.Value) graph.Value { return prelu(v, v.Like(slope)) }))
}
