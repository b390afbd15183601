package fold

import (
	"fmt"
	"slices"
)

// Broadcast returns the shape that two shapes make together, aligned at the right.
func Broadcast(a, b []int) ([]int, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i, d := range b {
		at := len(a) - len(b) + i
		switch {
		case out[at] == d || d == 1:
		case out[at] == 1:
			out[at] = d
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", a, b)
		}
	}
	return out, nil
}

// walk calls visit for each place of a shape, in its order, with the offset that strides give it.
func walk(shape, strides []int, offset int, visit func(at int)) {
	if len(shape) == 0 {
		visit(offset)
		return
	}
	for i := range shape[0] {
		walk(shape[1:], strides[1:], offset+i*strides[0], visit)
	}
}

// strides returns how far apart neighbours along each axis are.
func strides(shape []int) []int {
	out := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		out[i] = step
		step *= shape[i]
	}
	return out
}

// strided returns the elements that strides and an offset name, in a shape.
func (a *Array) strided(shape, strides []int, offset int) *Array {
	index := make([]int, 0, size(shape))
	walk(shape, strides, offset, func(at int) { index = append(index, at) })
	return a.pick(shape, index)
}

// stretched broadcasts an array to a shape that it fits.
func (a *Array) stretched(shape []int) *Array {
	if slices.Equal(a.Shape, shape) {
		return a
	}
	steps := make([]int, len(shape))
	lead := len(shape) - len(a.Shape)
	for i, s := range strides(a.Shape) {
		if a.Shape[i] != 1 {
			steps[lead+i] = s
		}
	}
	return a.strided(shape, steps, 0)
}

func expand(c *call, a *Array) ([]*Array, error) {
	to, err := c.optional(1)
	if err != nil {
		return nil, err
	}
	shape, err := Broadcast(a.Shape, to)
	if err == nil {
		err = c.room(shape)
	}
	if err != nil {
		return nil, err
	}
	return one(a.stretched(shape), nil)
}

func transpose(c *call, a *Array) ([]*Array, error) {
	order, err := Order(c.attributes.Ints("perm"), len(a.Shape))
	if err != nil {
		return nil, err
	}
	from := strides(a.Shape)
	shape, steps := make([]int, len(order)), make([]int, len(order))
	for i, axis := range order {
		shape[i], steps[i] = a.Shape[axis], from[axis]
	}
	if err := c.room(shape); err != nil {
		return nil, err
	}
	return one(a.strided(shape, steps, 0), nil)
}

// Order returns the axes in the order that the attribute perm says: reversed if there is none.
func Order(perm []int64, rank int) ([]int, error) {
	order := sequence(rank)
	if perm == nil {
		slices.Reverse(order)
		return order, nil
	}
	for i, p := range perm {
		if i < rank {
			order[i] = int(p)
		}
	}
	if len(perm) != rank || !slices.Equal(slices.Sorted(slices.Values(order)), sequence(rank)) {
		return nil, fmt.Errorf("perm is %v, want a permutation of the %d axes", perm, rank)
	}
	return order, nil
}

// Cut is what Slice takes of one axis: Count elements from Start on, Step apart.
type Cut struct{ Axis, Start, Step, Count int }

// Cuts returns what Slice takes of an array of that shape, by its inputs of starts, ends, axes and steps; the last two may be nil.
func Cuts(shape, starts, ends, axes, steps []int) ([]Cut, error) {
	if axes == nil {
		axes = sequence(len(starts))
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return nil, fmt.Errorf("it has %d starts, %d ends, %d axes and %d steps: want as many of each", len(starts), len(ends), len(axes), len(steps))
	}
	var cuts []Cut
	for i := range starts {
		a, err := axis(axes[i], len(shape))
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(cuts, func(c Cut) bool { return c.Axis == a }) { // ONNX leaves open what that means
			return nil, fmt.Errorf("it cuts axis %d twice", a)
		}
		if steps[i] == 0 {
			return nil, fmt.Errorf("its step along axis %d is 0", a)
		}
		cuts = append(cuts, cutOf(a, shape[a], starts[i], ends[i], steps[i]))
	}
	return cuts, nil
}

// cutOf is one axis of Slice: places below 0 count from the end, and those beyond the ends are at them.
func cutOf(axis, length, start, end, step int) Cut {
	step = min(max(step, -length-1), length+1) // beyond, it takes one element as well
	low, high := 0, length                     // of places where a cut may begin and end
	if step < 0 {
		low, high = -1, length-1
	}
	if start < 0 {
		start = max(start, -length-1) + length
	}
	if end < 0 {
		end = max(end, -length-1) + length
	}
	start, end = min(max(start, max(low, 0)), high), min(max(end, low), high)
	count := 0
	switch {
	case step > 0 && end > start:
		count = (end-start-1)/step + 1
	case step < 0 && end < start:
		count = (start-end-1)/max(-step, 1) + 1
	}
	return Cut{axis, start, step, count}
}

func slice(c *call, a *Array) ([]*Array, error) {
	var lists [4][]int
	for i := range lists {
		var err error
		if lists[i], err = c.optional(i + 1); err != nil {
			return nil, err
		}
	}
	cuts, err := Cuts(a.Shape, lists[0], lists[1], lists[2], lists[3])
	if err != nil {
		return nil, err
	}
	shape, steps, offset := slices.Clone(a.Shape), strides(a.Shape), 0
	for _, cut := range cuts {
		offset += cut.Start * steps[cut.Axis]
		steps[cut.Axis] *= cut.Step
		shape[cut.Axis] = cut.Count
	}
	if err := c.room(shape); err != nil {
		return nil, err
	}
	return one(a.strided(shape, steps, offset), nil)
}

func gather(c *call, a *Array) ([]*Array, error) {
	at, err := c.input(1)
	if err != nil {
		return nil, err
	}
	places, err := at.Integers()
	if err != nil {
		return nil, err
	}
	ax, err := axis(int(c.attributes.Int("axis", 0)), len(a.Shape))
	if err != nil {
		return nil, err
	}
	outer, length, inner := size(a.Shape[:ax]), a.Shape[ax], size(a.Shape[ax+1:])
	shape := slices.Concat(a.Shape[:ax], at.Shape, a.Shape[ax+1:])
	if err := c.room(shape); err != nil {
		return nil, err
	}
	index := make([]int, 0, size(shape))
	for o := range outer {
		for _, p := range places {
			if p < -length || p >= length {
				return nil, fmt.Errorf("it takes place %d of an axis of length %d", p, length)
			}
			for i := range inner {
				index = append(index, (o*length+(p+length)%length)*inner+i)
			}
		}
	}
	return one(a.pick(shape, index), nil)
}

func concat(c *call, start *Array) ([]*Array, error) {
	ax, err := axis(int(c.attributes.Int("axis", 0)), len(start.Shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(start.Shape)
	shape[ax] = 0
	for i := range c.in {
		a, err := c.input(i)
		if err != nil {
			return nil, err
		}
		if a.Type != start.Type || len(a.Shape) != len(shape) || !slices.Equal(a.Shape[:ax], shape[:ax]) || !slices.Equal(a.Shape[ax+1:], shape[ax+1:]) {
			return nil, fmt.Errorf("its input %d is %s %v, which does not fit %s %v", i, a.Type, a.Shape, start.Type, start.Shape)
		}
		shape[ax] += a.Shape[ax]
	}
	if err := c.room(shape); err != nil {
		return nil, err
	}
	out := &Array{Type: start.Type, Shape: shape}
	full := slices.DeleteFunc(slices.Clone(c.in), func(a *Array) bool { return a.Size() == 0 })
	for o := range size(shape[:ax]) {
		if len(full) == 0 {
			break
		}
		for _, a := range full {
			n := size(a.Shape[ax:])
			if a.Type.Floating() {
				out.Floats = append(out.Floats, a.Floats[o*n:][:n]...)
			} else {
				out.Ints = append(out.Ints, a.Ints[o*n:][:n]...)
			}
		}
	}
	return one(out, nil)
}

// Parts returns the lengths that Split cuts an axis of that length into: the sizes, if they are not nil, or as many equal parts, the last of which may
// be shorter.
func Parts(length int, sizes []int, parts int) ([]int, error) {
	if sizes == nil {
		if parts < 1 || parts > max(length, 1) {
			return nil, fmt.Errorf("it cuts an axis of length %d into %d parts", length, parts)
		}
		each := (length + parts - 1) / parts
		for left := length; left > 0; left -= each {
			sizes = append(sizes, min(each, left))
		}
		return sizes, nil
	}
	sum := 0
	for _, s := range sizes {
		if s < 0 || s > length {
			return nil, fmt.Errorf("it cuts an axis of length %d into parts of %v", length, sizes)
		}
		sum += s
	}
	if sum != length {
		return nil, fmt.Errorf("it cuts an axis of length %d into parts of %v", length, sizes)
	}
	return sizes, nil
}

// perPart is how many elements a part of an array counts as, which may have none and takes memory all the same.
const perPart = 64

func split(c *call, a *Array) ([]*Array, error) {
	ax, err := axis(int(c.attributes.Int("axis", 0)), len(a.Shape))
	if err != nil {
		return nil, err
	}
	sizes, err := c.optional(1)
	if err != nil {
		return nil, err
	}
	parts, err := Parts(a.Shape[ax], sizes, int(c.attributes.Int("num_outputs", int64(len(c.node.Outputs)))))
	if err != nil {
		return nil, err
	}
	if err := c.room(a.Shape); err != nil {
		return nil, err
	}
	if err := c.room([]int{len(parts) * perPart}); err != nil {
		return nil, fmt.Errorf("it cuts an axis into %d parts: %w", len(parts), err)
	}
	var out []*Array
	steps, at := strides(a.Shape), 0
	for _, n := range parts {
		shape := slices.Clone(a.Shape)
		shape[ax] = n
		out = append(out, a.strided(shape, steps, at*steps[ax]))
		at += n
	}
	return out, nil
}
