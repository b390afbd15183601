package reproduce

import (
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/run"
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

func TestOfFewRunsPastTheirEdgeNothingIsDecided(t *testing.T) {
	r, err := Find("edge")
	if err != nil {
		t.Fatal(err)
	}
	for past, want := range map[int]Outcome{2: Undecided, 6: Undecided, 7: Supported} {
		var sweeps []trials
		for range edgeRuns(Laptop) {
			var ts trials
			for n := range 8 {
				sharpness := 1.0
				if n < past {
					sharpness = 3
				}
				columns := map[string][]float64{"preconditioned_sharpness": {sharpness, sharpness}, "stability_threshold": {2, 2}}
				for name, distance := range map[string]float64{"state-2": 1, "lift-1": .1, "lift-2": .1} {
					columns[name+".relative_distance"] = []float64{distance, distance}
				}
				one := history(t, columns)
				one.Result = &run.Result{Status: run.Finished}
				one.Run.Config.Seed = uint64(n)
				ts = append(ts, one)
			}
			sweeps = append(sweeps, ts)
		}
		found, err := r.reach(t.Context(), Laptop, sweeps)
		if err != nil {
			t.Fatal(err)
		}
		for _, of := range edgeRuns(Laptop) {
			if h := found.hypothesis(of.name); h.Outcome != want {
				t.Errorf("%d runs past the edge: %s, want %s", past, h, want)
			}
		}
	}
}
