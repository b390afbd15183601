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
