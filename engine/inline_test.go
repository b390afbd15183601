package engine

import (
	"testing"

	"shadowflow/graph"
)

// What is added to each example asks to see arrays by other columns than the normalization that reads the sum: a unit that had both would read means and scales from memory, repeated there.
func TestASumOfWhatIsRepeatedForEachExampleIsNotMadeAnewWhereRowsAreNormalized(t *testing.T) {
	b := graph.NewBuilder()
	x, positions := b.Param("x", graph.Float32, 3, 20, 24), b.Param("positions", graph.Float32, 20, 24)
	rows := x.Add(positions).Reshape(60, 24)
	centered := rows.Sub(rows.Mean(1).Reshape(60, 1))
	normal := centered.Mul(centered.Square().Mean(1).Reshape(60, 1).Add(rows.Like(1e-5)).Rsqrt())
	loss := normal.Add(rows).Tanh().Sum()
	c, err := planned([]graph.Value{x, positions}, []graph.Value{loss, graph.Grad(loss, x)[0]}, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.p.steps {
		if _, moved := s.(*moveStep[float32]); moved {
			t.Errorf("a step moves elements: want all of it in passes over tiles")
		}
	}
}
