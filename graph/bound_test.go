package graph

import (
	"fmt"
	"strings"
	"testing"
)

func TestAProgramBeyondItsBoundSaysSo(t *testing.T) {
	b := NewBuilder()
	x := b.Param("x", Float64, 2)
	y := x
	for range maxNodes {
		y = y.Add(x)
	}
	if err := b.Err(); y.Valid() || err == nil || !strings.Contains(err.Error(), fmt.Sprintf("more than %d operations: want a lower order", maxNodes)) {
		t.Errorf("valid: %v, error %v", y.Valid(), err)
	}
	if len(b.nodes) > maxNodes {
		t.Errorf("%d operations are recorded", len(b.nodes))
	}
}

// manyRules is a scalar whose derivatives take the rules of most operations.
func manyRules(b *Builder) (y Value, vars []Value) {
	x, w := b.Param("x", Float64, 2, 6, 6, 2), b.Param("w", Float64, 3, 3, 2, 2)
	m, table := b.Param("m", Float64, 18, 3), b.Param("t", Float64, 4, 3)
	c, _, _ := x.Conv2D(w, ConvSpec{Pad: [4]int{1, 1, 1, 1}}).BatchNorm(b.Param("s", Float64, 2), b.Param("h", Float64, 2), 1e-5)
	r := c.MaxPool(PoolSpec{Size: [2]int{2, 2}}).Reshape(2, 18).MatMul(m).Gelu()
	r = Concat(0, r, table.Rows(b.Param("i", Int32, 3))).LogSoftmax()
	y = r.Gather(b.Param("l", Int32, 5)).Sum(0)
	y = y.Add(x.AvgPool(PoolSpec{Size: [2]int{2, 2}, Dilation: [2]int{2, 2}}).Amax(1, 2).Sum(0, 1))
	y = y.Add(Select(m.Greater(m.Like(0)), m.Square(), m.Neg()).Sum(0, 1))
	y = y.Add(m.SliceAxis(0, 0, 4).Max(table).Min(m.SliceAxis(0, 2, 6)).Div(m.SliceAxis(0, 9, 13)).Sum(0, 1))
	y = y.Add(table.Pow(1.5).Abs().Sqrt().Mul(table.Rsqrt().Log1p()).Pad([]int{1, 0}, []int{0, 2}, []int{1, 0}).Transpose(1, 0).Tanh().Sum(0, 1))
	y = y.Add(m.T().MatMul(m).Erf().Sigmoid().Relu().Exp().Recip().Alias().Sum(0, 1))
	return y, []Value{x, w, m, table}
}

// Wherever in a rule of differentiation a program reaches its bound, that is an error.
func TestDerivativesBeyondTheBoundSaySo(t *testing.T) {
	filler := make([]*Node, maxNodes) // as if so many were recorded
	for name, second := range map[string]func(g, vars []Value) []Value{
		"forward over reverse": func(g, vars []Value) []Value { return JVP(g, vars, vars) },
		"reverse over reverse": func(g, vars []Value) []Value { return VJP(g, vars, vars) },
	} {
		t.Run(name, func(t *testing.T) {
			for left := 0; ; left++ {
				b := NewBuilder()
				y, vars := manyRules(b)
				copy(filler, b.nodes)
				b.nodes = filler[:maxNodes-left]
				second(Grad(y, vars...), vars)
				err := b.Err()
				if err == nil && left > 100 {
					return
				}
				if err == nil || !strings.Contains(err.Error(), "operations: want a lower order") {
					t.Fatalf("%d left: %v", left, err)
				}
			}
		})
	}
}

func TestWhatIsMadeOfAFaultIsAFault(t *testing.T) {
	b := NewBuilder()
	x := b.Param("x", Float64, 2)
	if y := x.Neg(); !y.Valid() {
		t.Fatal(b.Err())
	}
	if y := b.record(OpNeg, nil, []int{2}, Float64, b.invalid()); y.Valid() {
		t.Errorf("operation %d, which was recorded of another operand", y.n.id)
	}
}
