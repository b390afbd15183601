package report

import (
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The sizes of a figure in a paper: a column of two, both with what is between them, the height of one pair of axes, and of a line of a legend.
const (
	paperWidth  = 3.25 * vg.Inch
	paperBoth   = 6.75 * vg.Inch
	paperHeight = 1.7 * vg.Inch
	paperEntry  = 10.5 * vg.Length(1)
	paperIndent = 10 * vg.Length(1)
)

// thumbnail is the width of a sample of a curve in a legend.
const thumbnail = 20 * vg.Length(1)

// drawBelow draws the axes above one another, each with its legend below it.
func (c *Chart) drawBelow(whole draw.Canvas, column [][]*plot.Plot, legends [][]entry) {
	top := whole.Max.Y
	canvases := make([]draw.Canvas, len(column))
	for i := range column {
		canvases[i] = whole
		canvases[i].Max.Y, canvases[i].Min.Y = top-vg.Points(3), top-paperHeight
		canvases[i].Max.X -= vg.Points(4)
		fitLabel(column[i][0], canvases[i].Max.Y-canvases[i].Min.Y)
		top -= paperHeight + c.Axes[i].below()
	}
	// All axes begin and end at the same places.
	left, right := vg.Length(0), whole.Max.X
	for i, p := range column {
		inner := p[0].DataCanvas(canvases[i])
		left, right = max(left, inner.Min.X-canvases[i].Min.X), min(right, inner.Max.X)
	}
	for i, p := range column {
		inner := p[0].DataCanvas(canvases[i])
		canvases[i].Min.X += left - (inner.Min.X - canvases[i].Min.X)
		canvases[i].Max.X -= inner.Max.X - right
		p[0].Draw(canvases[i])
		var names []string
		for _, e := range legends[i] {
			names = append(names, e.name)
		}
		columns := paperColumns(p[0].Legend.TextStyle, names)
		rows := (len(names) + columns - 1) / columns
		for k := range columns {
			below := whole
			width := paperInner / vg.Length(columns)
			below.Min.X += paperIndent + width*vg.Length(k)
			below.Max.X = below.Min.X + width
			below.Max.Y = canvases[i].Min.Y
			drawLegend(below, p[0], legends[i][min(k*rows, len(names)):min((k+1)*rows, len(names))])
		}
	}
}

// paperInner is the width of a legend below axes.
const paperInner = paperWidth - paperIndent

// paperColumns is how many entries of a legend stand beside one another below axes: two, unless one of them needs more room.
func paperColumns(style draw.TextStyle, names []string) int {
	const most = 2
	for _, name := range names {
		if thumbnail+vg.Points(4)+style.Width(name) > paperInner/most {
			return 1
		}
	}
	return most
}

// below is the room for the legend below a pair of axes.
func (a *Axes) below() vg.Length {
	var names []string
	for i := range a.Series {
		if s := &a.Series[i]; s.listed() {
			names = append(names, oneLine(s.entry()))
		}
	}
	for _, name := range a.stretches() {
		names = append(names, oneLine(name))
	}
	style := plot.New()
	PaperStyle.apply(style)
	columns := paperColumns(style.Legend.TextStyle, names)
	return paperEntry * vg.Length((len(names)+columns-1)/columns+1)
}

// fitLabel breaks the label of the y axis where it is longer than the axis, on a canvas of such a height.
func fitLabel(p *plot.Plot, height vg.Length) {
	inner := p.DataCanvas(draw.NewCanvas(nil, chartWidth, height))
	p.Y.Label.Text = broken(p.Y.Label.Text, p.Y.Label.TextStyle, inner.Max.Y-inner.Min.Y)
}

// broken breaks a text between words, so that its lines are not longer than a width, where that can be.
func broken(text string, style draw.TextStyle, width vg.Length) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && style.Width(longer) > width {
			lines = append(lines, line)
			longer = word
		}
		line = longer
	}
	return strings.Join(append(lines, line), "\n")
}
