package report

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"shadowflow/internal/plural"
)

// A Heatmap is a table of colours: one cell for each pair of values on its axes, which are equally spaced whatever the values.
type Heatmap struct {
	Labels Label
	Panels []HeatPanel
}

// A HeatPanel is one table of a Heatmap.
type HeatPanel struct {
	Title string
	X, Y  string // of the axes, with units
	// Columns and Rows label the cells; the first row is drawn lowest.
	Columns, Rows []string
	// Values, [row][column], choose colours; NaN leaves a cell blank.
	Values [][]float64
	// Texts, [row][column], are written in the cells; nil writes the values.
	Texts [][]string
	// Low and High are the values at the ends of the colours. Diverging colours are white half way.
	Low, High float64
	Diverging bool
	// Classes, if given, makes the values numbers of classes with these names.
	Classes []string
	// Regions, [row][column], if given: a thick line parts cells of different regions.
	Regions [][]int
	// Scale says what the colours stand for.
	Scale string
	// Legend, if given, are five names for the colours from the highest value to the lowest, in the place of numbers.
	Legend []string
}

// Label implements Drawing.
func (h *Heatmap) Label() Label { return h.Labels }

// The sizes of a heatmap.
const (
	cellHeight  = 0.36 * vg.Inch
	heatPadding = 0.1 * vg.Inch
)

// A heatLayout says where the parts of a heatmap are: how wide it is, what is beside its cells, and what is above and below those of a panel.
type heatLayout struct {
	width, left, right      vg.Length
	title, top, bottom, gap vg.Length
	paper                   bool
	heading, label, tick    draw.TextStyle
}

// layout returns that of a style: on a page the scale is beside the cells, in a paper below them.
func (h *Heatmap) layout(s Style) heatLayout {
	base := plot.New()
	s.apply(base)
	l := heatLayout{
		width: chartWidth, left: 0.85 * vg.Inch, right: 1.55*vg.Inch + heatPadding, title: s.title(), top: 0.34 * vg.Inch, bottom: 0.62 * vg.Inch, gap: 0.18 * vg.Inch,
		heading: base.Title.TextStyle, label: base.X.Label.TextStyle, tick: base.X.Tick.Label,
	}
	l.heading.XAlign, l.heading.YAlign = draw.XLeft, draw.YTop
	l.label.XAlign, l.label.YAlign = draw.XCenter, draw.YCenter
	l.tick.XAlign, l.tick.YAlign = draw.XCenter, draw.YCenter
	if s != PaperStyle {
		return l
	}
	l.paper, l.width, l.left, l.right = true, paperWidth, 0, vg.Points(4)
	l.top, l.bottom, l.gap = 0.22*vg.Inch, 0.42*vg.Inch, 0.06*vg.Inch
	for i := range h.Panels {
		for _, name := range h.Panels[i].Rows {
			l.left = max(l.left, vg.Points(24)+l.tick.Width(name))
		}
	}
	for i := range h.Panels {
		if !h.Panels[i].fits(l) {
			l.width = paperBoth
		}
	}
	return l
}

// fits reports whether the texts of a panel fit into its cells, and its columns' names between them. One that cannot be drawn fits.
func (p *HeatPanel) fits(l heatLayout) bool {
	if p.check() != nil {
		return true
	}
	cell := p.cellWidth(l) - vg.Points(2)
	for r := range p.Values {
		for k := range p.Values[r] {
			if l.tick.Width(p.text(r, k)) > cell || l.tick.Width(p.Columns[k]) > cell {
				return false
			}
		}
	}
	return true
}

func (p *HeatPanel) cellWidth(l heatLayout) vg.Length {
	return (l.width - l.left - l.right) / vg.Length(len(p.Columns))
}

// height is that of a panel with all that belongs to it.
func (h *Heatmap) height(i int, l heatLayout) vg.Length {
	p := &h.Panels[i]
	return l.top + l.bottom + cellHeight*vg.Length(len(p.Rows)) + l.gap + paperEntry*vg.Length(len(h.below(i, l)))
}

func (h *Heatmap) size(s Style) (vg.Length, vg.Length) {
	l := h.layout(s)
	height := l.title
	for i := range h.Panels {
		height += h.height(i, l)
	}
	return l.width, height
}

func (h *Heatmap) draw(c draw.Canvas, s Style) error {
	l := h.layout(s)
	if !l.paper {
		c.FillText(l.heading, vg.Point{X: c.Min.X + vg.Points(8), Y: c.Max.Y - vg.Points(7)}, h.Labels.Title)
	}
	top := c.Max.Y - l.title
	for i := range h.Panels {
		p := &h.Panels[i]
		if err := p.check(); err != nil {
			return err
		}
		bottom := p.draw(c, top, l)
		for k, line := range h.below(i, l) {
			drawLine(c, line, bottom-l.bottom-paperEntry*(vg.Length(k)+0.5), l)
		}
		top -= h.height(i, l)
	}
	return nil
}

func (p *HeatPanel) check() error {
	if len(p.Values) != len(p.Rows) || len(p.Rows) == 0 {
		return fmt.Errorf("%s of values for %s", plural.Count(len(p.Values), "row"), plural.Count(len(p.Rows), "label"))
	}
	for _, row := range p.Values {
		if len(row) != len(p.Columns) || len(row) == 0 {
			return fmt.Errorf("%s in a row for %s", plural.Count(len(row), "value"), plural.Count(len(p.Columns), "label"))
		}
	}
	return nil
}

// draw draws the panel below top, and returns where its cells end.
func (p *HeatPanel) draw(c draw.Canvas, top vg.Length, l heatLayout) (bottom vg.Length) {
	left, right, width := c.Min.X+l.left, c.Max.X-l.right, p.cellWidth(l)
	bottom = top - l.top - cellHeight*vg.Length(len(p.Rows))
	c.FillText(l.label, vg.Point{X: (left + right) / 2, Y: top - l.top/2}, p.Title)
	for r, row := range p.Values {
		for k, v := range row {
			cell := vg.Rectangle{
				Min: vg.Point{X: left + width*vg.Length(k), Y: bottom + cellHeight*vg.Length(r)},
				Max: vg.Point{X: left + width*vg.Length(k+1), Y: bottom + cellHeight*vg.Length(r+1)},
			}
			p.cell(c, cell, v, p.text(r, k), l.tick)
		}
		at := l.tick
		at.XAlign = draw.XRight
		c.FillText(at, vg.Point{X: left - vg.Points(5), Y: bottom + cellHeight*(vg.Length(r)+0.5)}, p.Rows[r])
	}
	for k, name := range p.Columns {
		c.FillText(l.tick, vg.Point{X: left + width*(vg.Length(k)+0.5), Y: bottom - vg.Points(9)}, name)
	}
	c.FillText(l.label, vg.Point{X: (left + right) / 2, Y: bottom - 0.58*l.bottom}, p.X)
	up := l.label
	up.Rotation = math.Pi / 2
	c.FillText(up, vg.Point{X: c.Min.X + min(vg.Points(14), l.left/4), Y: (top - l.top + bottom) / 2}, p.Y)
	p.boundaries(c, left, bottom, width)
	if !l.paper {
		p.beside(c, right+vg.Points(14), top-l.top, l.tick)
	}
	return bottom
}

func (p *HeatPanel) text(r, k int) string {
	if p.Texts != nil {
		return p.Texts[r][k]
	}
	if math.IsNaN(p.Values[r][k]) {
		return ""
	}
	return number(p.Values[r][k])
}

// The colours of a table do not change with the reader's theme, nor does the text in its cells.
var (
	dark  = color.RGBA{0x10, 0x10, 0x10, 0xff}
	light = color.RGBA{0xff, 0xff, 0xff, 0xff}
	blank = color.RGBA{0x9a, 0x9a, 0x9a, 0xff}
)

func (p *HeatPanel) cell(c draw.Canvas, at vg.Rectangle, v float64, text string, style draw.TextStyle) {
	shade := p.shade(v)
	c.SetColor(shade)
	c.Fill(at.Path())
	c.SetColor(paper)
	c.SetLineWidth(vg.Points(0.5))
	c.Stroke(at.Path())
	style.Color = dark
	if luminance(shade) < 0.4 {
		style.Color = light
	}
	c.FillText(style, vg.Point{X: (at.Min.X + at.Max.X) / 2, Y: (at.Min.Y + at.Max.Y) / 2}, text)
}

func luminance(c color.RGBA) float64 {
	return (0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)) / 255
}

// classShades are the colours of classes, from harmless to bad.
var classShades = []color.RGBA{{0x9f, 0xd3, 0xc7, 0xff}, {0x5b, 0x9b, 0xd5, 0xff}, {0xf2, 0xc1, 0x4e, 0xff}, {0xc4, 0x4e, 0x52, 0xff}}

func (p *HeatPanel) shade(v float64) color.RGBA {
	if math.IsNaN(v) {
		return blank
	}
	if p.Classes != nil {
		return classShades[int(v)%len(classShades)]
	}
	f := min(1, max(0, (v-p.Low)/(p.High-p.Low)))
	stops := []color.RGBA{{0x44, 0x01, 0x54, 0xff}, {0x31, 0x68, 0x8e, 0xff}, {0x35, 0xb7, 0x79, 0xff}, {0xfd, 0xe7, 0x25, 0xff}} // viridis
	if p.Diverging {
		stops = []color.RGBA{{0xb3, 0x5a, 0x00, 0xff}, {0xf7, 0xc0, 0x8a, 0xff}, {0xf7, 0xf7, 0xf7, 0xff}, {0x8f, 0xc1, 0xe3, 0xff}, {0x0b, 0x4f, 0x8a, 0xff}}
	}
	x := f * float64(len(stops)-1)
	i := min(int(x), len(stops)-2)
	return mix(stops[i], stops[i+1], x-float64(i))
}

func mix(a, b color.RGBA, f float64) color.RGBA {
	part := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + f*(float64(y)-float64(x)))) }
	return color.RGBA{part(a.R, b.R), part(a.G, b.G), part(a.B, b.B), 0xff}
}

// boundaries draws thick lines between cells of different regions.
func (p *HeatPanel) boundaries(c draw.Canvas, left, bottom, width vg.Length) {
	if p.Regions == nil {
		return
	}
	c.SetLineWidth(vg.Points(2.5))
	c.SetColor(dark)
	line := func(x0, y0, x1, y1 vg.Length) {
		var path vg.Path
		path.Move(vg.Point{X: x0, Y: y0})
		path.Line(vg.Point{X: x1, Y: y1})
		c.Stroke(path)
	}
	for r, row := range p.Regions {
		for k, region := range row {
			x, y := left+width*vg.Length(k), bottom+cellHeight*vg.Length(r)
			if k > 0 && row[k-1] != region {
				line(x, y, x, y+cellHeight)
			}
			if r > 0 && p.Regions[r-1][k] != region {
				line(x, y, x+width, y)
			}
		}
	}
}
