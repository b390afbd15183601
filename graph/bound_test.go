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

// Wherever in a rule of differentiation a program reaches its bound, that is an error.
func TestDerivativesBeyondTheBoundSaySo(t *testing.T) {
	for left := 0; ; left++ {
		b := NewBuilder()
		x, w := b.Param("x", Float64, 2, 6, 6, 2), b.Param("w", Float64, 3, 3, 2, 2)
		m, table := b.Param("m", Float64, 18, 3), b.Param("t", Float64, 4, 3)
		y, _, _ := x.Conv2D(w, ConvSpec{Pad: [4]int{1, 1, 1, 1}}).BatchNorm(b.Param("s", Float64, 2), b.Param("h", Float64, 2), 1e-5)
		y = y.MaxPool(PoolSpec{Size: [2]int{2, 2}}).Reshape(2, 18).MatMul(m).Gelu()
		y = Concat(0, y, table.Rows(b.Param("i", Int32, 3))).LogSoftmax()
		b.nodes = append(b.nodes, make([]*Node, maxNodes-len(b.nodes)-left)...) // as if so many were recorded
		vars := []Value{x, w, m, table}
		g := Grad(y.Sum(0, 1), vars...)
		JVP(g, vars, vars)
		err := b.Err()
		if err == nil && left > 100 {
			return
		}
		if err == nil || !strings.Contains(err.Error(), "operations: want a lower order") {
			t.Fatalf("%d left: %v", left, err)
		}
	}
}
