package imported

import (
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/onnx/fold"
)

func shape(c *call, x value) ([]value, error) {
	return one(value{known: fold.Lengths(c.attributes, c.shapeOf(x))}, nil)
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
		return c.imageOf(grouped.image, 4)
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
		if s := x.shape; (len(s) == 3 || len(s) == 4) && slices.Equal(x.order, channelsLast(len(s))) && slices.Equal(shape, []int{s[0], size(s[1:])}) {
			y := ofData(x.v.Reshape(shape...))
			y.flat = &flat{1, s[1], size(s[2 : len(s)-1]), s[len(s)-1]}
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

// pad puts a known number around the elements, or takes some away.
func pad(c *call, x value) ([]value, error) {
	if mode := c.attributes.Text("mode", "constant"); mode != "constant" {
		return nil, fmt.Errorf("mode is %.40q, want constant: others are not there yet", mode)
	}
	x, err := c.unflattened(x)
	if err != nil {
		return nil, err
	}
	if !x.floating() {
		return nil, fmt.Errorf("it puts whole numbers around others: want floating-point ones")
	}
	rank := len(x.shape)
	low, high, err := c.margins(rank)
	if err != nil {
		return nil, err
	}
	v := x.v
	from, to := make([]int, rank), slices.Clone(v.Shape())
	before, behind := make([]int, rank), make([]int, rank) // as it lies
	for at, a := range x.axes() {
		before[at], behind[at] = max(low[a], 0), max(high[a], 0)
		from[at] = max(-low[a], 0)
		to[at] -= max(-high[a], 0)
		if from[at] >= to[at] {
			return nil, fmt.Errorf("it takes %d and %d elements from the ends of axis %d of length %d, which leaves none", -low[a], -high[a], a, x.shape[a])
		}
	}
	v = v.Slice(from, to, nil)
	y := v.Pad(before, behind, nil)
	fill, given, err := c.number(2)
	if err != nil {
		return nil, err
	}
	if given && fill != 0 && y.Valid() {
		inside := v.Like(1).BroadcastTo(v.Shape()...).Pad(before, behind, nil)
		y = graph.Select(inside, y, v.Like(finite(fill)))
	}
	return one(stored(y, x.axes()), nil)
}

// margins returns how many elements a node puts before and behind those of each axis.
func (c *call) margins(rank int) (low, high []int, err error) {
	pads, err := c.numbers(1)
	if err != nil {
		return nil, nil, err
	}
	axes, err := c.numbers(3)
	if err != nil {
		return nil, nil, err
	}
	if axes == nil {
		axes = same(rank)
	}
	if len(pads) != 2*len(axes) {
		return nil, nil, fmt.Errorf("its pads are %v, want two numbers for each of %d axes", pads, len(axes))
	}
	low, high = make([]int, rank), make([]int, rank)
	for i, a := range axes {
		if a < 0 {
			a += rank
		}
		before, behind := pads[i], pads[len(axes)+i]
		if a < 0 || a >= rank || max(before, behind) > longest || min(before, behind) < -longest {
			return nil, nil, fmt.Errorf("its pads are %v of axes %v, want numbers up to %d for axes of an array of %d", pads, axes, longest, rank)
		}
		low[a], high[a] = before, behind
	}
	return low, high, nil
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
