package report

import (
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// The colours of a figure. The page replaces them by those of the reader's light or dark theme.
var (
	ink     = color.RGBA{0x1f, 0x24, 0x30, 0xff}
	grid    = color.RGBA{0xdd, 0xe1, 0xe6, 0xff}
	paper   = color.RGBA{0xfe, 0xfe, 0xfe, 0xff}
	grey    = color.RGBA{0x7f, 0x7f, 0x7f, 0xff}
	shade   = color.NRGBA{0x7f, 0x7f, 0x7f, 0x30} // of stretches behind the curves
	palette = []color.RGBA{                       // the first themedShades are Okabe and Ito's, told apart by the colour-blind; the others suit both themes
		{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
		{0xe6, 0x9f, 0x00, 0xff}, grey, {0x8c, 0x6b, 0xd8, 0xff}, {0xb0, 0x3a, 0x48, 0xff},
	}
)

// rampStart and rampEnd are the colours of the two ends of a parameter's range, both told from light and from dark paper.
var rampStart, rampEnd = color.RGBA{0xf0, 0xa8, 0x60, 0xff}, color.RGBA{0x5a, 0x2a, 0x9a, 0xff}

// themedShades is how many colours of the palette the page replaces.
const themedShades = 4

// A Style is for what figures are drawn.
type Style int

const (
	// PageStyle is for screens: a title, and legends beside the axes.
	PageStyle Style = iota
	// PaperStyle is for a column of a paper: its width, 8 points, no title, which a caption says, and legends below the axes.
	PaperStyle
)

// Styles are the names of styles, as commands take them.
var Styles = map[string]Style{"page": PageStyle, "paper": PaperStyle}

// paperPoints is the size of all texts in a paper's figure.
const paperPoints = 8

// points is the size of a text that has so many on a page.
func (s Style) points(onPage float64) font.Length {
	if s == PaperStyle {
		return paperPoints
	}
	return font.Length(onPage)
}

// apply sets fonts and colours.
func (s Style) apply(p *plot.Plot) {
	p.BackgroundColor = paper
	p.Title.TextStyle.Color, p.Legend.TextStyle.Color = ink, ink
	sans(&p.Title.TextStyle.Font, s.points(12))
	sans(&p.Legend.TextStyle.Font, s.points(9))
	p.Title.Padding = vg.Points(6)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Label.TextStyle.Color, a.Tick.Color, a.Tick.Label.Color = ink, ink, ink, ink
		sans(&a.Label.TextStyle.Font, s.points(10))
		sans(&a.Tick.Label.Font, s.points(9))
		a.Label.Padding = vg.Points(3)
		a.Padding = vg.Points(2)
	}
	p.X.Tick.Marker = linearTicks{}
}

func sans(f *font.Font, size font.Length) {
	f.Variant, f.Size = "Sans", vg.Points(float64(size))
}

// ticksAt labels given values.
func ticksAt(values []float64) plot.ConstantTicks {
	ticks := make(plot.ConstantTicks, len(values))
	for i, v := range values {
		ticks[i] = plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 4, 64)}
	}
	return ticks
}

// linearTicks labels about five round numbers.
type linearTicks struct{}

func (linearTicks) Ticks(lo, hi float64) []plot.Tick {
	if !(hi > lo) {
		return []plot.Tick{{Value: lo, Label: tickLabel(lo, math.Abs(lo)/10)}}
	}
	step := niceStep(hi/5 - lo/5)
	first, count := math.Ceil(lo/step-1e-9), math.Floor(hi/step+1e-9)-math.Ceil(lo/step-1e-9)
	if !(count >= 0 && count <= 10) || (first+1)*step == first*step { // too near each other for round numbers between them
		return []plot.Tick{{Value: lo, Label: tickLabel(lo, hi-lo)}, {Value: hi, Label: tickLabel(hi, hi-lo)}}
	}
	var ticks []plot.Tick
	for k := range int(count) + 1 {
		v := (first + float64(k)) * step
		ticks = append(ticks, plot.Tick{Value: v, Label: tickLabel(v, step)})
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

// logTicks labels an axis of decimal logarithms: powers of ten, with less than two decades 1, 2 and 5 times them, with less than one 3 and 7 times them,
// too, and with less than a factor of three round numbers. What lies between is marked, as long as there are few decades.
type logTicks struct{}

func (logTicks) Ticks(lo, hi float64) []plot.Tick {
	if hi-lo < math.Log10(3) {
		return logarithms{linearTicks{}}.Ticks(lo, hi)
	}
	from, to := math.Floor(lo), math.Ceil(hi)
	labelled := max(1, math.Ceil((to-from)/6)) // every so many decades
	marked := max(1, math.Ceil((to-from)/60))
	multiples := 1
	if hi-lo < 7 {
		multiples = 9
	}
	var ticks []plot.Tick
	for e := from; e <= to; e++ {
		label := math.Mod(e-from, labelled) == 0
		if !label && math.Mod(e-from, marked) != 0 {
			continue
		}
		for m := 1; m <= multiples; m++ {
			t := plot.Tick{Value: e + math.Log10(float64(m))}
			if t.Value < lo-1e-9 || t.Value > hi+1e-9 {
				continue
			}
			if label && slices.Contains(labelledMultiples(hi-lo), m) {
				t.Label = tickLabel(float64(m)*math.Pow(10, e), float64(m)*math.Pow(10, e))
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// labelledMultiples are those of a power of ten that get labels on so many decades.
func labelledMultiples(decades float64) []int {
	switch {
	case decades < 1:
		return []int{1, 2, 3, 5, 7}
	case decades < 2:
		return []int{1, 2, 5}
	}
	return []int{1}
}

// logarithms places a marker's ticks on an axis of decimal logarithms.
type logarithms struct{ plot.Ticker }

func (l logarithms) Ticks(lo, hi float64) []plot.Tick {
	ticks := slices.Clone(l.Ticker.Ticks(math.Pow(10, lo), math.Pow(10, hi)))
	for i := range ticks {
		ticks[i].Value = math.Log10(ticks[i].Value)
	}
	return ticks
}
