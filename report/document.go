package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shadowflow/internal/atomicfile"
)

// A Document is a page about several runs: what was asked, what was done, what came of it, and how to do it again.
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
	// Sources are the sweep files, by name.
	Sources []Source
}

// A Table has a row of names and rows of texts.
type Table struct {
	Caption string
	Header  []string
	Rows    [][]string
}

// A Source is a file shown on the page.
type Source struct{ Name, Text string }

//go:embed document.html
var documentSource string

// documentPage is the name of the page in its directory.
const documentPage = "index.html"

// Write draws the figures of a document as PNG, SVG and PDF into the folder figures of dir, and writes the page index.html, which
// needs nothing beside itself. It returns the page's path.
func (d *Document) Write(dir string) (page string, err error) {
	figures := filepath.Join(dir, figuresDir)
	if err := os.MkdirAll(figures, 0o755); err != nil {
		return "", err
	}
	if err := atomicfile.Sweep(figures, time.Minute); err != nil {
		return "", err
	}
	for _, f := range d.Figures {
		for _, format := range []string{"png", "svg", "pdf"} {
			data, err := Render(f, format)
			if err != nil {
				return "", err
			}
			if err := atomicfile.WriteBytes(filepath.Join(figures, f.Label().Name+"."+format), data); err != nil {
				return "", err
			}
		}
	}
	text, err := d.Page()
	if err != nil {
		return "", err
	}
	page = filepath.Join(dir, documentPage)
	return page, atomicfile.WriteBytes(page, text)
}

// Page returns the document as one HTML page with its figures in it.
func (d *Document) Page() ([]byte, error) {
	type drawing struct {
		Label
		SVG template.HTML
	}
	page := struct {
		*Document
		Style    template.CSS
		Drawings []drawing
	}{Document: d, Style: pageStyle()}
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
	svg, err := Render(f, "svg")
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

// pageStyle returns the style that all pages share, which is that of a run's page.
func pageStyle() template.CSS {
	_, rest, _ := strings.Cut(pageSource, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	return template.CSS(style)
}
