package imported

import (
	"fmt"
	"slices"

	"shadowflow/onnx/fold"
)

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
