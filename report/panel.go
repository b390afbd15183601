package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// maxPoints bounds the points of a line: more would not be told apart.
const maxPoints = 1200

// The colours of a figure. The page replaces them by those of the reader's light or dark theme.
var (
	ink     = color.RGBA{0x1f, 0x24, 0x30, 0xff}
	grid    = color.RGBA{0xdd, 0xe1, 0xe6, 0xff}
	paper   = color.RGBA{0xfe, 0xfe, 0xfe, 0xff}
	palette = []color.RGBA{ // Okabe and Ito's, told apart by the colour-blind
		{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
	}
)

// A panel is one pair of axes in a figure.
type panel struct {
	label  string // of the y axis
	log    bool
	zero   bool // a line at y = 0
	curves []curve
}

// A curve is one line, or a set of marks.
type curve struct {
	name   string
	x, y   []float64
	color  int // in the palette
	dashed bool
	marks  draw.GlyphDrawer // marks instead of a line
}

// usable keeps what can be drawn, and takes points out of long curves such that all peaks stay.
func (c curve) usable(log bool) plotter.XYs {
	var out plotter.XYs
	for i := range c.x {
		if log && !(c.y[i] > 0) {
			continue
		}
		out = append(out, plotter.XY{X: c.x[i], Y: c.y[i]})
	}
	if len(out) <= maxPoints || c.marks != nil {
		return out
	}
	var thin plotter.XYs
	buckets := maxPoints / 2
	for b := range buckets {
		part := out[b*len(out)/buckets : (b+1)*len(out)/buckets]
		lo, hi := 0, 0
		for i, p := range part {
			if p.Y < part[lo].Y {
				lo = i
			}
			if p.Y > part[hi].Y {
				hi = i
			}
		}
		thin = append(thin, part[min(lo, hi)])
		if lo != hi {
			thin = append(thin, part[max(lo, hi)])
		}
	}
	return thin
}

// plot makes the panel, and its legend apart. It returns nil if there is nothing to draw.
func (p panel) plot() (*plot.Plot, *plot.Legend, error) {
	out := plot.New()
	style(out)
	out.Y.Label.Text = p.label
	legend := plot.NewLegend()
	legend.TextStyle = out.Legend.TextStyle
	legend.Left, legend.Top = true, true
	legend.Padding = vg.Points(2)
	legend.ThumbnailWidth = vg.Points(18)
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = grid, grid
	out.Add(lines)
	drawn := false
	for _, c := range p.curves {
		points := c.usable(p.log)
		if len(points) == 0 {
			continue
		}
		drawn = true
		if err := c.add(out, &legend, points); err != nil {
			return nil, nil, err
		}
	}
	if !drawn {
		return nil, nil, nil
	}
	if p.log {
		out.Y.Scale, out.Y.Tick.Marker = plot.LogScale{}, logTicks{}
		if out.Y.Min == out.Y.Max {
			out.Y.Min, out.Y.Max = out.Y.Min/2, out.Y.Max*2
		}
	} else {
		out.Y.Tick.Marker = linearTicks{}
	}
	if p.zero {
		zero, err := plotter.NewLine(plotter.XYs{{X: out.X.Min, Y: 0}, {X: out.X.Max, Y: 0}})
		if err != nil {
			return nil, nil, err
		}
		zero.Color, zero.Width = ink, vg.Points(0.6)
		out.Add(zero)
	}
	return out, &legend, nil
}

func (c curve) add(p *plot.Plot, legend *plot.Legend, points plotter.XYs) error {
	shade := palette[c.color%len(palette)]
	if c.marks != nil || len(points) == 1 {
		marks, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		marks.Color, marks.Radius, marks.Shape = shade, vg.Points(2.2), c.marks
		if c.marks == nil {
			marks.Shape = draw.CircleGlyph{}
		}
		p.Add(marks)
		legend.Add(c.name, marks)
		return nil
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = shade, vg.Points(1.5)
	if c.dashed {
		line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	}
	p.Add(line)
	legend.Add(c.name, line)
	return nil
}

// style sets fonts and colours.
func style(p *plot.Plot) {
	p.BackgroundColor = paper
	p.Title.TextStyle.Color, p.Legend.TextStyle.Color = ink, ink
	sans(&p.Title.TextStyle.Font, 12)
	sans(&p.Legend.TextStyle.Font, 9)
	p.Title.Padding = vg.Points(6)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Label.TextStyle.Color, a.Tick.Color, a.Tick.Label.Color = ink, ink, ink, ink
		sans(&a.Label.TextStyle.Font, 10)
		sans(&a.Tick.Label.Font, 9)
		a.Label.Padding = vg.Points(3)
		a.Padding = vg.Points(2)
	}
	p.X.Tick.Marker = linearTicks{}
}

func sans(f *font.Font, size font.Length) {
	f.Variant, f.Size = "Sans", vg.Points(float64(size))
}

// linearTicks labels about five round numbers.
type linearTicks struct{}

func (linearTicks) Ticks(lo, hi float64) []plot.Tick {
	if !(hi > lo) {
		return []plot.Tick{{Value: lo, Label: tickLabel(lo, math.Abs(lo)/10)}}
	}
	step := niceStep((hi - lo) / 5)
	var ticks []plot.Tick
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+1e-9*step; k++ {
		ticks = append(ticks, plot.Tick{Value: k * step, Label: tickLabel(k*step, step)})
	}
	return ticks
}

// niceStep returns the 1, 2 or 5 times a power of ten next above x.
func niceStep(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= x*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logTicks labels powers of ten, with less than two decades 1, 2 and 5 times them, with less than a factor of three round numbers.
type logTicks struct{}

func (logTicks) Ticks(lo, hi float64) []plot.Tick {
	if hi/lo < 3 {
		return linearTicks{}.Ticks(lo, hi)
	}
	from, to := math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))
	every := max(1, math.Ceil((to-from)/6))
	multiples := []float64{1}
	if hi/lo < 100 {
		multiples = []float64{1, 2, 5}
	}
	var ticks []plot.Tick
	for e := from; e <= to; e++ {
		for _, m := range multiples {
			v := m * math.Pow(10, e)
			if v < lo*(1-1e-9) || v > hi*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: v}
			if math.Mod(e-from, every) == 0 {
				t.Label = tickLabel(v, v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}
