package report

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/encoding/charmap"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// pdfText writes texts into a PDF as its fonts are read there, by Windows' code page 1252: gonum hands the bytes of UTF-8 on, of which a letter beyond ASCII has
// two. What the code page lacks is drawn by its outline, which looks the same but cannot be searched for.
type pdfText struct{ vg.CanvasWriterTo }

// FillString implements vg.Canvas.
func (c pdfText) FillString(f font.Face, at vg.Point, text string) {
	for text != "" {
		known, rest := western(text)
		if known != "" {
			c.CanvasWriterTo.FillString(f, at, known)
			at.X += f.Width(text[:len(text)-len(rest)])
		}
		if rest == "" {
			return
		}
		_, n := utf8.DecodeRuneInString(rest)
		c.outline(f, at, rest[:n])
		at.X += f.Width(rest[:n])
		text = rest[n:]
	}
}

// western returns the longest beginning of a text that the code page has, as its bytes, and what of the text is left.
func western(text string) (known, rest string) {
	var b strings.Builder
	for i, r := range text {
		c, ok := charmap.Windows1252.EncodeRune(r)
		if !ok {
			return b.String(), text[i:]
		}
		b.WriteByte(c)
	}
	return b.String(), ""
}

// outline fills the outline of one letter.
func (c pdfText) outline(f font.Face, at vg.Point, letter string) {
	r, _ := utf8.DecodeRuneInString(letter)
	var buffer sfnt.Buffer
	i, err := f.Face.GlyphIndex(&buffer, r) // 0, a box, where the font lacks it
	if err != nil {
		return
	}
	const perEm = 1 << 10
	segments, err := f.Face.LoadGlyph(&buffer, i, fixed.I(perEm), nil)
	if err != nil {
		return
	}
	scale := f.Font.Size / perEm
	point := func(p fixed.Point26_6) vg.Point {
		return vg.Point{X: at.X + scale*vg.Length(p.X)/64, Y: at.Y - scale*vg.Length(p.Y)/64}
	}
	var path vg.Path
	for _, s := range segments {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			path.Move(point(s.Args[0]))
		case sfnt.SegmentOpLineTo:
			path.Line(point(s.Args[0]))
		case sfnt.SegmentOpQuadTo:
			path.QuadTo(point(s.Args[0]), point(s.Args[1]))
		case sfnt.SegmentOpCubeTo:
			path.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
		}
	}
	path.Close()
	c.Fill(path)
}
