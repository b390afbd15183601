package formula

import (
	"math"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

func TestWhatIsMadeOfManyElementsIsMadeOfEachWeight(t *testing.T) {
	weights := []graph.Block{{Name: "matrix", Shape: []int{2, 3}}, {Name: "vector", Shape: []int{2}, Offset: 6}}
	x := []float64{1, 2, 3, 5, 7, 9, 3, -4}
	for in, want := range map[string][]float64{
		"average(x)":            {4.5, 4.5, 4.5, 4.5, 4.5, 4.5, -0.5, -0.5},
		"norm(x)":               {13, 13, 13, 13, 13, 13, 5, 5},
		"rows(x)":               {2, 2, 2, 7, 7, 7, 3, -4},
		"columns(x)":            {3, 4.5, 6, 3, 4.5, 6, -0.5, -0.5},
		"columns(rows(x))":      {4.5, 4.5, 4.5, 4.5, 4.5, 4.5, -0.5, -0.5},
		"total(x) + 0 * x":      {26, 26, 26, 26, 26, 26, 26, 26},
		"matrix(x) * aspect(x)": {1, 1, 1, 1, 1, 1, 0, 0},
		"if(x > rows(x), 1, 0)": {0, 0, 1, 0, 0, 1, 0, 0},
	} {
		testOfEachWeight(t, in, weights, x, want)
	}
}

func TestPlanesOfAKernelAreItsHeightByItsWidth(t *testing.T) {
	// Of [height, width, inputs, outputs] 2, 3, 1, 2, and behind it one of [width, inputs, outputs] 2, 2, 1, and a matrix.
	weights := []graph.Block{{Name: "kernel", Shape: []int{2, 3, 1, 2}}, {Name: "line", Shape: []int{2, 2, 1}, Offset: 12}, {Name: "matrix", Shape: []int{1, 2}, Offset: 16}}
	x := []float64{1, 10, 2, 20, 6, 60, 3, 30, 4, 40, 5, 50, 1, 2, 5, 8, 3, 5}
	for in, want := range map[string][]float64{
		"plane_rows(x)":    {3, 30, 3, 30, 3, 30, 4, 40, 4, 40, 4, 40, 3, 5, 3, 5, 4, 4},
		"plane_columns(x)": {2, 20, 3, 30, 5.5, 55, 2, 20, 3, 30, 5.5, 55, 1.5, 1.5, 6.5, 6.5, 3, 5},
		"rows(x)":          {5.5, 5.5, 11, 11, 33, 33, 16.5, 16.5, 22, 22, 27.5, 27.5, 1, 2, 5, 8, 4, 4},
	} {
		testOfEachWeight(t, in, weights, x, want)
	}
}

// testOfEachWeight compares what a formula makes of an array of weights.
func testOfEachWeight(t *testing.T, in string, weights []graph.Block, x, want []float64) {
	t.Run(in, func(t *testing.T) {
		b := graph.NewBuilder()
		theta := b.Param("x", graph.Float64, len(x))
		f := mustParse(t, in)
		if !f.Weightwise() {
			t.Error("it says that an element depends on no other")
		}
		out := f.Graph(Layout{weights, map[string]Form{"x": Elements}}, theta, map[string]graph.Value{"x": theta})
		p, err := engine.Compile([]graph.Value{theta}, []graph.Value{out}, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, len(x))
		if err := p.Run([]engine.Buffer{engine.Of(x)}, []engine.Buffer{engine.Of(got)}); err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if math.Abs(got[i]-w) > 1e-14*math.Abs(w) {
				t.Errorf("element %d: %g, want %g", i, got[i], w)
			}
		}
	})
}
