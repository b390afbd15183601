package reproduce

import (
	"slices"
	"strings"
	"testing"
)

// In a figure of the edge a colour is one thing: the threshold has that of no equation, and what the text calls the stable flow is so called.
func TestTheFigureOfTheEdgeTellsItsCurvesApart(t *testing.T) {
	const without = "There is no central flow of adam here"
	for _, beside := range [][]string{{"state-2", "lift-1", "lift-2"}, {"state-2", "lift-1", "lift-2", "central"}} {
		columns := map[string][]float64{"preconditioned_sharpness": {1, 2}, "stability_threshold": {2, 2}, "iterates.mean_loss": {1, 1}, "iterates.amplitude": {1, 1}}
		for _, name := range beside {
			columns[name+".loss"], columns[name+".relative_distance"], columns[name+".amplitude"] = []float64{1, 1}, []float64{1, 1}, []float64{1, 1}
		}
		one := history(t, columns)
		one.Run.Config.Beside = beside
		chart := edgeChart("adam, mlp", one)
		loss, sharpness, distance := chart.Axes[0], chart.Axes[1], chart.Axes[3]
		threshold := sharpness.Series[1]
		for _, s := range slices.Concat(loss.Series, distance.Series) {
			if s.Color == threshold.Color {
				t.Errorf("%q has the colour of %q", s.Name, threshold.Name)
			}
		}
		if name := distance.Series[0].Name; name != "stable flow\n(state-2)" {
			t.Errorf("state-2 is called %q", name)
		}
		if said := strings.Contains(chart.Label().Caption, without); said == slices.Contains(beside, "central") {
			t.Errorf("beside %v the caption says that there is no central flow: %v", beside, said)
		}
	}
}
