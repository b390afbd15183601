package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFiguresForAPaperHaveItsColumnsWidthEmbeddedFontsAndNoTitle(t *testing.T) {
	r := read(t, runDir(t))
	if _, err := r.Write(t.Context(), PaperStyle); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Figures() {
		label := f.Label()
		base := filepath.Join(r.Dir, FiguresDir, label.Name)
		pdf, err := os.ReadFile(base + "-paper.pdf")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(pdf, []byte("/FontFile")) {
			t.Errorf("%s: no font is in the PDF", label.Name)
		}
		if !bytes.Contains(pdf, []byte("/MediaBox [0 0 234.00 ")) { // 3.25 inches of 72 points
			t.Errorf("%s: the PDF is not a column wide", label.Name)
		}
		svg, err := os.ReadFile(base + "-paper.svg")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(svg, []byte("@font-face")) {
			t.Errorf("%s: no font is in the SVG", label.Name)
		}
		if strings.Contains(string(svg), label.Title) {
			t.Errorf("%s: the title is drawn, which a caption says", label.Name)
		}
		for i, part := range strings.Split(string(svg), "font-size:")[1:] {
			if size, _, _ := strings.Cut(part, "px"); size != "8" && size != "10" {
				t.Errorf("%s: text %d of %s points", label.Name, i, size)
				break
			}
		}
		if _, err := os.Stat(base + ".png"); err != nil {
			t.Error(err)
		}
	}
}
