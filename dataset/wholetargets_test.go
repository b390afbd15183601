package dataset

import (
	"fmt"
	"strings"
	"testing"
)

func TestTargetsThatLookLikeClassesAreNoticed(t *testing.T) {
	several := func(times int, y ...float64) (out []float64) {
		for range times {
			out = append(out, y...)
		}
		return out
	}
	for _, c := range []struct {
		name string
		y    []float64
		task string
		want string
	}{
		{"digits", several(5, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), "", "whole numbers 0 to 9 alone"},
		{"counted from 1", several(9, 3, 1, 2), TaskAuto, "whole numbers 1 to 3 alone"},
		{"two", several(5, 0, 1), "", "whole numbers 0 to 1 alone"},
		{"said to be numbers", several(9, 0, 1), TaskRegression, ""},
		{"few examples", several(4, 0, 1), "", ""},
		{"one number", several(9, 1), "", ""},
		{"a gap, as counts have", several(9, 0, 1, 3), "", ""},
		{"from 3 on, as years have", several(9, 3, 4, 5), "", ""},
		{"a half among them", append(several(9, 0, 1, 2), 0.5), "", ""},
		{"below 0", several(9, -1, 0, 1), "", ""},
		{"many, as ages are", several(9, countUp(mostWholeTargets+1)...), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := len(c.y)
			path := archive(t, map[string][]byte{"X.npy": npyOf("|u1", fmt.Sprintf("(%d, 1)", n), make([]byte, n)), "y.npy": npyOf("<f8", fmt.Sprintf("(%d,)", n), floatsOf(c.y...))})
			d, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path, Task: c.task, StandardizeTarget: true})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(d.NoteOnTargets, c.want) || (d.NoteOnTargets == "") != (c.want == "") {
				t.Errorf("note %q, want %q", d.NoteOnTargets, c.want)
			}
			table := whole(tableOf(t, "x,y\n0,"+strings.ReplaceAll(strings.Trim(fmt.Sprint(c.y), "[]"), " ", "\n0,")+"\n"), "y")
			table.Task = c.task
			if d, err = Load(t.Context(), table); err != nil {
				t.Fatal(err)
			}
			if (d.NoteOnTargets == "") != (c.want == "") || c.want != "" && !strings.HasPrefix(d.NoteOnTargets, `the column "y" holds the `+c.want) {
				t.Errorf("note on a table %q, want %q", d.NoteOnTargets, c.want)
			}
		})
	}
}
