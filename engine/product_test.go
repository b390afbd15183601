package engine

import (
	"testing"

	"shadowflow/graph"
)

func TestConvolutionsOfOneShapeThatAreAddedUpAreOnePlan(t *testing.T) {
	pad := graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}}
	for _, c := range []struct {
		name  string
		other []int // the shape of the second kernel
		spec  graph.ConvSpec
		pairs []int // of each plan
	}{
		{"the same shape", []int{3, 3, 16, 16}, pad, []int{2}},
		{"another kernel", []int{1, 1, 16, 16}, graph.ConvSpec{}, []int{1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := graph.NewBuilder()
			x, u := b.Param("x", graph.Float32, 2, 8, 8, 16), b.Param("u", graph.Float32, 2, 8, 8, 16)
			w, v := b.Param("w", graph.Float32, 3, 3, 16, 16), b.Param("v", graph.Float32, c.other...)
			sum := x.Conv2D(w, pad).Add(u.Conv2D(v, c.spec))
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			p, err := Compile([]graph.Value{x, u, w, v}, []graph.Value{sum}, Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			var pairs []int
			for _, s := range p.steps {
				if s, ok := s.(*product[float32]); ok {
					for _, term := range s.terms {
						pairs = append(pairs, len(term.pairs))
					}
				}
			}
			if len(pairs) != len(c.pairs) || pairs[0] != c.pairs[0] {
				t.Errorf("plans of %v pairs of operands, want %v", pairs, c.pairs)
			}
		})
	}
}
