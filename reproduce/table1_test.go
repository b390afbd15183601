package reproduce

import (
	"slices"
	"testing"

	"shadowflow/report"
)

func TestThePanelsOfTable1HaveOneScaleWithTheNumbersOfTheirCells(t *testing.T) {
	panels := []report.HeatPanel{{Values: [][]float64{{0.1, -0.2}}}, {Values: [][]float64{{0.8, 0.05}}}} // with the signs turned round: 0.8 is a drive of -0.8, which penalizes
	oneScale(panels)
	for i, p := range panels {
		if want := []string{"-0.8 penalized", "-0.4", "0", "+0.4", "+0.8 hindered"}; p.Low != -0.8 || p.High != 0.8 || !slices.Equal(p.Legend, want) {
			t.Errorf("panel %d: from %v to %v, %q; want %q", i, p.Low, p.High, p.Legend, want)
		}
	}
}
