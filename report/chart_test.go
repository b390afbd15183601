package report

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func exampleChart() *Chart {
	return &Chart{
		Labels: Label{Name: "example", Title: "An example", Caption: "What is to be seen."},
		Axes: []Axes{{X: "lr", Y: "distance (m)", LogX: true, LogY: true, Series: []Series{
			{Name: "band", X: []float64{1, 10, 100}, Y: []float64{1, 2, 4}, Low: []float64{0.5, 1, 2}, High: []float64{2, 4, 8}, Line: true},
			{Name: "bars", X: []float64{1, 10, 0}, Y: []float64{3, math.NaN(), 1}, Low: []float64{1, 1, 1}, High: []float64{4, 4, 4}, Bars: true, Marks: true, Color: 5},
		}}},
	}
}

func exampleHeatmap() *Heatmap {
	return &Heatmap{
		Labels: Label{Name: "heat", Title: "A table of colours"},
		Panels: []HeatPanel{
			{Title: "values", X: "beta1", Y: "beta2", Columns: []string{"0", "0.9"}, Rows: []string{"a", "b"}, Values: [][]float64{{-1, 0}, {math.NaN(), 1}}, Low: -1, High: 1, Diverging: true, Regions: [][]int{{0, 1}, {0, 1}}},
			{Title: "classes", X: "x", Y: "y", Columns: []string{"0"}, Rows: []string{"a"}, Values: [][]float64{{1}}, Classes: []string{"calm", "wild"}},
		},
	}
}

func TestDrawingsRenderInEveryFormat(t *testing.T) {
	for _, d := range []Drawing{exampleChart(), exampleHeatmap()} {
		picture, err := Render(d, "png")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
			t.Error(err)
		}
		for format, start := range map[string]string{"svg": "<?xml", "pdf": "%PDF"} {
			data, err := Render(d, format)
			if err != nil || !bytes.HasPrefix(data, []byte(start)) {
				t.Errorf("%s: %v", format, err)
			}
		}
	}
}

func TestWhatCannotBeDrawnIsAnError(t *testing.T) {
	empty := exampleChart()
	empty.Axes[0].Series = []Series{{X: []float64{-1}, Y: []float64{1}}}
	if _, err := Render(empty, "svg"); err == nil || !strings.Contains(err.Error(), "figure example: nothing in it can be drawn") {
		t.Errorf("error %v", err)
	}
	crooked := exampleHeatmap()
	crooked.Panels[0].Rows = []string{"a"}
	if _, err := Render(crooked, "svg"); err == nil {
		t.Error("rows without labels are drawn")
	}
}

func TestAPageIsInTheReadersColoursAndNeedsNothingBesideItself(t *testing.T) {
	d := &Document{
		Title: "What <we> did", Claim: "It & that.", Verdict: "It holds.", Findings: []string{"p = 0.01"}, Figures: []Drawing{exampleChart(), exampleHeatmap()},
		Tables: []Table{{Caption: "numbers", Header: []string{"a"}, Rows: [][]string{{"1"}}}}, Commands: []string{"shadowflow map"}, Sources: []Source{{"sweep.yaml", "seeds: 2"}},
	}
	dir := t.TempDir()
	path, err := d.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, want := range []string{"What &lt;we&gt; did", "It &amp; that.", "distance (m)", "var(--ink)", "prefers-color-scheme: dark", "@media print", "shadowflow map", "seeds: 2", "<td>1</td>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(page, "http://www.w3.org", ""), "https://www.w3.org", ""), "://") {
		t.Error("the page has the address of something beside itself")
	}
	for _, name := range []string{"example.png", "example.svg", "example.pdf", "heat.png"} {
		if _, err := os.Stat(filepath.Join(dir, "figures", name)); err != nil {
			t.Error(err)
		}
	}
}
