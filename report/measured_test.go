package report

import (
	"math"
	"strings"
	"testing"
)

func TestAChartGoesWithoutTheAxesThatHaveNoPoint(t *testing.T) {
	point := Axes{X: "x", Y: "norm", Series: []Series{{X: []float64{1}, Y: []float64{2}, Marks: true}}}
	none := Axes{X: "x", Y: "accuracy", Series: []Series{{X: []float64{1}, Y: []float64{math.NaN()}, Marks: true}}}
	some := (&Chart{Labels: Label{Caption: "Points."}, Axes: []Axes{none, point}}).Measured()
	if len(some.Axes) != 1 || some.Axes[0].Y != "norm" || !strings.HasSuffix(some.Label().Caption, "Points. Not drawn, for lack of numbers: accuracy.") {
		t.Errorf("%d axes, %q", len(some.Axes), some.Label().Caption)
	}
	if all := (&Chart{Axes: []Axes{point}}).Measured(); len(all.Axes) != 1 || all.Label().Caption != "" {
		t.Errorf("of what was measured %d axes are left: %q", len(all.Axes), all.Label().Caption)
	}
	if nothing := (&Chart{Axes: []Axes{none}}).Measured(); len(nothing.Axes) != 1 {
		t.Errorf("of nothing %d axes are left", len(nothing.Axes))
	}
}
