package report

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestTheDataBehindAFigureStandsBesideIt(t *testing.T) {
	d := &Document{Title: "t", Figures: []Drawing{
		&Chart{Labels: Label{Name: "chart"}, Axes: []Axes{
			{Y: "above", Series: []Series{{Name: "a\nb", X: []float64{1, 2, 3}, Y: []float64{0.1, math.NaN(), math.Pi}, Low: []float64{0, 0, 3}, High: []float64{1, 1, 4}}}},
			{X: "step", Y: "below", Series: []Series{{X: []float64{1, 3}, Y: []float64{1e-9, 5}}}},
		}},
		&Heatmap{Labels: Label{Name: "heat"}, Panels: []HeatPanel{{Title: "p", X: "x", Y: "y", Columns: []string{"1", "2"}, Rows: []string{"r"}, Values: [][]float64{{0, 1}}, Classes: []string{"one", "two"}}}},
	}}
	dir := t.TempDir()
	if _, err := d.Write(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) [][]string {
		data, err := os.ReadFile(filepath.Join(dir, FiguresDir, name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	chart, heat := read("chart"), read("heat")
	if len(chart) != 6 || strings.Join(chart[2], "|") != "above|a b|step|2||0|1" || chart[5][0] != "below" {
		t.Errorf("%q", chart)
	}
	if v, err := strconv.ParseFloat(chart[3][4], 64); err != nil || v != math.Pi {
		t.Errorf("%v, %v: a number lost digits", v, err)
	}
	if len(heat) != 3 || strings.Join(heat[2], "|") != "p|y|r|x|2|1|two" {
		t.Errorf("%q", heat)
	}
}
