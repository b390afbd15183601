package report

import (
	"bytes"
	"context"
	"errors"
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
		for format, start := range map[string]string{"png": "\x89PNG", "svg": "<?xml", "pdf": "%PDF"} {
			t.Run(d.Label().Name+" as "+format, func(t *testing.T) {
				data, err := Render(d, format, PageStyle)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.HasPrefix(data, []byte(start)) {
					t.Errorf("it begins with %q, want %q", data[:min(len(data), 8)], start)
				}
				if format != "png" {
					return
				}
				if _, err := png.Decode(bytes.NewReader(data)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestWhatCannotBeDrawnIsAnError(t *testing.T) {
	empty := exampleChart()
	empty.Axes[0].Series = []Series{{X: []float64{-1}, Y: []float64{1}}}
	crooked := exampleHeatmap()
	crooked.Panels[0].Rows = []string{"a"}
	for _, c := range []struct {
		name string
		d    Drawing
		want string
	}{
		{"a chart without a point", empty, "figure example: nothing in it can be drawn"},
		{"a table with rows without labels", crooked, "figure heat: 2 rows of values for 1 label"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Render(c.d, "svg", PageStyle); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestAPageIsNotWrittenBehindItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("no more of it")
	cancel(cause)
	dir := t.TempDir()
	if _, err := (&Document{Figures: []Drawing{exampleChart()}}).Write(ctx, dir); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
	if _, err := os.Stat(filepath.Join(dir, "index.html")); err == nil {
		t.Error("the page is there")
	}
}

func TestAPageIsInTheReadersColoursAndNeedsNothingBesideItself(t *testing.T) {
	d := &Document{
		Title: "What <we> did", Claim: "It & that.", Verdict: "It holds.", Findings: []string{"p = 0.01"}, Figures: []Drawing{exampleChart(), exampleHeatmap()},
		Tables: []Table{{Caption: "numbers", Header: []string{"a"}, Rows: [][]string{{"1"}}}}, Commands: []string{"shadowflow map"}, Sources: []Source{{"sweep.yaml", "seeds: 2"}},
	}
	dir := t.TempDir()
	path, err := d.Write(t.Context(), dir)
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

func TestALogarithmicAxisReachesTwelveDecadesDown(t *testing.T) {
	for name, c := range map[string]struct{ least, want float64 }{"far below": {1e-55, 12}, "near": {1e-3, 3.24}} {
		t.Run(name, func(t *testing.T) {
			a := Axes{LogY: true, Series: []Series{{X: []float64{0, 1}, Y: []float64{c.least, 1}}}}
			p, _, err := a.plot(PageStyle)
			if err != nil {
				t.Fatal(err)
			}
			if span := p.Y.Max - p.Y.Min; math.Abs(span-c.want) > 1e-9 {
				t.Errorf("it spans %g decades, want %g", span, c.want)
			}
		})
	}
}

func TestLightnessTellsHowFarAParameterIsAlong(t *testing.T) {
	before := 1.0
	for i := range 6 {
		s := Series{Color: i, Along: float64(i+1) / 6}
		now := luminance(s.shade())
		if now > before-0.05 {
			t.Errorf("curve %d has a lightness of %.2f behind one of %.2f", i, now, before)
		}
		before = now
	}
	if plain := (&Series{Color: 2}); plain.shade() != palette[2] {
		t.Errorf("a curve of no parameter is %v", plain.shade())
	}
}
