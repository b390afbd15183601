package graph

import "testing"

func TestEqualOperationsAreRecordedOnce(t *testing.T) {
	b := NewBuilder()
	x, y := b.Param("x", Float64, 3), b.Param("y", Float64, 3)
	rows, l := b.Param("rows", Float64, 2, 3), b.Param("l", Int32, 2)
	here, found := rows.Gather(l), rows.Rows(l)
	for _, c := range []struct {
		name string
		a, b Value
	}{
		{"a function", x.Exp(), x.Exp()},
		{"a gather on two lines", here, rows.Gather(l)},
		{"the gradients of gathers on two lines", Grad(here.Sum(), rows)[0], Grad(rows.Gather(l).Sum(), rows)[0]},
		{"the gradients of look-ups on two lines", Grad(found.Sum(), rows)[0], Grad(rows.Rows(l).Sum(), rows)[0]},
		{"a sum either way round", x.Add(y), y.Add(x)},
		{"a product either way round", x.Mul(y), y.Mul(x)},
		{"a power", x.Pow(2.5), x.Pow(2.5)},
		{"a constant", b.Const(Float64, 2), x.Like(2)},
		{"a slice", x.SliceAxis(0, 0, 2), x.Slice([]int{0}, []int{2}, []int{1})},
		{"a reshape of a reshape", x.Reshape(3, 1).Reshape(1, 3), x.Reshape(1, 3)},
		{"a reshape undone", x.Reshape(3, 1).Reshape(3), x},
		{"a transpose undone", x.Reshape(3, 1).T().T(), x.Reshape(3, 1)},
		{"a gradient", Grad(x.Mul(y).Sum(), x)[0], Grad(y.Mul(x).Sum(), x)[0]},
		{"a sign twice", x.Neg().Neg(), x},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.a != c.b {
				t.Error("equal operations are recorded twice")
			}
		})
	}
	for _, c := range []struct {
		name string
		a, b Value
	}{
		{"a difference either way round", x.Sub(y), y.Sub(x)},
		{"powers", x.Pow(2.5), x.Pow(2.25)},
		{"sums over other axes", x.Reshape(1, 3).BroadcastTo(3, 3).Sum(0), x.Reshape(1, 3).BroadcastTo(3, 3).Sum(1)},
		{"constants of two types", b.Const(Float64, 2), b.Const(Float32, 2)},
		{"gradients of tables of other lengths", Grad(rows.Rows(l).Sum(), rows)[0], Grad(x.Reshape(1, 3).Rows(l).Sum(), x.Reshape(1, 3))[0]},
		{"parameters", b.Param("z", Float64, 3), b.Param("z", Float64, 3)},
		{"aliases", x.Alias(), x.Alias()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.a == c.b {
				t.Error("operations that differ are recorded as one")
			}
		})
	}
}

func TestEveryPrimitiveHasANameAndARule(t *testing.T) {
	seen := map[string]bool{}
	for op := range NumOps {
		t.Run(op.String(), func(t *testing.T) {
			name, r := op.String(), rules[op]
			if name == "" || seen[name] {
				t.Errorf("primitive %d is called %q: want a name of its own", op, name)
			}
			seen[name] = true
			elementwise, linear, bilinear := r.partial != nil, r.tangent != nil, r.apply != nil
			if r.kind == kindMissing || elementwise != (r.kind == kindElementwise) || linear != (r.kind == kindLinear) ||
				bilinear != (r.kind == kindBilinear) || (linear || bilinear) != (r.transpose != nil) {
				t.Errorf("%s has the rule %+v: want what its kind asks for, and no more", name, r)
			}
		})
	}
}
