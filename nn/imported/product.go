package imported

import (
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/onnx/fold"
)

// matrix returns a matrix that is multiplied from the right by rows of x, transposed if it is to be; where x is of flattened images, its rows, or columns of the
// transposed one, lie as x's columns do.
func (c *call) matrix(w value, transposed bool, columns *flat) (graph.Value, error) {
	var f *flat
	if columns != nil {
		g := *columns
		if g.axis = 0; transposed {
			g.axis = 1
		}
		f = &g
	}
	var v graph.Value
	var err error
	if w.known != nil {
		if v, err = c.plain(w); err == nil && f != nil {
			v = flattened(v, f)
		}
	} else {
		v, err = c.weightAs(w, []int{0, 1}, f)
	}
	if err == nil && transposed {
		v = v.T()
	}
	return v, err
}

// rows returns a value as rows, its last axis along them, and how these are ordered.
func (c *call) rows(x value) (graph.Value, *flat, error) {
	if x.known == nil && x.flat != nil && x.order == nil && x.flat.axis == len(x.shape)-1 {
		return x.v, x.flat, nil
	}
	v, err := c.plain(x)
	return v, nil, err
}

func gemm(c *call, x value) ([]value, error) {
	w, err := c.input(1)
	if err != nil {
		return nil, err
	}
	if len(c.shapeOf(x)) != 2 || len(c.shapeOf(w)) != 2 {
		return nil, fmt.Errorf("it multiplies %v and %v, want two matrices", c.shapeOf(x), c.shapeOf(w))
	}
	if c.attributes.Int("transA", 0) != 0 && x.known == nil {
		x = turn(x, []int{1, 0})
	} else if x.known != nil {
		return nil, fmt.Errorf("its first input is known, want one that depends on the examples")
	}
	v, f, err := c.rows(x)
	if err != nil {
		return nil, err
	}
	m, err := c.matrix(w, c.attributes.Int("transB", 0) != 0, f)
	if err != nil {
		return nil, err
	}
	y := v.MatMul(m)
	if alpha := c.attributes.Float("alpha", 1); alpha != 1 {
		y = y.Mul(y.Like(alpha))
	}
	beta := c.attributes.Float("beta", 1)
	if c.has(2) {
		b, err := c.array(2)
		if err != nil {
			return nil, err
		}
		if beta != 1 {
			b = b.Mul(b.Like(beta))
		}
		y = y.Add(b)
	}
	return plainOne(y)
}

func matMul(c *call, x value) ([]value, error) {
	w, err := c.input(1)
	if err != nil {
		return nil, err
	}
	left, right := c.shapeOf(x), c.shapeOf(w)
	if len(left) >= 2 && len(right) == 1 {
		return c.withVector(x, w)
	}
	if len(left) < 2 || len(right) < 2 {
		return nil, fmt.Errorf("it multiplies %v and %v, want matrices or stacks of them, the second one maybe a vector", left, right)
	}
	if len(right) == 2 {
		v, f, err := c.rows(x)
		if err != nil {
			return nil, err
		}
		m, err := c.matrix(w, false, f)
		if err != nil {
			return nil, err
		}
		if len(left) == 2 {
			return plainOne(v.MatMul(m))
		}
		y := v.Reshape(-1, left[len(left)-1]).MatMul(m)
		return plainOne(y.Reshape(append(slices.Clone(left[:len(left)-1]), right[1])...))
	}
	in, err := c.arrays(0, 2)
	if err != nil {
		return nil, err
	}
	return c.stacks(in[0], in[1])
}

// withVector multiplies matrices by a vector, as by a column.
func (c *call) withVector(x, w value) ([]value, error) {
	left := c.shapeOf(x)
	rows, err := c.plain(x)
	if err != nil {
		return nil, err
	}
	column, err := c.plain(w)
	if err != nil {
		return nil, err
	}
	y := rows.Reshape(-1, left[len(left)-1]).MatMul(column.Reshape(-1, 1))
	return plainOne(y.Reshape(left[:len(left)-1]...))
}

// stacks multiplies stacks of matrices, whose leading axes broadcast.
func (c *call) stacks(v, w graph.Value) ([]value, error) {
	left, right := v.Shape(), w.Shape()
	lead, err := fold.Broadcast(left[:len(left)-2], right[:len(right)-2])
	if err != nil {
		return nil, err
	}
	v = v.BroadcastTo(append(slices.Clone(lead), left[len(left)-2:]...)...)
	w = w.BroadcastTo(append(slices.Clone(lead), right[len(right)-2:]...)...)
	return plainOne(v.MatMul(w))
}
