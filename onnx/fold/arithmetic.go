package fold

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"shadowflow/onnx"
)

var errByZero = errors.New("it divides a whole number by 0")

// divided divides whole numbers toward 0, as C does.
func divided(x, y int64) (int64, error) {
	if y == 0 {
		return 0, errByZero
	}
	return x / y, nil
}

// modulo has the sign of the divisor, as Python's, or with fmod=1 that of the dividend, as C's.
func modulo(c *call) ([]*Array, error) {
	likeC := c.attributes.Int("fmod", 0) != 0
	whole := func(x, y int64) (int64, error) {
		if y == 0 {
			return 0, errByZero
		}
		if m := x % y; m == 0 || likeC || (m < 0) == (y < 0) {
			return m, nil
		}
		return x%y + y, nil
	}
	if likeC {
		return binary(whole, math.Mod)(c)
	}
	return binary(whole, nil)(c)
}

// unary makes an operator of what it does to an element of either kind; nil where it has no meaning.
func unary(whole func(int64) int64, float func(float64) float64) operator {
	return first(func(c *call, a *Array) ([]*Array, error) {
		if err := c.room(a.Shape); err != nil {
			return nil, err
		}
		out := &Array{Type: a.Type, Shape: a.Shape}
		switch {
		case a.Type.Floating() && float != nil:
			for _, v := range a.Floats {
				out.Floats = append(out.Floats, float(v))
			}
		case !a.Type.Floating() && whole != nil:
			for _, v := range a.Ints {
				out.Ints = append(out.Ints, whole(v))
			}
		default:
			return nil, fmt.Errorf("it is not evaluated on %s", a.Type)
		}
		return one(out, nil)
	})
}

// pair returns two operands in the shape that they make together.
func (c *call) pair() (x, y *Array, err error) {
	if x, err = c.input(0); err != nil {
		return nil, nil, err
	}
	if y, err = c.input(1); err != nil {
		return nil, nil, err
	}
	if x.Type != y.Type && x.Type.Floating() && y.Type.Floating() { // what was made like a recorded array has the type of no file
		if x, err = x.As(onnx.Float64); err == nil {
			y, err = y.As(onnx.Float64)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if len(c.in) > 2 || x.Type != y.Type {
		return nil, nil, fmt.Errorf("it has %d inputs, the first two of %s and %s: want two of one type", len(c.in), x.Type, y.Type)
	}
	shape, err := Broadcast(x.Shape, y.Shape)
	if err == nil {
		err = c.room(shape)
	}
	if err != nil {
		return nil, nil, err
	}
	return x.stretched(shape), y.stretched(shape), nil
}

// binary makes an operator of what it does to two elements of either kind; nil where it has no meaning.
func binary(whole func(x, y int64) (int64, error), float func(x, y float64) float64) operator {
	return func(c *call) ([]*Array, error) {
		x, y, err := c.pair()
		if err != nil {
			return nil, err
		}
		out := &Array{Type: x.Type, Shape: x.Shape}
		switch {
		case x.Type.Floating() && float != nil:
			for i, v := range x.Floats {
				out.Floats = append(out.Floats, float(v, y.Floats[i]))
			}
		case !x.Type.Floating() && whole != nil:
			for i, v := range x.Ints {
				w, err := whole(v, y.Ints[i])
				if err != nil {
					return nil, err
				}
				out.Ints = append(out.Ints, w)
			}
		default:
			return nil, fmt.Errorf("it is not evaluated on %s", x.Type)
		}
		return one(out, nil)
	}
}

// several makes an operator of one of two operands, of as many as there are.
func several(two operator) operator {
	return first(func(c *call, a *Array) ([]*Array, error) {
		for i := 1; i < len(c.in); i++ {
			b, err := c.input(i)
			if err != nil {
				return nil, err
			}
			out, err := two(&call{node: c.node, in: []*Array{a, b}, attributes: c.attributes, folder: c.folder})
			if err != nil {
				return nil, err
			}
			a = out[0]
		}
		return one(a, nil)
	})
}

// compare makes an operator of a relation.
func compare(whole func(x, y int64) bool, float func(x, y float64) bool) operator {
	return func(c *call) ([]*Array, error) {
		x, y, err := c.pair()
		if err != nil {
			return nil, err
		}
		out := &Array{Type: onnx.Bool, Shape: x.Shape, Ints: make([]int64, x.Size())}
		for i := range out.Ints {
			if x.Type.Floating() && float(x.Floats[i], y.Floats[i]) || !x.Type.Floating() && whole(x.Ints[i], y.Ints[i]) {
				out.Ints[i] = 1
			}
		}
		return one(out, nil)
	}
}

// reduced makes an operator that combines the elements along axes, all of them if there are none.
func reduced(whole func(x, y int64) int64, float func(x, y float64) float64, start int64) operator {
	return first(func(c *call, a *Array) ([]*Array, error) {
		axes, err := c.optional(1)
		if err != nil {
			return nil, err
		}
		axes, keep, err := Reduction(c.attributes, axes, len(a.Shape))
		if err != nil {
			return nil, err
		}
		if err := c.room(a.Shape); err != nil { // with 0 for 1, which bounds the result as well
			return nil, err
		}
		kept, steps := slices.Clone(a.Shape), make([]int, len(a.Shape))
		for _, ax := range axes {
			kept[ax] = 1
		}
		for i, s := range strides(kept) {
			if !slices.Contains(axes, i) {
				steps[i] = s
			}
		}
		out := &Array{Type: a.Type, Shape: kept}
		for range size(kept) {
			out.add(float64(start))
		}
		at := 0
		walk(a.Shape, steps, 0, func(to int) {
			if a.Type.Floating() {
				out.Floats[to] = float(out.Floats[to], a.Floats[at])
			} else {
				out.Ints[to] = whole(out.Ints[to], a.Ints[at])
			}
			at++
		})
		if !keep {
			out.Shape, err = Squeezed(kept, axes)
		}
		return one(out, err)
	})
}

// Reduction returns the axes that a node reduces, in their order, given those that it has as an input, and whether they stay with length 1.
func Reduction(attributes *onnx.Attributes, axes []int, rank int) (sorted []int, keep bool, err error) {
	for _, a := range attributes.Ints("axes") {
		axes = append(axes, int(a))
	}
	keep = attributes.Int("keepdims", 1) != 0
	if len(axes) == 0 {
		if attributes.Int("noop_with_empty_axes", 0) != 0 {
			return []int{}, keep, nil
		}
		return sequence(rank), keep, nil
	}
	attributes.Ignore("noop_with_empty_axes")
	for _, a := range axes {
		at, err := axis(a, rank)
		if err != nil {
			return nil, false, err
		}
		sorted = append(sorted, at)
	}
	slices.Sort(sorted)
	return slices.Compact(sorted), keep, nil
}
