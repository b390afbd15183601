package run

import (
	"math"
	"slices"
	"testing"

	"shadowflow/experiment/record"
)

func TestAStepBearsTheSecondOrderEquationOutByItsErrorAndItsDirection(t *testing.T) {
	nan := math.NaN()
	ratios := []float64{nan, 1, 0.5, 1.01, 0.9, 0.899, 0.5, 0.5, 3, math.Inf(1)}
	cosines := []float64{0.5, 0.5, nan, 0.9, 0.9, 0.01, 0, -0.4, nan, 0.9}
	for name, c := range map[string]struct {
		columns []string
		want    []Verdict
	}{
		"with the realized bias beside it": {[]string{"monitor.second_over_first", "bias.cosine"}, []Verdict{Unknown, Idle, Idle, Worse, Hardly, BornOut, Against, Against, Worse, Worse}},
		"with nothing realized beside it":  {[]string{"monitor.second_over_first"}, make([]Verdict, len(ratios))},
		"of nothing that was measured":     {nil, make([]Verdict, len(ratios))},
	} {
		t.Run(name, func(t *testing.T) {
			h := &record.History{Rows: make([][]record.Value, len(ratios))}
			for i, column := range c.columns {
				h.Columns = append(h.Columns, record.Column{Name: column, Type: record.FloatColumn})
				for n := range h.Rows {
					value := record.Value{}
					if v := [][]float64{ratios, cosines}[i][n]; !math.IsNaN(v) {
						value = record.Float(v)
					}
					h.Rows[n] = append(h.Rows[n], value)
				}
			}
			if got := Verdicts(h); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
