package formula

import (
	"math"

	"shadowflow/graph"
)

// Weightwise reports whether f has a function of whole weights: an element of it then depends on others.
func (f *Formula) Weightwise() bool {
	found := false
	f.Visit(func(part *Formula) {
		op := operations[part.Op]
		found = found || part.Op == "total" || op.weight != nil || op.matrices != nil
	})
	return found
}

// eachWeight returns what a function makes of each weight's part in an array of them, put together again.
func (l Layout) eachWeight(x graph.Value, form Form, of func(graph.Value) graph.Value) graph.Value {
	if form == One || len(l.Weights) == 0 {
		return of(x).BroadcastTo(x.Shape()...)
	}
	var parts []graph.Value
	for _, w := range l.Parts(form) {
		part := cut(x, w)
		if !part.Valid() {
			return part
		}
		parts = append(parts, of(part).BroadcastTo(w.Shape...).Reshape(w.Size()))
	}
	return graph.Concat(0, parts...)
}

// cut returns a part of an array in its shape.
func cut(x graph.Value, part graph.Block) graph.Value {
	return x.SliceAxis(0, part.Offset, part.Offset+part.Size()).Reshape(part.Shape...)
}

// asMatrix returns a weight as a matrix, of a kernel of a convolution one column an output channel, and the way back. A vector is none.
func asMatrix(x graph.Value) (matrix graph.Value, back func(graph.Value) graph.Value, ok bool) {
	shape := x.Shape()
	if len(shape) < 2 {
		return x, nil, false
	}
	rows, columns := sides(shape)
	back = func(y graph.Value) graph.Value { return y.Reshape(shape...) }
	if matrix = x.Reshape(rows, columns); rows > columns { // products of the smaller side
		inside := back
		matrix, back = matrix.Transpose(1, 0), func(y graph.Value) graph.Value { return inside(y.Transpose(1, 0)) }
	}
	return matrix, back, true
}

// average is the mean of a weight's elements.
func average(x graph.Value) graph.Value { return meanOver(x, 0, len(x.Shape())) }

// rows is the mean of each row, over the last axis. A vector is a matrix of one column.
func rows(x graph.Value) graph.Value {
	if axes := len(x.Shape()); axes > 1 {
		return meanOver(x, axes-1, axes)
	}
	return x
}

// columns is the mean of each column, over the last axis but one. A vector is a matrix of one column.
func columns(x graph.Value) graph.Value {
	if axes := len(x.Shape()); axes > 1 {
		return meanOver(x, axes-2, axes-1)
	}
	return average(x)
}

// planeRows is the mean of each row of a kernel's planes, one for each input and output, over its width: PyTorch's last axis, which is the last
// but two here. Of a matrix it is rows.
func planeRows(x graph.Value) graph.Value {
	if axes := len(x.Shape()); axes > 2 {
		return meanOver(x, axes-3, axes-2)
	}
	return rows(x)
}

// planeColumns is the mean of each column of a kernel's planes, over its height. Of a matrix it is columns.
func planeColumns(x graph.Value) graph.Value {
	switch axes := len(x.Shape()); {
	case axes > 3:
		return meanOver(x, axes-4, axes-3)
	case axes == 3: // a kernel of one dimension has its inputs there
		return meanOver(x, 1, 2)
	}
	return columns(x)
}

// meanOver is the mean over the axes from one to another, which stay with length 1.
func meanOver(x graph.Value, from, to int) graph.Value {
	kept, count := x.Shape(), 1
	var axes []int
	for i := from; i < to; i++ {
		axes, count, kept[i] = append(axes, i), count*kept[i], 1
	}
	return x.Sum(axes...).Reshape(kept...).Mul(x.Like(1 / float64(count)))
}

// isMatrix is 1 of a weight that counts as a matrix, and else 0.
func isMatrix(x graph.Value) graph.Value {
	_, _, ok := asMatrix(x)
	return x.Like(truth(ok))
}

// aspect is the root of outputs over inputs of a matrix, and at least 1: how much longer Muon's steps are. The outputs are the first axis of a
// matrix, as in PyTorch, and the last of a kernel. Of a vector it is 1.
func aspect(x graph.Value) graph.Value {
	shape := x.Shape()
	if len(shape) < 2 {
		return x.Like(1)
	}
	outputs, all := shape[0], 1
	for _, k := range shape {
		all *= k
	}
	if len(shape) > 2 {
		outputs = shape[len(shape)-1]
	}
	return x.Like(math.Sqrt(math.Max(1, float64(outputs)*float64(outputs)/float64(all))))
}

// muon are the coefficients of Muon's iteration X <- a X + b (XX')X + c (XX')^2 X (K. Jordan et al. 2024), which brings the singular values
// quickly near 1, and keeps them between about .7 and 1.2; schulz are those that converge to 1 from there.
var (
	muon   = [3]float64{3.4445, -4.7750, 2.0315}
	schulz = [3]float64{15. / 8, -10. / 8, 3. / 8}
)

// newtonSchulz returns five of Muon's iterations of a matrix over its Frobenius norm, as torch.optim.Muon takes them. A vector stays as it is.
func newtonSchulz(x graph.Value) graph.Value {
	y, back, ok := normalized(x)
	if !ok {
		return x
	}
	return back(iterate(y, muon, 5))
}

// polar returns the polar factor of a matrix, U V' of its singular value decomposition U S V', to rounding where no singular value is below
// about 1e-5 of the largest. A vector stays as it is.
func polar(x graph.Value) graph.Value {
	y, back, ok := normalized(x)
	if !ok {
		return x
	}
	return back(iterate(iterate(y, muon, 10), schulz, 6))
}

func normalized(x graph.Value) (y graph.Value, back func(graph.Value) graph.Value, ok bool) {
	matrix, back, ok := asMatrix(x)
	if !ok {
		return x, nil, false
	}
	norm := matrix.Square().Sum().Sqrt()
	return matrix.Div(norm.Max(norm.Like(1e-7))), back, true
}

func iterate(x graph.Value, k [3]float64, times int) graph.Value {
	for range times {
		a := x.MatMul(x.Transpose(1, 0))
		x = x.Mul(x.Like(k[0])).Add(a.Mul(a.Like(k[1])).Add(a.MatMul(a).Mul(a.Like(k[2]))).MatMul(x))
	}
	return x
}
