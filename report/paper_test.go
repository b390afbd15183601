package report

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func TestEntriesOfALegendStandBesideOneAnotherWhereTheyFit(t *testing.T) {
	style := plot.New()
	PaperStyle.apply(style)
	for _, c := range []struct {
		names []string
		want  int
	}{
		{[]string{"train", "test"}, 2}, {[]string{"of the realized and the predicted bias", "prediction not borne out"}, 1}, {nil, 2},
	} {
		if got := paperColumns(style.Legend.TextStyle, c.names); got != c.want {
			t.Errorf("%q: %d beside one another, want %d", c.names, got, c.want)
		}
	}
}

func TestALabelIsNotLongerThanItsAxis(t *testing.T) {
	for _, text := range []string{"loss (nats)", "largest distance of a coordinate", "theta1² - theta2² at the end"} {
		p := plot.New()
		PaperStyle.apply(p)
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
		p.X.Label.Text, p.Y.Label.Text = "step", text
		fitLabel(p, paperHeight)
		inner := p.DataCanvas(draw.NewCanvas(nil, paperWidth, paperHeight))
		for line := range strings.Lines(p.Y.Label.Text) {
			if long := p.Y.Label.TextStyle.Width(strings.TrimSpace(line)); long > inner.Max.Y-inner.Min.Y {
				t.Errorf("%q is %v long, the axis %v", line, long, inner.Max.Y-inner.Min.Y)
			}
		}
		if got := strings.Join(strings.Fields(p.Y.Label.Text), " "); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestATableOfColoursIsAColumnWideWhereItsTextsFit(t *testing.T) {
	wide := exampleHeatmap()
	wide.Panels = wide.Panels[:1]
	p := &wide.Panels[0]
	p.Texts = [][]string{{"-0.021? [0]", "+0.84 [-]"}, {"", "oscillating, and more"}}
	p.Columns, p.Values = []string{"0", "0.5"}, [][]float64{{-1, 0}, {math.NaN(), 1}}
	for range 3 { // more of them
		for r := range p.Values {
			p.Values[r], p.Texts[r] = append(p.Values[r], 0), append(p.Texts[r], "oscillating")
		}
		p.Columns = append(p.Columns, "0.9")
	}
	for _, c := range []struct {
		name string
		of   *Heatmap
		want vg.Length
	}{{"short", exampleHeatmap(), paperWidth}, {"long", wide, paperBoth}} {
		if width, _ := c.of.size(PaperStyle); width != c.want {
			t.Errorf("%s texts: %v wide, want %v", c.name, width, c.want)
		}
		svg, err := Render(c.of, "svg", PaperStyle)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(svg, []byte(c.of.Labels.Title)) {
			t.Errorf("%s texts: the title is drawn", c.name)
		}
	}
}

func TestATableOfColoursWithMoreValuesThanLabelsIsAnErrorInEachStyle(t *testing.T) {
	for _, style := range Styles {
		h := exampleHeatmap()
		h.Panels[0].Columns = h.Panels[0].Columns[:1]
		if _, err := Render(h, "svg", style); err == nil || !strings.Contains(err.Error(), "in a row for 1 label") {
			t.Errorf("style %d: %v", style, err)
		}
	}
}

func TestPanelsOfOneScaleHaveItOnceInAPaper(t *testing.T) {
	h := exampleHeatmap()
	one := h.Panels[0]
	one.Scale = "over the main drive"
	h.Panels = []HeatPanel{one, one, h.Panels[1]}
	for style, want := range map[Style]int{PageStyle: 2, PaperStyle: 1} {
		svg, err := Render(h, "svg", style)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(svg), one.Scale); got != want {
			t.Errorf("style %d: the scale is there %d times, want %d", style, got, want)
		}
	}
}

func TestEveryCurveOfARunHasANameInItsDataAndEveryAxisOfAQuantityItsUnit(t *testing.T) {
	r := read(t, runDir(t))
	units := 0
	for _, f := range r.Figures() {
		c, ok := f.(*Chart)
		if !ok {
			continue
		}
		for _, a := range c.Axes {
			units += strings.Count(a.Y, "(")
			for _, s := range a.Series {
				if s.Name == "" {
					t.Errorf("%s, %s: a curve without a name", c.Labels.Name, a.Y)
				}
			}
			for _, word := range []string{"loss", "norm", "dN/dt", "sharpness", "noise scale"} {
				if strings.Contains(a.Y, word) && !strings.ContainsAny(a.Y, "(/") {
					t.Errorf("%s: the axis %q has no unit", c.Labels.Name, a.Y)
				}
			}
		}
	}
	if units == 0 {
		t.Error("no axis has a unit")
	}
}
