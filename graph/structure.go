package graph

import "slices"

// stretched returns the axes that a broadcast repeats.
func stretched(n *Node) []int {
	var axes []int
	for i, d := range n.in[0].shape {
		if d != n.shape[i] {
			axes = append(axes, i)
		}
	}
	return axes
}

// inverse returns the permutation that undoes one.
func inverse(axes []int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[a] = i
	}
	return out
}

func sliceTranspose(n *Node, dy Value) Value {
	a, rank := n.attr.(SliceAttr), len(n.shape)
	high, gap := make([]int, rank), make([]int, rank)
	for i, d := range n.in[0].shape {
		gap[i] = a.Step[i] - 1
		high[i] = d - (a.Start[i] + (n.shape[i]-1)*a.Step[i] + 1)
	}
	return dy.Pad(a.Start, high, gap)
}

func padTranspose(n *Node, dy Value) Value {
	a, rank := n.attr.(PadAttr), len(n.shape)
	stop, step := make([]int, rank), make([]int, rank)
	for i, d := range n.in[0].shape {
		step[i] = a.Gap[i] + 1
		stop[i] = a.Low[i] + (d-1)*step[i] + 1
	}
	return dy.Slice(a.Low, stop, step)
}

func concatTangent(n *Node, d []Value) Value {
	parts := make([]Value, len(d))
	for i, in := range n.in {
		if parts[i] = d[i]; d[i].n == nil {
			parts[i] = Value{in}.Like(0).BroadcastTo(in.shape...)
		}
	}
	return Concat(n.attr.(AxesAttr).Axes[0], parts...)
}

func concatTranspose(n *Node, i int, dy Value) Value {
	axis, from := n.attr.(AxesAttr).Axes[0], 0
	for _, in := range n.in[:i] {
		from += in.shape[axis]
	}
	return dy.SliceAxis(axis, from, from+n.in[i].shape[axis])
}

// broadcastShape returns the shape that a and b broadcast to, aligned at the right.
func broadcastShape(a, b []int) ([]int, bool) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	lead := len(a) - len(b)
	for i, d := range b {
		switch {
		case out[lead+i] == d || d == 1:
		case out[lead+i] == 1:
			out[lead+i] = d
		default:
			return nil, false
		}
	}
	return out, true
}

// BroadcastTo repeats v along axes of length 1, and along new axes at the left, to fill the shape.
func (v Value) BroadcastTo(shape ...int) Value {
	b, ok := operandsFit("BroadcastTo", []Value{v})
	if !ok {
		return b.fail("BroadcastTo", []Value{v}, "invalid operand")
	}
	if slices.Equal(v.n.shape, shape) {
		return v
	}
	fits, ok := broadcastShape(shape, v.n.shape)
	if !ok || !slices.Equal(fits, shape) || !positive(shape) {
		return b.fail("BroadcastTo", []Value{v}, "does not broadcast to %v", shape)
	}
	full := make([]int, len(shape))
	lead := len(shape) - len(v.n.shape)
	for i := range full {
		if full[i] = 1; i >= lead {
			full[i] = v.n.shape[i-lead]
		}
	}
	v = v.Reshape(full...)
	if slices.Equal(full, shape) {
		return v
	}
	return b.record(OpBroadcast, nil, shape, v.n.dtype, v)
}

// Reshape gives the elements, in row-major order, another shape. One length may be -1: it follows from the others.
func (v Value) Reshape(shape ...int) Value {
	b, ok := operandsFit("Reshape", []Value{v})
	if !ok {
		return b.fail("Reshape", []Value{v}, "invalid operand")
	}
	shape = slices.Clone(shape)
	if i := slices.Index(shape, -1); i >= 0 {
		shape[i] = 1
		if rest := numel(shape); rest > 0 && v.n.Size()%rest == 0 {
			shape[i] = v.n.Size() / rest
		}
	}
	if !positive(shape) {
		return b.fail("Reshape", []Value{v}, "shape %v: every axis needs a length of at least 1, one may be -1", shape)
	}
	if numel(shape) != v.n.Size() {
		return b.fail("Reshape", []Value{v}, "%d elements do not fill shape %v", v.n.Size(), shape)
	}
	n := v.n
	if n.op == OpReshape {
		n = n.in[0]
	}
	if slices.Equal(n.shape, shape) {
		return Value{n}
	}
	return b.record(OpReshape, nil, shape, n.dtype, Value{n})
}

// Transpose permutes the axes: axis i of the result is axis axes[i] of v. Without arguments it reverses them.
func (v Value) Transpose(axes ...int) Value {
	b, ok := operandsFit("Transpose", []Value{v})
	if !ok {
		return b.fail("Transpose", []Value{v}, "invalid operand")
	}
	rank := len(v.n.shape)
	if len(axes) == 0 {
		for i := range rank {
			axes = append(axes, rank-1-i)
		}
	}
	sorted := slices.Sorted(slices.Values(axes))
	for i, a := range sorted {
		if a != i || len(axes) != rank {
			return b.fail("Transpose", []Value{v}, "axes %v are not a permutation of the %d axes", axes, rank)
		}
	}
	if len(axes) != rank {
		return b.fail("Transpose", []Value{v}, "axes %v are not a permutation of the %d axes", axes, rank)
	}
	if slices.Equal(axes, sorted) {
		return v
	}
	src := v
	if v.n.op == OpTranspose {
		inner := v.n.attr.(AxesAttr).Axes
		both := make([]int, rank)
		for i, a := range axes {
			both[i] = inner[a]
		}
		if src = (Value{v.n.in[0]}); slices.IsSorted(both) {
			return src
		}
		axes = both
	}
	shape := make([]int, rank)
	for i, a := range axes {
		shape[i] = src.n.shape[a]
	}
	return b.record(OpTranspose, AxesAttr{slices.Clone(axes)}, shape, src.n.dtype, src)
}

// T swaps the last two axes.
func (v Value) T() Value {
	b, ok := operandsFit("T", []Value{v})
	if !ok {
		return b.fail("T", []Value{v}, "invalid operand")
	}
	rank := len(v.n.shape)
	if rank < 2 {
		return b.fail("T", []Value{v}, "a transpose needs two axes")
	}
	return v.Transpose(swapLast(rank)...)
}

func last(shape []int) int { return shape[len(shape)-1] }

func swapLast(rank int) []int {
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	axes[rank-1], axes[rank-2] = rank-2, rank-1
	return axes
}

// Slice takes the elements start, start+step, .. below stop of each axis. A nil step stands for ones.
func (v Value) Slice(start, stop, step []int) Value {
	b, ok := operandsFit("Slice", []Value{v})
	if !ok {
		return b.fail("Slice", []Value{v}, "invalid operand")
	}
	rank := len(v.n.shape)
	if step == nil {
		step = slices.Repeat([]int{1}, rank)
	}
	if len(start) != rank || len(stop) != rank || len(step) != rank {
		return b.fail("Slice", []Value{v}, "start %v, stop %v, step %v: want %d numbers each", start, stop, step, rank)
	}
	shape := make([]int, rank)
	for i, d := range v.n.shape {
		if start[i] < 0 || stop[i] <= start[i] || stop[i] > d || step[i] < 1 {
			return b.fail("Slice", []Value{v}, "axis %d of length %d: [%d:%d:%d] wants 0 <= start < stop <= length and step >= 1",
				i, d, start[i], stop[i], step[i])
		}
		shape[i] = (stop[i]-start[i]-1)/step[i] + 1
	}
	if slices.Equal(shape, v.n.shape) {
		return v
	}
	return b.record(OpSlice, SliceAttr{slices.Clone(start), slices.Clone(stop), slices.Clone(step)}, shape, v.n.dtype, v)
}

// SliceAxis takes the elements from start to stop of one axis, all of the others.
func (v Value) SliceAxis(axis, start, stop int) Value {
	b, ok := operandsFit("SliceAxis", []Value{v})
	if !ok || axis < 0 || axis >= len(v.n.shape) {
		return b.fail("SliceAxis", []Value{v}, "there is no axis %d", axis)
	}
	from, to := make([]int, len(v.n.shape)), slices.Clone(v.n.shape)
	from[axis], to[axis] = start, stop
	return v.Slice(from, to, nil)
}

// Pad puts zeros before and after the elements of each axis, and gap zeros between them. A nil gap stands for none.
func (v Value) Pad(low, high, gap []int) Value {
	b, ok := operandsFit("Pad", []Value{v})
	if !ok {
		return b.fail("Pad", []Value{v}, "invalid operand")
	}
	rank := len(v.n.shape)
	if gap == nil {
		gap = make([]int, rank)
	}
	if len(low) != rank || len(high) != rank || len(gap) != rank {
		return b.fail("Pad", []Value{v}, "low %v, high %v, gap %v: want %d numbers each", low, high, gap, rank)
	}
	shape := make([]int, rank)
	for i, d := range v.n.shape {
		if low[i] < 0 || high[i] < 0 || gap[i] < 0 {
			return b.fail("Pad", []Value{v}, "axis %d: low %d, high %d, gap %d: want none below 0", i, low[i], high[i], gap[i])
		}
		shape[i] = low[i] + d + (d-1)*gap[i] + high[i]
	}
	if slices.Equal(shape, v.n.shape) {
		return v
	}
	return b.record(OpPad, PadAttr{slices.Clone(low), slices.Clone(high), slices.Clone(gap)}, shape, v.n.dtype, v)
}

// Concat joins values along an axis; their other axes agree.
func Concat(axis int, vs ...Value) Value {
	b, ok := operandsFit("Concat", vs)
	if !ok {
		return b.fail("Concat", vs, "invalid operand")
	}
	first := vs[0].n
	if axis < 0 || axis >= len(first.shape) {
		return b.fail("Concat", vs, "there is no axis %d", axis)
	}
	shape := slices.Clone(first.shape)
	shape[axis] = 0
	for i, v := range vs {
		fits := v.n.dtype == first.dtype && len(v.n.shape) == len(shape)
		for a := 0; fits && a < len(shape); a++ {
			fits = a == axis || v.n.shape[a] == shape[a]
		}
		if !fits {
			return b.fail("Concat", vs, "operand %d does not fit operand 0 off axis %d", i, axis)
		}
		shape[axis] += v.n.shape[axis]
	}
	if len(vs) == 1 {
		return vs[0]
	}
	return b.record(OpConcat, AxesAttr{[]int{axis}}, shape, first.dtype, vs...)
}

// At returns one element as a scalar; a negative index counts from the last.
func (v Value) At(index ...int) Value {
	b, ok := operandsFit("At", []Value{v})
	if !ok || len(index) != len(v.n.shape) {
		return b.fail("At", []Value{v}, "index %v: want one number an axis", index)
	}
	start, stop := slices.Clone(index), make([]int, len(index))
	for i, d := range v.n.shape {
		if start[i] < 0 {
			start[i] += d
		}
		stop[i] = start[i] + 1
	}
	return v.Slice(start, stop, nil).Reshape()
}
