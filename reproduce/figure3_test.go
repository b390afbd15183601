package reproduce

import (
	"slices"
	"testing"
)

// The sizes behind a verdict about rounding stand beside it.
func TestFigure3SaysHowFarOrder2IsInEachPrecision(t *testing.T) {
	r, err := Find("figure-3")
	if err != nil {
		t.Fatal(err)
	}
	made := recorded(t, r, decaying, hilly)
	for _, one := range made[0] {
		far := map[string]float64{"iteration-1.largest": 1e-6, "iteration-2.largest": 1e-9}
		if one.Run.Value("dtype") == "float32" {
			far["iteration-2.largest"] = 1e-8
		}
		addColumns(one.History, far)
	}
	found, err := r.reach(t.Context(), Laptop, made)
	if err != nil {
		t.Fatal(err)
	}
	if want := "At lr 1e-07 the distance of order 2 is 1e-08 in float32 and 1e-09 in float64; the paper's plateau is 2.98e-07."; !slices.Contains(found.Notes, want) {
		t.Errorf("notes %q, want %q", found.Notes, want)
	}
}
