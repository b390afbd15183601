package engine

import (
	"strings"
	"testing"

	"shadowflow/graph"
)

func TestEveryPrimitiveHasARowThatSaysHowItRuns(t *testing.T) {
	rows := sharedTable()
	for op := range graph.NumOps {
		t.Run(op.String(), func(t *testing.T) {
			r := rows[op]
			if r.with != nil {
				r = r.with(graph.NewBuilder().Param("x", graph.Float64, 3).Pow(2.5).Node())
			}
			switch r.role {
			case roleNone:
				t.Fatal("no row")
			case roleElementwise:
				if operandsOf(r.f32) == 0 || operandsOf(r.f32) != operandsOf(r.f64) || r.small.op == codeNone || r.cost < cheap {
					t.Errorf("row %+v: want a cost, a kernel for each type, and what runs it on few elements", r)
				}
			case roleReduction:
				if r.alone == nil || r.small.op == codeNone {
					t.Errorf("row %+v: want a step, and what runs it on few elements", r)
				}
			case roleProduct:
				if r.alone == nil || r.flops == nil {
					t.Errorf("row %+v: want a step, and its flops", r)
				}
			case roleAlone:
				if r.alone == nil {
					t.Errorf("row %+v: want a step", r)
				}
			}
			if r.small.op == codeCall && r.small.f == nil {
				t.Error("a call of nothing on few elements")
			}
		})
	}
}

func TestAPrimitiveWithoutARowIsRefusedByName(t *testing.T) {
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float64, 2, 3)
	for _, c := range []struct {
		op   graph.Op
		out  graph.Value
		want string // the shape
	}{
		{graph.OpErf, x.Gelu().Sum(), "[2 3]"},
		{graph.OpTanh, graph.Grad(x.Tanh().Sum(), x)[0], "[2 3]"},
		{graph.OpMatMul, x.MatMul(x.T()), "[2 2]"},
		{graph.OpTranspose, x.T(), "[3 2]"},
		{graph.OpBroadcast, x.Add(b.Const(graph.Float64, 1).Add(x.At(0, 0))), "[2 3]"},
		{graph.OpSum, x.Sum(), "[]"},
	} {
		t.Run(c.op.String(), func(t *testing.T) {
			plan := func(out graph.Value) error {
				p, err := newCompiler([]graph.Value{x}, []graph.Value{out}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				rows := *p.rows
				rows[c.op], p.rows = row{}, &rows
				return p.plan()
			}
			err := plan(c.out)
			if err == nil || !strings.Contains(err.Error(), "primitive "+c.op.String()+",") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v: want one that names %v and %s", err, c.op, c.want)
			}
			if err := plan(x.Neg()); err != nil {
				t.Errorf("a program without %v: %v", c.op, err)
			}
		})
	}
}

// operandsOf returns how many operands the one function of f takes, 0 if there is none or there are two.
func operandsOf[T graph.Float](f tiled[T]) int {
	switch {
	case f.f1 != nil && f.f2 == nil && f.f3 == nil:
		return 1
	case f.f1 == nil && f.f2 != nil && f.f3 == nil:
		return 2
	case f.f1 == nil && f.f2 == nil && f.f3 != nil:
		return 3
	}
	return 0
}
