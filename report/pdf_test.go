package report

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"
	"testing"
)

// contents are the streams of a PDF that can be read, one behind the other.
func contents(t *testing.T, pdf []byte) string {
	t.Helper()
	var out strings.Builder
	for _, part := range bytes.Split(pdf, []byte("\nstream\n"))[1:] {
		r, err := zlib.NewReader(bytes.NewReader(part))
		if err != nil {
			continue // it is not compressed
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	return out.String()
}

func TestLettersOfAPDFAreThoseOfItsFont(t *testing.T) {
	draw := func(label string) string {
		c := exampleChart()
		c.Axes[0].X = label
		pdf, err := Render(c, "pdf", PaperStyle)
		if err != nil {
			t.Fatal(err)
		}
		return contents(t, pdf)
	}
	sides := func(text string) int { return strings.Count(draw(text), " l\n") }
	for _, c := range []struct {
		name, label, want string
		outlined          bool
	}{
		{"of the code page", "theta² ± 1", "(theta\xb2 \xb1 1)", false},
		{"of none", "trace Σ of all", "(trace )", true},
		{"behind what is of none", "trace Σ of all", "( of all)", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := draw(c.label)
			if !strings.Contains(got, c.want) || strings.Contains(got, "\xc2\xb2") {
				t.Errorf("the text %q is not drawn as %q", c.label, c.want)
			}
			if outlined := sides(c.label) > sides("plain")+5; outlined != c.outlined { // Σ has more
				t.Errorf("a letter is drawn by its outline: %v", outlined)
			}
		})
	}
}
