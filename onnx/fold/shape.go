package fold

import (
	"fmt"
	"slices"

	"shadowflow/onnx"
)

func shape(c *call, a *Array) ([]*Array, error) {
	return one(Lengths(c.attributes, a.Shape), nil)
}

// Lengths is what the operator Shape gives of an array of that shape.
func Lengths(attributes *onnx.Attributes, shape []int) *Array {
	rank := len(shape)
	clamped := func(at int64) int {
		if at < 0 {
			at += int64(rank)
		}
		return int(min(max(at, 0), int64(rank)))
	}
	start, end := clamped(attributes.Int("start", 0)), clamped(attributes.Int("end", int64(rank)))
	return Vector(shape[start:max(start, end)]...)
}

func count(_ *call, a *Array) ([]*Array, error) {
	return one(Vector(a.Size()).shaped(nil), nil)
}

// Reshaped returns the shape that Reshape gives an array: 0 stands for the length that is there unless zeros are allowed, and one -1 for what is left.
func Reshaped(from, to []int, zeros bool) ([]int, error) {
	shape := slices.Clone(to)
	open, known := -1, 1
	for i, d := range shape {
		if d == 0 && !zeros {
			if i >= len(from) {
				return nil, fmt.Errorf("it keeps the length of axis %d of shape %v", i, from)
			}
			shape[i] = from[i]
		}
		if d == -1 && open < 0 {
			open = i
			continue
		}
		if shape[i] < 0 || shape[i] > 0 && known > maxReshaped/shape[i] {
			return nil, fmt.Errorf("it gives shape %v the shape %v", from, to)
		}
		known *= shape[i]
	}
	if open >= 0 && known > 0 && size(from)%known == 0 {
		shape[open] = size(from) / known
	}
	if slices.Contains(shape, -1) || size(shape) != size(from) {
		return nil, fmt.Errorf("it gives shape %v the shape %v: the numbers of elements differ", from, to)
	}
	return shape, nil
}

const maxReshaped = 1 << 40 // elements, far from overflow

func reshape(c *call, a *Array) ([]*Array, error) {
	to, err := c.optional(1)
	if err != nil {
		return nil, err
	}
	shape, err := Reshaped(a.Shape, to, c.attributes.Int("allowzero", 0) != 0)
	if err != nil {
		return nil, err
	}
	return one(a.shaped(shape), nil)
}

// Flattened returns the shape of the matrix that Flatten makes.
func Flattened(shape []int, at int) ([]int, error) {
	if at < 0 {
		at += len(shape)
	}
	if at < 0 || at > len(shape) {
		return nil, fmt.Errorf("it flattens shape %v from axis %d on", shape, at)
	}
	return []int{size(shape[:at]), size(shape[at:])}, nil
}

func flatten(c *call, a *Array) ([]*Array, error) {
	shape, err := Flattened(a.Shape, int(c.attributes.Int("axis", 1)))
	if err != nil {
		return nil, err
	}
	return one(a.shaped(shape), nil)
}

// Squeezed returns a shape without the axes, which have length 1; without all of length 1 if axes is nil.
func Squeezed(shape, axes []int) ([]int, error) {
	gone := map[int]bool{}
	for _, a := range axes {
		at, err := axis(a, len(shape))
		if err != nil {
			return nil, err
		}
		if shape[at] != 1 {
			return nil, fmt.Errorf("it leaves out axis %d of shape %v, whose length is not 1", at, shape)
		}
		gone[at] = true
	}
	out := []int{}
	for i, d := range shape {
		if !gone[i] && (axes != nil || d != 1) {
			out = append(out, d)
		}
	}
	return out, nil
}

// Unsqueezed returns a shape with axes of length 1 put in.
func Unsqueezed(shape, axes []int) ([]int, error) {
	rank := len(shape) + len(axes)
	added := map[int]bool{}
	for _, a := range axes {
		at, err := axis(a, rank)
		if err != nil || added[at] {
			return nil, fmt.Errorf("it puts axes %v into shape %v", axes, shape)
		}
		added[at] = true
	}
	out := make([]int, 0, rank)
	for i, next := 0, 0; i < rank; i++ {
		if added[i] {
			out = append(out, 1)
			continue
		}
		out = append(out, shape[next])
		next++
	}
	return out, nil
}

// reshapedBy makes an operator of what axes, its second input, do to a shape.
func reshapedBy(change func(shape, axes []int) ([]int, error)) operator {
	return first(func(c *call, a *Array) ([]*Array, error) {
		axes, err := c.optional(1)
		if err != nil {
			return nil, err
		}
		shape, err := change(a.Shape, axes)
		if err != nil {
			return nil, err
		}
		return one(a.shaped(shape), nil)
	})
}
