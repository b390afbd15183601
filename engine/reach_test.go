package engine

import (
	"testing"

	"shadowflow/graph"
)

// Of x = x0 + t + h the series of functions go as far as they are known to: what lacks is counted in degrees of 0 to 4.
func TestHowFarSeriesGo(t *testing.T) {
	const highest = 4
	zero := func(v graph.Value) graph.Value { return v.Like(0) }
	for _, c := range []struct {
		name  string
		x0    float64
		f     func(x graph.Value) graph.Value
		lacks float64
	}{
		{"sqrt above 0", 1, graph.Value.Sqrt, 0},
		{"sqrt at 0", 0, graph.Value.Sqrt, 4.5},
		{"sqrt below 0", -1, graph.Value.Sqrt, 5},
		{"sqrt of a square", 0, func(x graph.Value) graph.Value { return x.Square().Sqrt() }, 4},
		{"sqrt of a cube", 0, func(x graph.Value) graph.Value { return x.Pow(3).Sqrt() }, 3.5},
		{"sqrt of what stays 0", 0, func(x graph.Value) graph.Value { return x.Mul(zero(x)).Sqrt() }, 0},
		{"x sqrt x", 0, func(x graph.Value) graph.Value { return x.Mul(x.Sqrt()) }, 3.5},
		{"sqrt x squared", 0, func(x graph.Value) graph.Value { return x.Sqrt().Square() }, 4},
		{"x^3 over sqrt x + 1", 0, func(x graph.Value) graph.Value { return x.Pow(3).Div(x.Sqrt().Add(x.Like(1))) }, 1.5},
		{"x^1.5", 0, func(x graph.Value) graph.Value { return x.Pow(1.5) }, 3.5},
		{"1/x at 0", 0, graph.Value.Recip, 5},
		{"1/x at 1", 1, graph.Value.Recip, 0},
		{"1/x^2 at 0", 0, func(x graph.Value) graph.Value { return x.Pow(-2) }, 5},
		{"log at 0", 0, graph.Value.Log, 5},
		{"|x| at 0", 0, graph.Value.Abs, 4},
		{"|x| at 1", 1, graph.Value.Abs, 0},
		{"x |x|", 0, func(x graph.Value) graph.Value { return x.Mul(x.Abs()) }, 3},
		{"ramp", 0, graph.Value.Relu, 4},
		{"max of two that part", 2, func(x graph.Value) graph.Value { return x.Max(x.Like(2)) }, 4},
		{"max of two that part later", 0, func(x graph.Value) graph.Value { return x.Square().Max(zero(x)) }, 3},
		{"max of two that stay equal", 2, func(x graph.Value) graph.Value { return x.Max(x.Add(x.Mul(zero(x)))) }, 0},
		{"min of two apart", 2, func(x graph.Value) graph.Value { return x.Min(zero(x)) }, 0},
		{"a floor", 0, func(x graph.Value) graph.Value { return x.Floor() }, 0},
		{"sqrt of a floor", 0, func(x graph.Value) graph.Value { return x.Floor().Sqrt() }, 4.5},
		{"sign at its jump", 0, graph.Value.Sign, 5},
		{"sign elsewhere", 3, graph.Value.Sign, 0},
		{"a choice that is not taken", 0, func(x graph.Value) graph.Value { return graph.Select(x.Exp().Greater(zero(x)), x, x.Sqrt()) }, 0},
		{"a choice at its jump", 0, func(x graph.Value) graph.Value { return graph.Select(x.Greater(zero(x)), x, x.Exp()) }, 5},
		{"a sum", 0, func(x graph.Value) graph.Value { return x.Sqrt().Add(x).Sum().BroadcastTo(2) }, 4.5},
		{"the largest of equal ones", 0, func(x graph.Value) graph.Value { return x.Amax().BroadcastTo(2) }, 0},
		{"the largest of ones that part", 0, func(x graph.Value) graph.Value {
			return graph.Concat(0, x, x.Square()).Amax().BroadcastTo(2)
		}, 4},
		{"a constant", 0, func(x graph.Value) graph.Value { return x.StopGradient().Sqrt() }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := graph.NewBuilder()
			x := b.Param("x", graph.Float64, 2)
			jet := graph.NewJet()
			jet.Set(x, func(a, b int) graph.Value {
				if a+b == 1 {
					return x.Like(1).BroadcastTo(2)
				}
				return graph.Value{}
			})
			reach := jet.Reach(highest)
			lacks := reach.Lacks(c.f(x))
			in, buffers := []graph.Value{x}, []Buffer{Of([]float64{c.x0, c.x0})}
			for _, g := range reach.Gaps() {
				in, buffers = append(in, g.Weight), append(buffers, Of([]float64{1}))
			}
			p, err := Compile(in, []graph.Value{lacks}, Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float64, 2)
			if err := p.Run(buffers, []Buffer{Of(got)}); err != nil {
				t.Fatal(err)
			}
			if got[0] != c.lacks || got[1] != c.lacks {
				t.Errorf("lacks %v, want %v", got, c.lacks)
			}
		})
	}
}
