package imported

import (
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/onnx"
	"shadowflow/onnx/fold"
)

func shape(c *call, x value) ([]value, error) {
	return one(value{known: fold.Lengths(c.attributes, c.shapeOf(x))}, nil)
}

func identity(_ *call, x value) ([]value, error) { return one(x, nil) }

func dropout(c *call, x value) ([]value, error) {
	c.attributes.Ignore("seed")
	if c.has(2) {
		training, err := c.known(2)
		if err != nil || training.Size() != 1 || training.Type != onnx.Bool {
			return nil, fmt.Errorf("its training_mode is no known truth value")
		}
		ratio := 0.5
		if c.has(1) {
			r, err := c.known(1)
			if err != nil || r.Size() != 1 || !r.Type.Floating() {
				return nil, fmt.Errorf("its ratio is no known number")
			}
			ratio = r.Floats[0]
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

func where(c *call) ([]value, error) {
	mask, err := c.known(0)
	if err != nil {
		return nil, err
	}
	numbers, err := mask.As(onnx.Float64)
	if err != nil {
		return nil, err
	}
	c.in[0] = value{known: numbers}
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
	return one(c.apply(x, func(v graph.Value) graph.Value {
		return v.Relu().Sub(v.Neg().Relu().Mul(v.Like(slope)))
	}))
}

func transpose(c *call, x value) ([]value, error) {
	perm, err := fold.Order(c.attributes.Ints("perm"), len(c.shapeOf(x)))
	if err != nil {
		return nil, err
	}
	return one(turn(x, perm), nil)
}

func reshape(c *call, x value) ([]value, error) {
	to, err := c.numbers(1)
	if err != nil {
		return nil, err
	}
	shape, err := fold.Reshaped(x.shape, to, c.attributes.Int("allowzero", 0) != 0)
	if err != nil {
		return nil, err
	}
	if grouped := c.in[0]; grouped.image.Valid() && slices.Equal(shape, stored(grouped.image, images).shape) {
		return c.imageOf(grouped.image)
	}
	if s := x.shape; x.flat == nil && slices.Equal(x.order, images) && len(shape) == 3 && shape[0] == s[0] && shape[1] > 0 && s[1]%shape[1] == 0 {
		return []value{{image: x.v, shape: shape}}, nil
	}
	return one(c.shaped(x, shape))
}

func flatten(c *call, x value) ([]value, error) {
	shape, err := fold.Flattened(x.shape, int(c.attributes.Int("axis", 1)))
	if err != nil {
		return nil, err
	}
	return one(c.shaped(x, shape))
}

// reshapedBy makes an operator of what axes, its second input, do to a shape.
func reshapedBy(change func(shape, axes []int) ([]int, error)) operator {
	return first(func(c *call, x value) ([]value, error) {
		axes, err := c.numbers(1)
		if err != nil {
			return nil, err
		}
		shape, err := change(x.shape, axes)
		if err != nil {
			return nil, err
		}
		return one(c.shaped(x, shape))
	})
}

// shaped gives a recorded value another shape, without moving anything where the axes that become one, or several, lie side by side, and where images are
// flattened for a product.
func (c *call) shaped(x value, shape []int) (value, error) {
	if slices.Equal(shape, x.shape) {
		return x, nil
	}
	if x.flat == nil && x.order != nil {
		if y, ok := regrouped(x, shape); ok {
			return y, nil
		}
		if s := x.shape; len(s) == 4 && slices.Equal(x.order, images) && slices.Equal(shape, []int{s[0], size(s[1:])}) {
			y := ofData(x.v.Reshape(shape...))
			y.flat = &flat{1, s[1], s[2], s[3]}
			return y, nil
		}
	}
	v, err := c.plain(x)
	if err != nil {
		return value{}, err
	}
	return ofData(v.Reshape(shape...)), nil
}

// regrouped gives a value another shape where each group of the file's axes that becomes another group lies side by side in its order.
func regrouped(x value, shape []int) (value, bool) {
	type group struct{ from, to []int } // axes before and after
	var groups []group
	for i, j := 0, 0; i < len(x.shape) || j < len(shape); {
		g := group{}
		n, m := 1, 1
		for first := true; first || n != m; first = false {
			switch {
			case (first || n < m) && i < len(x.shape):
				n *= x.shape[i]
				g.from = append(g.from, i)
				i++
			case j < len(shape):
			default:
				return x, false
			}
			if (first || m < n) && j < len(shape) {
				m *= shape[j]
				g.to = append(g.to, j)
				j++
			} else if n > m {
				return x, false
			}
		}
		groups = append(groups, g)
	}
	var order, lengths []int
	for at := 0; at < len(x.order); {
		i := slices.IndexFunc(groups, func(g group) bool { return len(g.from) > 0 && g.from[0] == x.order[at] })
		if i < 0 || at+len(groups[i].from) > len(x.order) || !slices.Equal(groups[i].from, x.order[at:at+len(groups[i].from)]) {
			return x, false
		}
		at += len(groups[i].from)
		order = append(order, groups[i].to...)
		for _, j := range groups[i].to {
			lengths = append(lengths, shape[j])
		}
	}
	if len(order) != len(shape) { // axes of length 1 in groups of their own at the end
		return x, false
	}
	return stored(x.v.Reshape(lengths...), order), true
}

func expand(c *call) ([]value, error) {
	v, err := c.array(0)
	if err != nil {
		return nil, err
	}
	to, err := c.numbers(1)
	if err != nil {
		return nil, err
	}
	shape, err := fold.Broadcast(v.Shape(), to)
	if err != nil {
		return nil, err
	}
	return plainOne(v.BroadcastTo(shape...))
}

// part takes a part of one of the file's axes.
func part(x value, axis, start, count int) (value, error) {
	if x.flat != nil || count < 1 {
		return x, fmt.Errorf("it takes %d elements of axis %d of an array of shape %v: that is not there yet", count, axis, x.shape)
	}
	at := slices.Index(x.axes(), axis)
	return stored(x.v.SliceAxis(at, start, start+count), x.axes()), nil
}

func slice(c *call, x value) ([]value, error) {
	var lists [4][]int
	for i := range lists {
		var err error
		if lists[i], err = c.numbers(i + 1); err != nil {
			return nil, err
		}
	}
	cuts, err := fold.Cuts(x.shape, lists[0], lists[1], lists[2], lists[3])
	if err != nil {
		return nil, err
	}
	for _, cut := range cuts {
		if cut.Step != 1 {
			return nil, fmt.Errorf("its step along axis %d is %d, want 1: others are not there yet", cut.Axis, cut.Step)
		}
		if x, err = part(x, cut.Axis, cut.Start, cut.Count); err != nil {
			return nil, err
		}
	}
	return []value{x}, nil
}

func split(c *call, x value) ([]value, error) {
	axis, err := c.axis("axis", 0, len(x.shape))
	if err != nil {
		return nil, err
	}
	sizes, err := c.numbers(1)
	if err != nil {
		return nil, err
	}
	return c.parts(x, axis, sizes, int(c.attributes.Int("num_outputs", int64(len(c.node.Outputs)))))
}

func (c *call) parts(x value, axis int, sizes []int, parts int) ([]value, error) {
	sizes, err := fold.Parts(x.shape[axis], sizes, parts)
	if err != nil {
		return nil, err
	}
	var out []value
	at := 0
	for _, n := range sizes {
		p, err := part(x, axis, at, n)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		at += n
	}
	return out, nil
}

func splitToSequence(c *call, x value) ([]value, error) {
	axis, err := c.axis("axis", 0, len(x.shape))
	if err != nil {
		return nil, err
	}
	if c.attributes.Int("keepdims", 1) == 0 && !c.has(1) {
		return nil, fmt.Errorf("keepdims is 0, want 1: others are not there yet")
	}
	sizes, err := c.numbers(1)
	if err != nil {
		return nil, err
	}
	length := x.shape[axis]
	if len(c.in) > 1 && len(sizes) == 1 && c.in[1].known != nil && len(c.in[1].known.Shape) == 0 {
		each := sizes[0]
		if each < 1 {
			return nil, fmt.Errorf("it cuts an axis of length %d into parts of %d", length, each)
		}
		sizes = nil
		for at := 0; at < length; at += each {
			sizes = append(sizes, min(each, length-at))
		}
	}
	list, err := c.parts(x, axis, sizes, length)
	return one(value{list: list}, err)
}

func sequenceAt(c *call) ([]value, error) {
	at, err := c.numbers(1)
	if err != nil {
		return nil, err
	}
	if !c.has(0) || c.in[0].list == nil {
		return nil, fmt.Errorf("its input 0 is no sequence")
	}
	list := c.in[0].list
	if len(at) != 1 || at[0] < -len(list) || at[0] >= len(list) {
		return nil, fmt.Errorf("it takes place %v of a sequence of %d", at, len(list))
	}
	return []value{list[(at[0]+len(list))%len(list)]}, nil
}

func concat(c *call, start value) ([]value, error) {
	axis, err := c.axis("axis", 0, len(c.shapeOf(start)))
	if err != nil {
		return nil, err
	}
	order := same(len(c.shapeOf(start)))
	for _, x := range c.in { // that of images, where some are
		if x.order != nil && len(x.order) == len(order) {
			order = x.order
			break
		}
	}
	var vs []graph.Value
	for i := range c.in {
		x, err := c.input(i)
		if err == nil && len(c.shapeOf(x)) != len(order) {
			err = fmt.Errorf("its input %d has shape %v, which does not fit %v", i, c.shapeOf(x), c.shapeOf(start))
		}
		if err != nil {
			return nil, err
		}
		v, err := c.lowering.in(x, order)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	y := graph.Concat(slices.Index(order, axis), vs...)
	if !y.Valid() {
		return nil, c.fault()
	}
	return one(stored(y, order), nil)
}

// gather takes rows of a table by tokens, or known places of an axis.
func gather(c *call, x value) ([]value, error) {
	axis, err := c.axis("axis", 0, len(c.shapeOf(x)))
	if err != nil {
		return nil, err
	}
	at, err := c.input(1)
	if err != nil {
		return nil, err
	}
	if at.known == nil {
		if at.floating() || axis != 0 {
			return nil, fmt.Errorf("it takes places of axis %d that depend on the examples, want rows by tokens", axis)
		}
		table, err := c.plain(x)
		if err != nil {
			return nil, err
		}
		indices, err := c.plain(at)
		if err != nil {
			return nil, err
		}
		return plainOne(table.Rows(indices))
	}
	places, err := at.known.Integers()
	if err != nil {
		return nil, err
	}
	return c.consecutive(x, axis, places, at.known.Shape)
}

// consecutive takes known places of an axis, in one piece; the axis is replaced by the shape that they have.
func (c *call) consecutive(x value, axis int, places, shape []int) ([]value, error) {
	length := x.shape[axis]
	for i, p := range places {
		if p < -length || p >= length || (p+length)%length != (places[0]+length)%length+i {
			return nil, fmt.Errorf("it takes places %.100v of an axis of length %d, want some that follow one another: others are not there yet", fmt.Sprint(places), length)
		}
	}
	if len(places) == 0 {
		return nil, fmt.Errorf("it takes no places of axis %d", axis)
	}
	y, err := part(x, axis, (places[0]+length)%length, len(places))
	if err != nil {
		return nil, err
	}
	return one(c.shaped(y, slices.Concat(x.shape[:axis], shape, x.shape[axis+1:])))
}
