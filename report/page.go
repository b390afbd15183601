package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"image/color"
	"path/filepath"
	"strings"
)

//go:embed page.html
var pageSource string

// themed maps the colours of figures to the page's variables, which depend on the reader's theme, and gives their font, which a
// reader may lack, others to fall back on.
func themed() *strings.Replacer {
	var pairs []string
	add := func(c color.RGBA, name string) {
		pairs = append(pairs, fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B), "var(--"+name+")")
	}
	pairs = append(pairs, "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	add(ink, "ink")
	add(grid, "grid")
	add(paper, "paper")
	for i, c := range palette {
		add(c, fmt.Sprintf("c%d", i))
	}
	return strings.NewReplacer(pairs...)
}

// Page returns one HTML page with figures, sentences and the config, which needs nothing beside itself.
func (r *Report) Page() ([]byte, error) {
	type drawing struct {
		Label
		SVG template.HTML
	}
	page := struct {
		Title     string
		Sentences []string
		Figures   []drawing
		Config    string
		Costs     []string
	}{
		Title:     "shadowflow: " + filepath.Base(r.Dir),
		Sentences: r.Sentences(),
		Config:    string(r.Config.YAML()),
	}
	for _, f := range r.Figures() {
		svg, err := Inline(f)
		if err != nil {
			return nil, err
		}
		page.Figures = append(page.Figures, drawing{f.Label(), svg})
	}
	if r.Result != nil {
		for _, c := range r.Result.Costs {
			page.Costs = append(page.Costs, c.String())
		}
	}
	parsed, err := template.New("page").Parse(pageSource)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, page)
	return out.Bytes(), err
}
