package report

import (
	"os"
	"path/filepath"
	"time"

	"shadowflow/internal/atomicfile"
)

// The names of what Write makes in a run directory.
const (
	figuresDir = "figures"
	pageFile   = "report.html"
)

// Write draws every figure as PNG, SVG and PDF into the folder figures of the run directory, and writes the page report.html,
// whose path it returns.
func (r *Report) Write() (page string, err error) {
	dir := filepath.Join(r.Dir, figuresDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := atomicfile.Sweep(dir, time.Minute); err != nil {
		return "", err
	}
	for _, f := range r.Figures() {
		for _, format := range []string{"png", "svg", "pdf"} {
			data, err := Render(f, format)
			if err != nil {
				return "", err
			}
			if err := atomicfile.WriteBytes(filepath.Join(dir, f.Label().Name+"."+format), data); err != nil {
				return "", err
			}
		}
	}
	text, err := r.Page()
	if err != nil {
		return "", err
	}
	page = filepath.Join(r.Dir, pageFile)
	return page, atomicfile.WriteBytes(page, text)
}
