package nn

import (
	"math"
	"testing"
)

func TestTheFirstLargestLogitIsThePrediction(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		logits []float64
		label  int32
		want   float64
	}{
		{"largest", []float64{-3, -1, -2}, 1, 1},
		{"not the largest", []float64{-3, -1, -2}, 2, 0},
		{"first of a tie", []float64{0, 4, 4}, 1, 1},
		{"second of a tie", []float64{0, 4, 4}, 2, 0},
		{"all equal, the first", []float64{0, 0, 0}, 0, 1},
		{"all equal, the last", []float64{0, 0, 0}, 2, 0},
		{"not numbers", []float64{nan, nan, nan}, 0, 0},
	} {
		if got := evaluate(t, Correct, c.logits, []int32{c.label}); got != c.want {
			t.Errorf("%s: %v counted right, want %v", c.name, got, c.want)
		}
	}
	if got := evaluate(t, Correct, []float64{1, 0, 0, 1, 1, 0}, []int32{0, 1, 1}); got != 2 {
		t.Errorf("three examples: %v counted right, want 2", got)
	}
}
