package run

import (
	"math"
	"strings"
	"testing"
)

func TestStepSizesAreComparedAtOneTime(t *testing.T) {
	for name, c := range map[string]struct {
		lr           []float64
		time, want   float64
		steps        []int
		note, refuse string
	}{
		"whole steps of each":              {[]float64{0.02, 0.01}, 0.2, 0.2, []int{10, 20}, "", ""},
		"a common multiple is near":        {[]float64{0.15, 0.1}, 0.2, 0.3, []int{2, 3}, "time 0.3 in the place of 0.2", ""},
		"half a step of the largest":       {[]float64{0.4, 0.2}, 0.2, 0.4, []int{1, 2}, "time 0.4 in the place of 0.2", ""},
		"nearer from below":                {[]float64{0.03, 0.02}, 0.07, 0.06, []int{2, 3}, "time 0.06 in the place of 0.07", ""},
		"one lr":                           {[]float64{0.03}, 0.07, 0.06, []int{2}, "time 0.06", ""},
		"none, but times are all but one":  {[]float64{0.00101, 0.00070013}, 0.3, 0.3, []int{297, 428}, "up to 0.1", ""},
		"none, and times differ very much": {[]float64{0.02, 0.013, 0.0071}, 0.2, 0, nil, "", "no time from half to twice that"},
	} {
		t.Run(name, func(t *testing.T) {
			p := referenceProblem(t)
			v, err := Verify(t.Context(), p, VerifyOptions{Orders: []int{1}, LR: c.lr, Time: c.time, Start: Cold})
			if c.refuse != "" {
				if err == nil || !strings.Contains(err.Error(), c.refuse) {
					t.Fatalf("error %v, want %q", err, c.refuse)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(v.Notes, " ")
			if (c.note == "") != (notes == "") || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
			for i, lr := range c.lr {
				if v.Steps[i] != c.steps[i] || math.Abs(float64(v.Steps[i])*lr-c.want) > 0.01*c.want {
					t.Errorf("lr %g takes %d steps, want %d to the time %g", lr, v.Steps[i], c.steps[i], c.want)
				}
			}
		})
	}
}
