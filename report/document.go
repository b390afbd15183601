package report

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"shadowflow/internal/atomicfile"
)

// A Document is a page about a run or several: what was asked, what was done, what came of it, and how to do it again. What is empty
// is left out.
type Document struct {
	Title string
	// Claim is what was asked, Design what was done to answer it.
	Claim, Design string
	// Verdict is the answer in a word, Findings the sentences with the numbers behind it.
	Verdict  string
	Findings []string
	Figures  []Drawing
	Tables   []Table
	// Commands do it all again.
	Commands []string
	// Sources are the files that say what was done, by name.
	Sources []Source
	// Style, if it is PaperStyle, has each figure drawn for a paper too, as PDF and SVG whose names end in -paper.
	Style Style
	// Made says which program made it.
	Made string
}

// A Table has a row of names, unless there are none, and rows of texts.
type Table struct {
	Caption string
	Header  []string
	Rows    [][]string
}

// A Source is a file shown on the page.
type Source struct{ Name, Text string }

//go:embed document.html
var documentSource string

// Names of files in a document's directory.
const (
	FiguresDir   = "figures"
	documentPage = "index.html"
)

// Write draws the figures of a document as PNG, SVG and PDF into the folder figures of dir, with what they draw as CSV beside them, and writes the page index.html, which
// needs nothing beside itself. It returns the page's path. An error of ctx ends it between two figures.
func (d *Document) Write(ctx context.Context, dir string) (page string, err error) {
	return d.write(ctx, dir, documentPage)
}

// PagePaths returns the page that a document's Write writes, and the folder of its figures.
func PagePaths(dir string) []string {
	return []string{filepath.Join(dir, documentPage), filepath.Join(dir, FiguresDir)}
}

func (d *Document) write(ctx context.Context, dir, name string) (page string, err error) {
	if d, err = d.WriteFigures(ctx, filepath.Join(dir, FiguresDir)); err != nil {
		return "", err
	}
	text, err := d.Page()
	if err != nil {
		return "", err
	}
	page = filepath.Join(dir, name)
	return page, atomicfile.WriteBytes(page, text)
}

// WriteFigures draws the figures of a document into a folder, as Write does, and returns the document without those that have nothing to draw, of which it says so.
func (d *Document) WriteFigures(ctx context.Context, folder string) (*Document, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	if err := atomicfile.Sweep(folder, time.Minute); err != nil {
		return nil, err
	}
	drawn := *d
	drawn.Figures = nil
	for _, f := range d.Figures {
		err := saveAll(ctx, f, folder, d.Style)
		if errors.Is(err, errNothing) {
			drawn.Findings = append(slices.Clip(drawn.Findings), fmt.Sprintf("Of the figure %q %v.", f.Label().Title, errNothing))
			continue
		}
		if err != nil {
			return nil, err
		}
		drawn.Figures = append(drawn.Figures, f)
	}
	return &drawn, nil
}

// saveAll draws a figure in each format, and writes what it draws beside it.
func saveAll(ctx context.Context, f Drawing, dir string, style Style) error {
	for _, format := range formats {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := Save(f, filepath.Join(dir, f.Label().Name+"."+format), PageStyle); err != nil {
			return err
		}
	}
	if style == PaperStyle {
		for _, format := range []string{"pdf", "svg"} {
			if err := Save(f, filepath.Join(dir, f.Label().Name+"-paper."+format), style); err != nil {
				return err
			}
		}
	}
	return atomicfile.WriteBytes(filepath.Join(dir, f.Label().Name+".csv"), Data(f))
}

// Page returns the document as one HTML page with its figures in it.
func (d *Document) Page() ([]byte, error) {
	type drawing struct {
		Label
		SVG template.HTML
	}
	page := struct {
		*Document
		Drawings []drawing
	}{Document: d}
	for _, f := range d.Figures {
		svg, err := Inline(f)
		if err != nil {
			return nil, err
		}
		page.Drawings = append(page.Drawings, drawing{f.Label(), svg})
	}
	parsed, err := template.New("document").Parse(documentSource)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, page)
	return out.Bytes(), err
}

// Inline returns a figure as SVG to be put into a page, in the colours of the reader's theme.
func Inline(f Drawing) (template.HTML, error) {
	svg, err := Render(f, "svg", PageStyle)
	if err != nil {
		return "", err
	}
	_, body, ok := bytes.Cut(svg, []byte("<svg"))
	if !ok {
		return "", fmt.Errorf("figure %s: no svg was drawn", f.Label().Name)
	}
	// What is inlined was drawn here; texts of others were escaped when they were drawn.
	return template.HTML(themed().Replace("<svg" + string(body))), nil
}

// themed maps the colours of figures to the page's variables, which depend on the reader's theme, and gives their font, which a
// reader may lack, others to fall back on.
func themed() *strings.Replacer {
	pairs := []string{"font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif"}
	add := func(c color.RGBA, name string) {
		pairs = append(pairs, fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B), "var(--"+name+")")
	}
	add(ink, "ink")
	add(grid, "grid")
	add(paper, "paper")
	for i, c := range palette[:themedShades] {
		add(c, fmt.Sprintf("c%d", i))
	}
	return strings.NewReplacer(pairs...)
}
