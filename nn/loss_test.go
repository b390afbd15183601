package nn

import (
	"math"
	"testing"

	"shadowflow/graph"
)

// evaluate runs a scalar function of logits and labels.
func evaluate(t *testing.T, f func(logits, labels graph.Value) graph.Value, logits []float64, labels []int32) float64 {
	t.Helper()
	b := graph.NewBuilder()
	z := b.Param("z", graph.Float64, len(labels), len(logits)/len(labels))
	y := b.Param("y", graph.Int32, len(labels))
	return run(t, []graph.Value{z, y}, []graph.Value{f(z, y)}, logits, labels)[0][0]
}

func TestMeanSquaredErrorIsAMeanOverExamplesAndClasses(t *testing.T) {
	got := evaluate(t, MeanSquared.Of, []float64{0.5, 1, -1, 0, 3, 0}, []int32{1, 0})
	want := (0.25 + 0 + 1 + 1 + 9 + 0) / 6
	if math.Abs(got-want) > 1e-15 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCrossEntropySurvivesHugeLogits(t *testing.T) {
	got := evaluate(t, CrossEntropy.Of, []float64{1e4, 0, 0, 1e4}, []int32{0, 0})
	if got != 5000 {
		t.Errorf("got %v, want 5000", got)
	}
}

func TestLossNamesParse(t *testing.T) {
	for _, name := range LossNames() {
		if l, err := ParseLoss(name); err != nil || l.String() != name {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	if _, err := ParseLoss("hinge"); err == nil {
		t.Error("an unknown loss parses")
	}
}
