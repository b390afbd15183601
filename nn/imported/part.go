package imported

import (
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/onnx"
	"shadowflow/onnx/fold"
)

// part takes a part of one of the file's axes.
func part(x value, axis, start, count int) (value, error) {
	if x.flat != nil || count < 1 {
		return x, fmt.Errorf("it takes %d elements of axis %d of an array of shape %v", count, axis, x.shape)
	}
	at := slices.Index(x.axes(), axis)
	return stored(x.v.SliceAxis(at, start, start+count), x.axes()), nil
}

// stepped takes count elements of one of the file's axes, step apart.
func (c *call) stepped(x value, axis, start, step, count int) (value, error) {
	x, err := c.unflattened(x)
	switch {
	case err != nil:
		return x, err
	case step == 1 || count <= 1:
		return part(x, axis, start, count)
	case step < 1:
		return c.rowsOf(x, axis, count, func(i int) int { return start + i*step })
	}
	rank, at := len(x.shape), slices.Index(x.axes(), axis)
	from, to, steps := make([]int, rank), slices.Clone(x.v.Shape()), slices.Repeat([]int{1}, rank)
	from[at], to[at], steps[at] = start, start+(count-1)*step+1, step
	return stored(x.v.Slice(from, to, steps), x.axes()), nil
}

// rowsOf takes so many known places of one of the file's axes, in any order.
func (c *call) rowsOf(x value, axis, count int, place func(i int) int) (value, error) {
	order := append([]int{axis}, slices.DeleteFunc(slices.Clone(x.axes()), func(a int) bool { return a == axis })...)
	v, err := c.lowering.in(x, order)
	if err != nil {
		return value{}, err
	}
	if !x.floating() {
		return value{}, fmt.Errorf("it takes places of whole numbers that are not a fixed step apart in their order: that is not there yet")
	}
	places, err := c.write(count)
	if err != nil {
		return value{}, err
	}
	for i := range places {
		places[i] = float64(place(i))
	}
	return stored(v.Rows(c.b.ConstArray(graph.Int32, places, count)), order), nil
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
		if x, err = c.stepped(x, cut.Axis, cut.Start, cut.Step, cut.Count); err != nil {
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
	sizes, err := fold.Parts(c.shapeOf(x)[axis], sizes, parts)
	if err != nil {
		return nil, err
	}
	if x.known != nil {
		return c.knownParts(x.known, axis, sizes)
	}
	if x, err = c.unflattened(x); err != nil {
		return nil, err
	}
	var out []value
	at := 0
	for _, n := range sizes {
		p, err := part(x, axis, at, n)
		if err == nil {
			err = c.fault() // at once: a file may say millions of parts
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		at += n
	}
	return out, nil
}

// knownParts cuts an axis of an array that depends on neither examples nor weights.
func (c *call) knownParts(a *fold.Array, axis int, sizes []int) ([]value, error) {
	cut := onnx.Node{Op: "Split", Attributes: []onnx.Attribute{{Name: "axis", Value: int64(axis)}}}
	arrays, err := c.folder.Eval(&cut, []*fold.Array{a, fold.Vector(sizes...)})
	var out []value
	for _, part := range arrays {
		out = append(out, value{known: part})
	}
	return out, err
}

// withoutAxis takes away an axis of length 1.
func (c *call) withoutAxis(x value, axis int) (value, error) {
	if x.known == nil {
		return c.shaped(x, slices.Delete(slices.Clone(x.shape), axis, axis+1))
	}
	arrays, err := c.folder.Eval(&onnx.Node{Op: "Squeeze"}, []*fold.Array{x.known, fold.Vector(axis)})
	if err != nil {
		return value{}, err
	}
	return value{known: arrays[0]}, nil
}

func splitToSequence(c *call, x value) ([]value, error) {
	axis, err := c.axis("axis", 0, c.rank(x))
	if err != nil {
		return nil, err
	}
	single := c.attributes.Int("keepdims", 1) == 0 && !c.has(1) // with sizes, axes stay
	sizes, err := c.numbers(1)
	if err != nil {
		return nil, err
	}
	length := c.shapeOf(x)[axis]
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
	for i := range list {
		if single && err == nil {
			list[i], err = c.withoutAxis(list[i], axis)
		}
	}
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
	return c.places(x, axis, places, at.known.Shape)
}

// places takes known places of an axis, which is replaced by the shape that they have.
func (c *call) places(x value, axis int, places, shape []int) ([]value, error) {
	x, err := c.unflattened(x)
	if err != nil {
		return nil, err
	}
	if len(places) == 0 {
		return nil, fmt.Errorf("it takes no places of axis %d", axis)
	}
	length := x.shape[axis]
	places = slices.Clone(places)
	step, even := 1, true
	for i, p := range places {
		if p < -length || p >= length {
			return nil, fmt.Errorf("it takes place %d of an axis of length %d", p, length)
		}
		places[i] = (p + length) % length
		if i == 1 {
			step = places[1] - places[0]
		}
		even = even && (i == 0 || step > 0 && places[i]-places[i-1] == step)
	}
	var y value
	if even {
		y, err = c.stepped(x, axis, places[0], step, len(places))
	} else {
		y, err = c.rowsOf(x, axis, len(places), func(i int) int { return places[i] })
	}
	if err != nil {
		return nil, err
	}
	return one(c.shaped(y, slices.Concat(x.shape[:axis], shape, x.shape[axis+1:])))
}

// gatherND takes elements, or parts, at known places of the first axes together.
func gatherND(c *call, x value) ([]value, error) {
	if n := c.attributes.Int("batch_dims", 0); n != 0 {
		return nil, fmt.Errorf("batch_dims is %d, want 0: others are not there yet", n)
	}
	at, err := c.known(1)
	if err != nil {
		return nil, err
	}
	shape := c.shapeOf(x)
	places, axes, err := fold.Places(at, shape)
	if err != nil {
		return nil, err
	}
	v, err := c.plain(x)
	if err != nil {
		return nil, err
	}
	rows := ofData(v.Reshape(append([]int{size(shape[:axes])}, shape[axes:]...)...))
	if err := c.fault(); err != nil {
		return nil, err
	}
	return c.places(rows, 0, places, at.Shape[:len(at.Shape)-1])
}
