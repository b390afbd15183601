package report

import (
	"cmp"
	"errors"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Chart is pairs of axes above one another, each with its legend at its right.
type Chart struct {
	Labels Label
	Axes   []Axes
	// Height is that of one pair of axes, in inches; 0 stands for 2.5.
	Height float64
	// Apart says of a figure of a run that its x are no steps.
	Apart bool
}

// Axes are one pair of axes. Labels carry their units.
type Axes struct {
	X, Y       string
	LogX, LogY bool
	// Zero draws a line at y = 0.
	Zero bool
	// MinX, MaxX, MinY, MaxY bound what is shown, where they differ.
	MinX, MaxX, MinY, MaxY float64
	// TicksX are the values labelled along x; nil stands for round numbers.
	TicksX []float64
	// Shaded are stretches of x behind the series.
	Shaded []Span
	Series []Series
}

// A Span is a stretch of x with a name in the legend. Those of one name are one entry.
type Span struct {
	From, To float64
	Name     string
}

// A Series is one curve or set of points. NaN and, on a logarithmic axis, what is not positive are left out.
type Series struct {
	Name string
	// Legend is what the legend calls it, if that is not its name. Unlisted leaves it out there, as one of several curves that look the same.
	Legend   string
	Unlisted bool
	X, Y     []float64
	// Low and High, if given, are the ends of an error band, or of error bars if Bars is set.
	Low, High []float64
	Bars      bool
	// Color, Dash and Mark are numbers, each with a look of its own.
	Color, Dash int
	// Along, above 0 and up to 1, is how far a curve's parameter is along its range: lightness tells it, in the place of Color.
	Along float64
	// Line joins the points, Marks shows them; with neither set the points are joined.
	Line, Marks bool
	Mark        int
	// Faint draws the line thin and grey: a grid, a reference.
	Faint bool
}

// Label implements Drawing.
func (c *Chart) Label() Label { return c.Labels }

// The sizes of a chart.
const (
	chartWidth  = 7.2 * vg.Inch
	chartLegend = 1.85 * vg.Inch
	chartTitle  = 0.35 * vg.Inch
)

// title is the room for a title.
func (s Style) title() vg.Length {
	if s == PaperStyle {
		return 0
	}
	return chartTitle
}

func (c *Chart) size(s Style) (vg.Length, vg.Length) {
	if s == PaperStyle {
		height := vg.Length(0)
		for i := range c.Axes {
			height += paperHeight + c.Axes[i].below()
		}
		return paperWidth, height
	}
	height := 2.5
	if c.Height > 0 {
		height = c.Height
	}
	return chartWidth, chartTitle + vg.Length(height)*vg.Inch*vg.Length(len(c.Axes))
}

func (c *Chart) draw(whole draw.Canvas, s Style) error {
	column := make([][]*plot.Plot, len(c.Axes))
	legends := make([][]entry, len(c.Axes))
	for i := range c.Axes {
		p, legend, err := c.Axes[i].plot(s)
		if err != nil {
			return err
		}
		column[i], legends[i] = []*plot.Plot{p}, legend
	}
	if s == PaperStyle {
		c.drawBelow(whole, column, legends)
		return nil
	}
	title := column[0][0].Title.TextStyle
	title.XAlign, title.YAlign = draw.XLeft, draw.YTop
	whole.FillText(title, vg.Point{X: whole.Min.X + vg.Points(8), Y: whole.Max.Y - vg.Points(7)}, c.Labels.Title)
	tiles := draw.Tiles{Rows: len(column), Cols: 1, PadY: vg.Points(8), PadRight: chartLegend, PadTop: chartTitle, PadBottom: vg.Points(4), PadLeft: vg.Points(4)}
	for _, p := range column {
		fitLabel(p[0], (whole.Max.Y-whole.Min.Y-chartTitle)/vg.Length(len(column)))
	}
	for i, row := range plot.Align(column, tiles, whole) {
		column[i][0].Draw(row[0])
		beside := row[0]
		beside.Min.X, beside.Max.X = whole.Max.X-chartLegend+vg.Points(8), whole.Max.X
		beside.Max.Y -= vg.Points(2)
		drawLegend(beside, column[i][0], legends[i])
	}
	return nil
}

// An entry is one of a legend.
type entry struct {
	name   string
	thumbs []plot.Thumbnailer
}

// drawLegend draws entries above one another.
func drawLegend(on draw.Canvas, p *plot.Plot, entries []entry) {
	legend := plot.NewLegend()
	legend.TextStyle = p.Legend.TextStyle
	legend.Left, legend.Top = true, true
	legend.Padding = vg.Points(2)
	legend.ThumbnailWidth = thumbnail
	for _, e := range entries {
		legend.Add(e.name, e.thumbs...)
	}
	legend.Draw(on)
}

// errNothing is the error of axes without a point.
var errNothing = errors.New("nothing in it can be drawn: all its values are missing, or not positive on a logarithmic axis")

func (a *Axes) plot(s Style) (*plot.Plot, []entry, error) {
	p := plot.New()
	s.apply(p)
	p.X.Label.Text, p.Y.Label.Text = a.X, a.Y
	var legend []entry
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = grid, grid
	p.Add(lines)
	for _, stretch := range a.Shaded {
		p.Add(shading{onAxis(stretch.From, a.LogX), onAxis(stretch.To, a.LogX)})
	}
	drawn := false
	for _, curve := range a.Series {
		if s == PaperStyle {
			curve.Name, curve.Legend = oneLine(curve.Name), oneLine(curve.Legend)
		}
		ok, err := curve.add(p, &legend, a)
		if err != nil {
			return nil, nil, err
		}
		drawn = drawn || ok
	}
	for _, name := range a.stretches() {
		if s == PaperStyle {
			name = oneLine(name)
		}
		legend = append(legend, entry{name, []plot.Thumbnailer{shading{}}})
	}
	if !drawn {
		return nil, nil, errNothing
	}
	a.scale(p)
	if a.Zero {
		zero, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: 0}, {X: p.X.Max, Y: 0}})
		if err != nil {
			return nil, nil, err
		}
		zero.Color, zero.Width = ink, vg.Points(0.6)
		p.Add(zero)
	}
	return p, legend, nil
}

// stretches are the names of what is shaded, each once.
func (a *Axes) stretches() []string {
	var names []string
	for _, stretch := range a.Shaded {
		if !slices.Contains(names, stretch.Name) {
			names = append(names, stretch.Name)
		}
	}
	return names
}

// room is how far the axes reach beyond what is drawn, as a part of its range.
const room = 0.04

// scale sets the ranges and ticks.
func (a *Axes) scale(p *plot.Plot) {
	scaleAxis(&p.X, a.LogX, a.MinX, a.MaxX, a.TicksX)
	scaleAxis(&p.Y, a.LogY, a.MinY, a.MaxY, nil)
	if a.LogY && a.MinY == a.MaxY {
		p.Y.Min = max(p.Y.Min, p.Y.Max-mostDecades)
	}
}

// mostDecades is how far a logarithmic axis reaches down from its top: beside that what is smaller is nothing.
const mostDecades = 12

// scaleAxis shows what lies between low and high or, if they are the same, all that is drawn, with room for the marks at its ends.
func scaleAxis(x *plot.Axis, log bool, low, high float64, values []float64) {
	switch by := room * (x.Max - x.Min); {
	case low != high:
		x.Min, x.Max = onAxis(low, log), onAxis(high, log)
	case by > 0:
		x.Min, x.Max = x.Min-by, x.Max+by
	default:
		alone := 1.0
		if log {
			alone = math.Log10(2)
		}
		x.Min, x.Max = x.Min-alone, x.Max+alone
	}
	var marker plot.Ticker = linearTicks{}
	switch {
	case values != nil && log:
		marker = logarithms{ticksAt(values)}
	case values != nil:
		marker = ticksAt(values)
	case log:
		marker = logTicks{}
	}
	x.Tick.Marker = marker
}

// onAxis returns the place of a value on an axis. A logarithmic axis is a linear one of decimal logarithms: on gonum's own, a
// centred label is given room at the wrong place.
func onAxis(v float64, log bool) float64 {
	if log {
		return math.Log10(v)
	}
	return v
}

// floor is where error bars that reach below zero are cut on a logarithmic axis: a little below the smallest number drawn.
func (a *Axes) floor() float64 {
	least := math.Inf(1)
	for _, s := range a.Series {
		for _, y := range s.Y {
			if y > 0 {
				least = min(least, y)
			}
		}
	}
	return 0.6 * least
}

// points are the ones that can be drawn, with the ends of their bars, where they lie on the axes.
func (s *Series) points(a *Axes) (xy, low, high plotter.XYs) {
	floor := math.Inf(-1)
	if a.LogY {
		floor = a.floor()
	}
	const most = 1e300 // so that differences are numbers, too
	ok := func(v float64, log bool) bool { return math.Abs(v) <= most && (!log || v > 0) }
	for i := range s.X {
		if !ok(s.X[i], a.LogX) || !ok(s.Y[i], a.LogY) {
			continue
		}
		x := onAxis(s.X[i], a.LogX)
		xy = append(xy, plotter.XY{X: x, Y: onAxis(s.Y[i], a.LogY)})
		l, h := s.Y[i], s.Y[i]
		if s.Low != nil && ok(s.Low[i], false) {
			l = max(s.Low[i], floor)
		}
		if s.High != nil && ok(s.High[i], false) {
			h = s.High[i]
		}
		low, high = append(low, plotter.XY{X: x, Y: onAxis(l, a.LogY)}), append(high, plotter.XY{X: x, Y: onAxis(h, a.LogY)})
	}
	return xy, low, high
}

func (s *Series) add(p *plot.Plot, legend *[]entry, a *Axes) (drawn bool, err error) {
	xy, low, high := s.points(a)
	if len(xy) == 0 {
		return false, nil
	}
	shade := s.shade()
	var thumbs []plot.Thumbnailer
	joined := s.Line || !s.Marks
	if s.Low != nil {
		add := addBand
		if s.Bars || len(xy) == 1 {
			add = addBars
		}
		if err := add(p, xy, low, high, shade); err != nil {
			return false, err
		}
	}
	if joined && (len(xy) > 1 || s.Faint) {
		line, err := plotter.NewLine(xy)
		if err != nil {
			return false, err
		}
		line.Color, line.Width, line.Dashes = shade, vg.Points(1.5), dashes[s.Dash%len(dashes)]
		if s.Faint {
			line.Color, line.Width = grey, vg.Points(0.7)
		}
		p.Add(line)
		thumbs = append(thumbs, line)
	}
	if s.Marks || len(xy) == 1 && !s.Faint {
		marks, err := plotter.NewScatter(xy)
		if err != nil {
			return false, err
		}
		marks.Color, marks.Radius, marks.Shape = shade, vg.Points(3.2), glyphs[s.Mark%len(glyphs)]
		p.Add(marks)
		thumbs = append(thumbs, marks)
	}
	if s.listed() {
		*legend = append(*legend, entry{s.entry(), thumbs})
	}
	return true, nil
}

// listed reports whether the legend has the curve.
func (s *Series) listed() bool { return s.entry() != "" && !s.Unlisted }

// entry is what the legend calls it.
func (s *Series) entry() string { return cmp.Or(s.Legend, s.Name) }

// shade is the colour of a curve.
func (s *Series) shade() color.RGBA {
	if s.Along > 0 {
		return mix(rampStart, rampEnd, min(s.Along, 1))
	}
	return shadeOf(s.Color)
}

// shading fills a stretch of x over the whole height.
type shading struct{ from, to float64 }

// Plot implements plot.Plotter.
func (s shading) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	from, to := max(x(s.from), c.Min.X), min(x(s.to), c.Max.X)
	if from < to {
		c.FillPolygon(shade, []vg.Point{{X: from, Y: c.Min.Y}, {X: to, Y: c.Min.Y}, {X: to, Y: c.Max.Y}, {X: from, Y: c.Max.Y}})
	}
}

// Thumbnail implements plot.Thumbnailer.
func (s shading) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(shade, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
}

// addBand fills between two curves.
func addBand(p *plot.Plot, _, low, high plotter.XYs, shade color.RGBA) error {
	var around plotter.XYs
	around = append(around, low...)
	for i := len(high) - 1; i >= 0; i-- {
		around = append(around, high[i])
	}
	band, err := plotter.NewPolygon(around)
	if err != nil {
		return err
	}
	const alpha = 0x38
	band.Color = color.NRGBA{shade.R, shade.G, shade.B, alpha}
	band.LineStyle.Width = 0
	p.Add(band)
	return nil
}

// errorBars are points with the lengths of their bars.
type errorBars struct {
	plotter.XYs
	plotter.YErrors
}

func addBars(p *plot.Plot, xy, low, high plotter.XYs, shade color.RGBA) error {
	bars := errorBars{XYs: xy}
	for i := range xy {
		bars.YErrors = append(bars.YErrors, struct{ Low, High float64 }{xy[i].Y - low[i].Y, high[i].Y - xy[i].Y})
	}
	drawn, err := plotter.NewYErrorBars(bars)
	if err != nil {
		return err
	}
	drawn.Color, drawn.Width, drawn.CapWidth = shade, vg.Points(1), vg.Points(5)
	p.Add(drawn)
	return nil
}
