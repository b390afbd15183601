package report

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"io"
	"log"
	"os"
	"path/filepath"
	"shadowflow/internal/atomicfile"
	"slices"
	"strings"
	"sync"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A Drawing is a figure of a document: a [Chart] or a [Heatmap].
type Drawing interface {
	// Label returns the name of the figure's files, its title, and what is to be seen in it.
	Label() Label
	// size returns width and height.
	size(s Style) (width, height vg.Length)
	// draw draws on a canvas of that size.
	draw(c draw.Canvas, s Style) error
	// data is what it draws as a table; see [Data].
	data() [][]string
}

// A Label names a figure and says what is to be seen in it.
type Label struct {
	Name, Title, Caption string
}

var (
	_ Drawing = (*Chart)(nil)
	_ Drawing = (*Heatmap)(nil)
)

// formats are those that figures are drawn in.
var formats = []string{"png", "svg", "pdf"}

// Render draws a figure as png, svg or pdf.
func Render(d Drawing, format string, style Style) ([]byte, error) {
	width, height := d.size(style)
	canvas, err := draw.NewFormattedCanvas(width, height, format)
	if err != nil {
		return nil, err
	}
	switch {
	case format == "pdf":
		canvas = pdfText{canvas}
	case format == "svg" && style == PaperStyle: // a page names other fonts to fall back on
		canvas = vgsvg.NewWith(vgsvg.UseWH(width, height), vgsvg.EmbedFonts(true))
	}
	whole := draw.New(canvas)
	whole.SetColor(paper)
	whole.Fill(whole.Rectangle.Path())
	if err := d.draw(whole, style); err != nil {
		return nil, fmt.Errorf("figure %s: %w", d.Label().Name, err)
	}
	var out bytes.Buffer
	_, err = canvas.WriteTo(&out)
	return out.Bytes(), err
}

// DataPath returns where SaveWithData puts what the figure in a file draws: it is another for each format, so that one does not stand in the way of the next.
func DataPath(file string) string { return file + ".csv" }

// SaveWithData draws a figure into a file, as Save does, and writes what it draws beside it; see [Data].
func SaveWithData(d Drawing, file string, style Style) error {
	if err := Save(d, file, style); err != nil {
		return err
	}
	return atomicfile.WriteBytes(DataPath(file), Data(d))
}

// Save draws a figure into a file, whose name says by .png, .svg or .pdf in which format. A file of that name is replaced.
func Save(d Drawing, file string, style Style) error {
	if err := CanSave(file); err != nil {
		return err
	}
	data, err := renderIn(filepath.Dir(file), d, formatOf(file), style)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return atomicfile.WriteBytes(file, data)
}

// CanSave says what stands in the way of a figure in a file of this name: another format, or a folder that is not there. It may be asked before
// there is a figure.
func CanSave(file string) error {
	if !slices.Contains(formats, formatOf(file)) {
		return fmt.Errorf("%s: want a file ending in .png, .svg or .pdf", file)
	}
	folder := filepath.Dir(file)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("%s: there is no folder %s", file, folder)
	}
	return nil
}

func formatOf(file string) string {
	return strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), ".")
}

// temporary guards the log of the standard library and the environment, where the writer of PDF reads in which folder it may put the fonts that it takes apart.
var temporary sync.Mutex

// renderIn draws a figure, with temporary files in a folder if there are any: those of the system may be missing or full, and what is
// aside of a file belongs beside it.
func renderIn(folder string, d Drawing, format string, style Style) (data []byte, err error) {
	if format != "pdf" {
		return Render(d, format, style)
	}
	aside, remove, err := atomicfile.Folder(folder)
	if err != nil {
		return nil, err
	}
	temporary.Lock()
	defer temporary.Unlock()
	for _, name := range []string{"TMPDIR", "TMP"} { // the latter for Windows
		before, set := os.LookupEnv(name)
		if err := os.Setenv(name, aside); err != nil {
			return nil, err
		}
		defer func() {
			if !set {
				err = errors.Join(err, os.Unsetenv(name))
				return
			}
			err = errors.Join(err, os.Setenv(name, before))
		}()
	}
	defer func() { err = errors.Join(err, remove()) }()
	defer log.SetOutput(log.Writer()) // to which the writer of PDF says what it then panics with
	log.SetOutput(io.Discard)
	defer func() {
		if fault := recover(); fault != nil { // its only way to say that a disk is full
			err = fmt.Errorf("writing PDF: %v", fault)
		}
	}()
	return Render(d, format, style)
}

// shadeOf returns the colour of a number, the same in all figures.
func shadeOf(i int) color.RGBA { return palette[i%len(palette)] }

// glyphs are the marks of series, told apart without colours.
var glyphs = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.PlusGlyph{},
}

// dashes are the strokes of lines, told apart without colours.
var dashes = [][]vg.Length{
	nil, {vg.Points(6), vg.Points(3)}, {vg.Points(2), vg.Points(2)}, {vg.Points(8), vg.Points(2), vg.Points(2), vg.Points(2)},
}
