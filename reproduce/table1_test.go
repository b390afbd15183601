package reproduce

import (
	"slices"
	"testing"

	"shadowflow/experiment/record"
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

// A sign that comes out as predicted is no evidence for an equation that the steps do not bear out: it is said of all cells alike. Where nothing is predicted
// nothing is undecided.
func TestTable1SaysWhereTheEquationBehindAPredictionIsNotBorneOut(t *testing.T) {
	r, err := Find("table-1")
	if err != nil {
		t.Fatal(err)
	}
	made := recorded(t, r, decaying, hilly)
	for _, one := range made[0] {
		c, h := one.Run.Config, one.History
		ratio, realized := h.Index("monitor.second_over_first"), h.Index("drive.realized")
		for _, row := range h.Rows {
			row[realized] = record.Float(0.5 + 0.01*float64(c.Seed)) // which hinders
			if c.Optimizer.Value("beta1") == 0.5 {
				row[ratio] = record.Float(2)
			}
		}
	}
	found, err := r.reach(t.Context(), Laptop, made)
	if err != nil {
		t.Fatal(err)
	}
	if want := "eps 1e-08, betas 0.5 and 0.9, supported: 0% of the measured steps bear out the second-order equation, from which the prediction is."; !slices.Contains(found.Notes, want) || len(found.Notes) != 5 {
		t.Errorf("%d notes, want 5 of which one is %q: %q", len(found.Notes), want, found.Notes)
	}
	for _, row := range found.tables[0].Rows {
		if without := row[3] == "-"; without != (row[7] == notTested) {
			t.Errorf("predicted %s: %s", row[3], row[7])
		}
	}
}
