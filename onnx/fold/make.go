package fold

import (
	"fmt"
	"math"

	"shadowflow/onnx"
)

func constant(c *call) ([]*Array, error) {
	a := c.attributes
	switch {
	case a.Has("value"):
		if t := a.Tensor("value"); t != nil {
			return one(Of(t), nil)
		}
	case a.Has("value_int"):
		return one(&Array{Type: onnx.Int64, Ints: []int64{a.Int("value_int", 0)}}, nil)
	case a.Has("value_ints"):
		list := a.Ints("value_ints")
		return one(&Array{Type: onnx.Int64, Shape: []int{len(list)}, Ints: list}, nil)
	case a.Has("value_float"):
		return one(&Array{Type: onnx.Float32, Floats: []float64{a.Float("value_float", 0)}}, nil)
	case a.Has("value_floats"):
		list := a.Floats("value_floats")
		return one(Of(&onnx.Tensor{Type: onnx.Float32, Shape: []int{len(list)}, Data: list}), nil)
	}
	return nil, fmt.Errorf("its value is no number, list of numbers or tensor")
}

func constantOfShape(c *call, lengths *Array) ([]*Array, error) {
	shape, err := lengths.Integers()
	if err == nil {
		err = c.room(shape)
	}
	if err != nil {
		return nil, err
	}
	value := &Array{Type: onnx.Float32, Floats: []float64{0}}
	if t := c.attributes.Tensor("value"); t != nil {
		value = Of(t)
	}
	if value.Size() != 1 {
		return nil, fmt.Errorf("its value has shape %v, want one element", value.Shape)
	}
	return one(value.pick(shape, make([]int, size(shape))), nil)
}

func numbers(c *call) ([]*Array, error) {
	var bounds [3]*Array
	for i := range bounds {
		a, err := c.input(i)
		if err != nil {
			return nil, err
		}
		if a.Size() != 1 || a.Type != c.in[0].Type {
			return nil, fmt.Errorf("its start, limit and step are no three numbers of one type")
		}
		bounds[i] = a
	}
	start, limit, step := bounds[0].float(0), bounds[1].float(0), bounds[2].float(0)
	n := math.Ceil((limit - start) / step)
	if !(n <= maxElements) {
		return nil, fmt.Errorf("it goes from %v to %v by %v: want at most %d numbers", start, limit, step, maxElements)
	}
	length := max(int(n), 0)
	if err := c.room([]int{length}); err != nil {
		return nil, err
	}
	out := &Array{Type: bounds[0].Type, Shape: []int{length}}
	for i := range length {
		out.add(start + float64(i)*step)
	}
	return one(out, nil)
}

// float returns an element as a floating-point number.
func (a *Array) float(i int) float64 {
	if a.Type.Floating() {
		return a.Floats[i]
	}
	return float64(a.Ints[i])
}

// add appends an element.
func (a *Array) add(v float64) {
	if a.Type.Floating() {
		a.Floats = append(a.Floats, v)
		return
	}
	a.Ints = append(a.Ints, saturated(v))
}

func cast(c *call, a *Array) ([]*Array, error) {
	c.attributes.Ignore("saturate", "round_mode")
	return c.castTo(a, onnx.Type(c.attributes.Int("to", 0)))
}

func castLike(c *call, a *Array) ([]*Array, error) {
	c.attributes.Ignore("saturate", "round_mode")
	like, err := c.input(1)
	if err != nil {
		return nil, err
	}
	return c.castTo(a, like.Type)
}

func (c *call) castTo(a *Array, to onnx.Type) ([]*Array, error) {
	if err := c.made(a.Size()); err != nil { // of any size: what is cut from it may be small
		return nil, err
	}
	out, err := a.As(to)
	return one(out, err)
}

// As returns the array with elements of another type.
func (a *Array) As(to onnx.Type) (*Array, error) {
	out := &Array{Type: to, Shape: a.Shape}
	switch {
	case to == onnx.Bool:
		out.Ints = make([]int64, a.Size())
		for i := range out.Ints {
			if a.float(i) != 0 {
				out.Ints[i] = 1
			}
		}
	case to.Floating():
		out.Floats = make([]float64, a.Size())
		for i := range out.Floats {
			out.Floats[i] = a.float(i)
		}
	case to != onnx.Int64 && to != onnx.Int32:
		return nil, fmt.Errorf("it makes elements of %s, want floating-point numbers, bool, int32 or int64", to)
	case a.Type.Floating():
		out.Ints = make([]int64, a.Size())
		for i, v := range a.Floats {
			out.Ints[i] = saturated(v)
		}
	default:
		out.Ints = a.Ints
	}
	return out, nil
}

func identity(_ *call, a *Array) ([]*Array, error) { return one(a, nil) }

func trilu(c *call, a *Array) ([]*Array, error) {
	diagonal, err := c.optional(1)
	if err != nil || len(diagonal) > 1 || len(a.Shape) < 2 {
		return nil, fmt.Errorf("want matrices and the number of a diagonal")
	}
	k := 0
	if len(diagonal) == 1 {
		k = diagonal[0]
	}
	if err := c.room(a.Shape); err != nil {
		return nil, err
	}
	upper := c.attributes.Int("upper", 1) != 0
	rows, columns := a.Shape[len(a.Shape)-2], a.Shape[len(a.Shape)-1]
	out := a.clone()
	for i := range a.Size() {
		row, column := i/columns%rows, i%columns
		if keep := column-row >= k && upper || column-row <= k && !upper; keep {
			continue
		}
		if a.Type.Floating() {
			out.Floats[i] = 0
		} else {
			out.Ints[i] = 0
		}
	}
	return one(out, nil)
}

func where(c *call) ([]*Array, error) {
	var in [3]*Array
	shape := []int{}
	for i := range in {
		a, err := c.input(i)
		if err == nil {
			in[i] = a
			shape, err = Broadcast(shape, a.Shape)
		}
		if err != nil {
			return nil, err
		}
	}
	if in[0].Type != onnx.Bool || in[1].Type != in[2].Type {
		return nil, fmt.Errorf("its inputs are of %s, %s and %s: want bool and two of one type", in[0].Type, in[1].Type, in[2].Type)
	}
	if err := c.room(shape); err != nil {
		return nil, err
	}
	mask, x, y := in[0].stretched(shape), in[1].stretched(shape), in[2].stretched(shape)
	out := y.clone()
	for i, m := range mask.Ints {
		if m != 0 {
			out.put(i, x, i, 1)
		}
	}
	return one(out, nil)
}

// sequence returns 0 to n-1.
func sequence(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
