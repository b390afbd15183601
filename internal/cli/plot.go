package cli

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"shadowflow/internal/atomicfile"
	"shadowflow/modeq/verify"
)

// palette is that of Okabe and Ito, told apart by the colour-blind.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff},
	color.RGBA{0x44, 0x44, 0x44, 0xff},
}

var shapes = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{},
}

// plotVerify draws errors against step sizes, both logarithmic, each order with the slope it should have.
func plotVerify(file string, r *verify.Result, optimizer, loss string) error {
	switch ext := strings.ToLower(filepath.Ext(file)); ext {
	case ".png", ".svg", ".pdf":
	default:
		return fmt.Errorf("--plot %s: want a file ending in .png, .svg or .pdf", file)
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
		return fmt.Errorf("--plot %s: there is no folder %s", file, filepath.Dir(file))
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s on %s: distance from iterates to modified equations", optimizer, loss)
	p.Title.Padding, p.Title.TextStyle.Font.Size = vg.Points(8), font.Points(13)
	p.X.Label.Text = "step size lr"
	p.Y.Label.Text = "largest distance of a coordinate"
	// Logarithms are drawn on linear axes: on gonum's logarithmic axis a centred label is given room at the wrong place.
	p.X.Tick.Marker, p.Y.Tick.Marker = stepSizeTicks(r.LR), decadeTicks{}
	p.X.Padding, p.Y.Padding = vg.Points(6), vg.Points(6)
	p.Legend.Padding = vg.Points(2)
	p.Legend.TextStyle.Font.Size = font.Points(10)
	p.Legend.YPosition = draw.PosCenter
	var reference *plotter.Line
	for i, o := range r.Orders {
		dashed, err := addOrder(p, i, o, r.LR)
		if err != nil {
			return fmt.Errorf("--plot %s: %w", file, err)
		}
		if dashed != nil {
			reference = dashed
		}
	}
	if reference == nil {
		return errors.New("--plot: every error is 0, which has no logarithm")
	}
	p.Legend.Add("slope = order", reference)
	p.Y.Min, p.Y.Max = math.Floor(p.Y.Min), math.Ceil(p.Y.Max)
	return save(p, file)
}

// addOrder adds an order's errors, and through the last of them a dashed line with the order as its slope, which it returns.
func addOrder(p *plot.Plot, i int, o verify.OrderResult, lr []float64) (*plotter.Line, error) {
	var points plotter.XYs
	for k, e := range o.Errors {
		if e > 0 && !math.IsInf(e, 1) {
			points = append(points, plotter.XY{X: math.Log10(lr[k]), Y: math.Log10(e)})
		}
	}
	if len(points) == 0 {
		return nil, nil
	}
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = palette[i%len(palette)], vg.Points(1.5)
	marks.Color, marks.Shape, marks.Radius = line.Color, shapes[i%len(shapes)], vg.Points(3.5)
	last := points[len(points)-1]
	var reference plotter.XYs
	for _, q := range points {
		reference = append(reference, plotter.XY{X: q.X, Y: last.Y + float64(o.Order)*(q.X-last.X)})
	}
	dashed, err := plotter.NewLine(reference)
	if err != nil {
		return nil, err
	}
	dashed.Color, dashed.Width = color.Gray{0x60}, vg.Points(1)
	dashed.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(line, marks, dashed)
	p.Legend.Add(fmt.Sprintf("order %d", o.Order), line, marks)
	return dashed, nil
}

// save draws the plot with its legend in a column of its own at the right.
func save(p *plot.Plot, file string) error {
	const width, height, column = 6.4 * vg.Inch, 4.8 * vg.Inch, 1.3 * vg.Inch
	canvas, err := draw.NewFormattedCanvas(width, height, strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), "."))
	if err != nil {
		return fmt.Errorf("--plot %s: %w", file, err)
	}
	whole := draw.New(canvas)
	legend := p.Legend
	legend.Left, legend.Top = true, true
	p.Legend = plot.NewLegend()
	margin := vg.Points(8)
	p.Draw(draw.Crop(whole, margin, -column, margin, -margin))
	legend.Draw(draw.Crop(whole, width-column+margin, 0, 0, -vg.Points(36)))
	err = atomicfile.Write(file, func(w io.Writer) error {
		_, err := canvas.WriteTo(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("--plot: %w", err)
	}
	return nil
}

// stepSizeTicks labels the step sizes themselves on an axis of decimal logarithms.
type stepSizeTicks []float64

func (s stepSizeTicks) Ticks(_, _ float64) []plot.Tick {
	var ticks []plot.Tick
	for _, lr := range s {
		ticks = append(ticks, plot.Tick{Value: math.Log10(lr), Label: fmt.Sprintf("%.4g", lr)})
	}
	return ticks
}

// decadeTicks labels powers of ten, at most about eight of them, on an axis of decimal logarithms.
type decadeTicks struct{}

func (decadeTicks) Ticks(lo, hi float64) []plot.Tick {
	every := math.Ceil((hi - lo) / 8)
	var ticks []plot.Tick
	for e := math.Ceil(lo); e <= hi; e++ {
		t := plot.Tick{Value: e}
		if math.Mod(e-math.Ceil(lo), every) == 0 {
			t.Label = fmt.Sprintf("1e%+03.0f", e)
		}
		ticks = append(ticks, t)
	}
	return ticks
}
