package imported

import (
	"slices"

	"shadowflow/graph"
	"shadowflow/nn"
)

// A weight lies in theta as its first reader wants it, so that no recording moves it: the first recording, which is made for that, takes down what each is
// wanted as.

// layout is how a weight lies.
type layout struct {
	order []int // of its axes; nil: as in the file
	flat  *flat // of one of them, in the file's order of axes
}

// weightAs returns a value with its axes in an order and one axis, counted in the file, of flattened images, and takes down that a weight is wanted so.
func (l *lowering) weightAs(x value, order []int, f *flat) (graph.Value, error) {
	if x.weight > 0 && l.wanted[x.weight-1] == nil {
		w := &layout{order: order}
		if x.turned != nil {
			w.order = make([]int, len(order))
			for i, a := range order {
				w.order[i] = x.turned[a]
			}
		}
		if f != nil {
			g := *f
			if x.turned != nil {
				g.axis = x.turned[f.axis]
			}
			// A matrix lies as in the file: a product reads its transpose as well.
			w = &layout{flat: &g}
		} else if len(order) == 2 || slices.IsSorted(w.order) {
			w.order = nil
		}
		l.wanted[x.weight-1] = w
	}
	if f == nil {
		return l.in(x, order)
	}
	if x.flat != nil && x.weight > 0 {
		g := *x.flat
		g.axis = x.axes()[g.axis]
		if g == *f {
			x.flat = nil
			return l.in(x, order)
		}
	}
	v, err := l.plain(x)
	if err != nil {
		return v, err
	}
	return permute(flattened(v, f), order), nil
}

// weight returns how a weight of the file lies in theta.
func (w *layout) weight(name string, file []int, start []float64) nn.Weight {
	out := nn.Weight{Name: name, Shape: file, File: file, Start: start}
	switch {
	case w == nil:
	case w.flat != nil:
		f := w.flat
		out.View = slices.Concat(file[:f.axis], []int{f.c, f.h, f.w}, file[f.axis+1:])
		out.Order = same(len(out.View))
		out.Order[f.axis], out.Order[f.axis+1], out.Order[f.axis+2] = f.axis+1, f.axis+2, f.axis
	case w.order != nil:
		out.View, out.Order = file, w.order
		out.Shape = make([]int, len(file))
		for i, a := range w.order {
			out.Shape[i] = file[a]
		}
	}
	return out
}

// rows is how many axes of a matrix's view the first one of the file is.
func (w *layout) rows() int {
	if w != nil && w.flat != nil && w.flat.axis == 0 {
		return 3
	}
	return 1
}

// asPyTorch lets a matrix [in, out] that PyTorch's exporter transposed lie in files as the module has it, [out, in]. It lies in theta as before. rows is how many
// axes of the view its first one is.
func asPyTorch(w nn.Weight, rows int) nn.Weight {
	if w.Order == nil {
		w.View, w.Order = w.File, same(2)
	}
	n := len(w.View)
	w.View = slices.Concat(w.View[rows:], w.View[:rows])
	order := make([]int, n)
	for i, a := range w.Order {
		order[i] = (a - rows + n) % n
	}
	in, out := w.File[0], w.File[1]
	start := make([]float64, len(w.Start))
	for i, v := range w.Start {
		start[i%out*in+i/out] = v
	}
	w.Order, w.File, w.Start = order, []int{out, in}, start
	return w
}

// value returns a weight's recorded array as what operators read.
func (w *layout) value(v graph.Value, file []int, index int) value {
	x := value{v: v, shape: file, weight: index + 1}
	if w != nil {
		x.order, x.flat = w.order, w.flat
	}
	return x
}
