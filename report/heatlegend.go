package report

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A swatch is an entry of the scale of a table of colours. One without a colour says what the colours stand for.
type swatch struct {
	shade color.RGBA
	name  string
}

// swatchSize is the side of a colour in a scale, swatchRoom what it takes before its name.
const (
	swatchSize = 9 * vg.Length(1)
	swatchRoom = swatchSize + 5*vg.Length(1)
)

// swatches are the scale of colours, from the highest value to the lowest, or the classes.
func (p *HeatPanel) swatches() []swatch {
	var out []swatch
	if p.Classes != nil {
		for i, name := range p.Classes {
			out = append(out, swatch{p.shade(float64(i)), name})
		}
		return out
	}
	const steps = 4
	for i := range steps + 1 {
		v := p.High + (p.Low-p.High)*float64(i)/steps
		name := number(v)
		if p.Legend != nil {
			name = p.Legend[i]
		}
		out = append(out, swatch{p.shade(v), name})
	}
	return out
}

// beside draws the scale beside the cells.
func (p *HeatPanel) beside(c draw.Canvas, left, top vg.Length, style draw.TextStyle) {
	style.XAlign = draw.XLeft
	c.FillText(style, vg.Point{X: left, Y: top - vg.Points(4)}, p.Scale)
	for i, s := range p.swatches() {
		s.draw(c, vg.Point{X: left, Y: top - vg.Points(18) - vg.Length(i)*vg.Points(14)}, style)
	}
}

// coloured reports whether the entry has a colour.
func (s swatch) coloured() bool { return s.shade != color.RGBA{} }

// draw draws a colour, if there is one, and its name.
func (s swatch) draw(c draw.Canvas, at vg.Point, style draw.TextStyle) {
	if s.coloured() {
		c.SetColor(s.shade)
		c.Fill(vg.Rectangle{Min: vg.Point{X: at.X, Y: at.Y - swatchSize/2}, Max: vg.Point{X: at.X + swatchSize, Y: at.Y + swatchSize/2}}.Path())
		at.X += swatchRoom
	}
	c.FillText(style, at, s.name)
}

// below are the lines of a scale below the cells of a panel: none on a page, and of panels with the same scale only below the last.
func (h *Heatmap) below(i int, l heatLayout) [][]swatch {
	if !l.paper {
		return nil
	}
	own := h.Panels[i].swatches()
	if i+1 < len(h.Panels) && h.Panels[i+1].Scale == h.Panels[i].Scale && slices.Equal(h.Panels[i+1].swatches(), own) {
		return nil
	}
	if scale := h.Panels[i].Scale; scale != "" {
		own = append([]swatch{{name: scale}}, own...)
	}
	var lines [][]swatch
	x := l.width
	for _, s := range own {
		if x += s.width(l); x > l.width-l.left {
			lines, x = append(lines, nil), s.width(l)
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], s)
	}
	return lines
}

// width is that of an entry in a line, with the gap behind it.
func (s swatch) width(l heatLayout) vg.Length {
	width := vg.Points(8) + l.tick.Width(s.name)
	if s.coloured() {
		width += swatchRoom
	}
	return width
}

// drawLine draws a line of a scale.
func drawLine(c draw.Canvas, line []swatch, y vg.Length, l heatLayout) {
	style := l.tick
	style.XAlign = draw.XLeft
	x := c.Min.X + l.left
	for _, s := range line {
		s.draw(c, vg.Point{X: x, Y: y}, style)
		x += s.width(l)
	}
}
