package graph

import "slices"

// keepAxes gives the axes that the reduction n took away back to v, with length 1.
func (v Value) keepAxes(n *Node) Value {
	shape := slices.Clone(n.in[0].shape)
	for _, a := range n.attr.(AxesAttr).Axes {
		shape[a] = 1
	}
	return v.Reshape(shape...)
}

// amaxShare is 1/k at each of the k maxima along the axes of the reduction n, else 0.
func amaxShare(n *Node) Value {
	x := Value{n.in[0]}
	at := x.Equal(Value{n}.keepAxes(n))
	return at.Div(at.Sum(n.attr.(AxesAttr).Axes...).keepAxes(n))
}

// reduceShape checks the axes of a reduction and returns them sorted, with the shape that remains. No axes means all.
func (v Value) reduceShape(axes []int) (sorted, shape []int, ok bool) {
	rank := len(v.n.shape)
	if len(axes) == 0 {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	for _, a := range axes {
		if a < 0 {
			a += rank
		}
		if a < 0 || a >= rank || slices.Contains(sorted, a) {
			return nil, nil, false
		}
		sorted = append(sorted, a)
	}
	slices.Sort(sorted)
	for i, d := range v.n.shape {
		if !slices.Contains(sorted, i) {
			shape = append(shape, d)
		}
	}
	return sorted, shape, true
}

func (v Value) reduce(name string, op Op, axes []int) Value {
	b, ok := operandsFit(name, []Value{v})
	if !ok {
		return b.fail(name, []Value{v}, "invalid operand")
	}
	sorted, shape, ok := v.reduceShape(axes)
	if !ok || v.n.dtype == Int32 {
		return b.fail(name, []Value{v}, "axes %v: want different axes of a floating-point array, negative ones from the last", axes)
	}
	if numel(shape) == v.n.Size() {
		return v.Reshape(shape...)
	}
	return b.record(op, AxesAttr{sorted}, shape, v.n.dtype, v)
}

// Sum adds up the elements along the axes, which go away; without arguments, all elements. Negative axes count from the last.
func (v Value) Sum(axes ...int) Value {
	if v.n != nil && !v.n.bad && len(axes) == 0 && len(v.n.shape) == 0 {
		return v
	}
	if v.Valid() {
		if c, ok := v.n.Constant(); ok && v.n.dtype != Int32 {
			if sorted, shape, fits := v.reduceShape(axes); fits {
				count := 1
				for _, a := range sorted {
					count *= v.n.shape[a]
				}
				return v.Like(c * float64(count)).BroadcastTo(shape...)
			}
		}
	}
	return v.reduce("Sum", OpSum, axes)
}

// Amax returns the largest element along the axes, which go away; without arguments, of all. At a tie the derivative is shared equally.
func (v Value) Amax(axes ...int) Value {
	if v.n != nil && !v.n.bad && len(axes) == 0 && len(v.n.shape) == 0 {
		return v
	}
	return v.reduce("Amax", OpAmax, axes)
}
