package report

import (
	"bytes"
	"encoding/csv"
	"math"
	"strconv"
	"strings"
)

// Data returns what a figure draws as CSV, a row a point: of a chart its pair of axes, by what y is, the curve, x and y, and the ends of its band; of a heatmap its
// panel, row and column, and the value. What is not measured is empty.
func Data(d Drawing) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.WriteAll(d.data()) // a bytes.Buffer takes all
	return out.Bytes()
}

// oneLine is a text of a figure, which may be broken there, in one line.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

// cellOf writes a number with all its digits, nothing for what is none.
func cellOf(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func (c *Chart) data() [][]string {
	rows := [][]string{{"axes", "series", "x_name", "x", "y", "low", "high"}}
	x := c.Axes[len(c.Axes)-1].X
	for _, a := range c.Axes {
		if a.X != "" {
			x = a.X
		}
		for _, s := range a.Series {
			for i := range s.X {
				row := []string{oneLine(a.Y), oneLine(s.Name), oneLine(x), cellOf(s.X[i]), cellOf(s.Y[i]), "", ""}
				if s.Low != nil {
					row[5] = cellOf(s.Low[i])
				}
				if s.High != nil {
					row[6] = cellOf(s.High[i])
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}

func (h *Heatmap) data() [][]string {
	rows := [][]string{{"panel", "row_name", "row", "column_name", "column", "value", "class"}}
	for _, p := range h.Panels {
		for r, values := range p.Values {
			for k, v := range values {
				class := ""
				if i := int(v); p.Classes != nil && i >= 0 && i < len(p.Classes) {
					class = p.Classes[i]
				}
				rows = append(rows, []string{oneLine(p.Title), oneLine(p.Y), p.Rows[r], oneLine(p.X), p.Columns[k], cellOf(v), class})
			}
		}
	}
	return rows
}
