package engine

import "shadowflow/graph"

// copyOut builds the step that copies a value to output i.
func (c *compiler) copyOut(n *graph.Node, i int) step {
	switch n.DType() {
	case graph.Float32:
		return &outStep[float32]{refOf[float32](c, n), func(p *Program) []float32 { return p.outNow[i].f32 }}
	case graph.Float64:
		return &outStep[float64]{refOf[float64](c, n), func(p *Program) []float64 { return p.outNow[i].f64 }}
	}
	return &outStep[int32]{refOf[int32](c, n), func(p *Program) []int32 { return p.outNow[i].i32 }}
}

type outStep[T any] struct {
	src ref[T]
	dst func(*Program) []T
}

func (s *outStep[T]) run(p *Program) error {
	copy(s.dst(p), s.src.get())
	return nil
}
