package dataset

import (
	"strings"
	"testing"
)

func TestNumbersThatSinglePrecisionLacksAreNamedByColumn(t *testing.T) {
	for name, c := range map[string]struct {
		text                string
		standardized, given bool // inputs, targets
		want                string
	}{
		"an input":                       {"a,x,y\n0,1,1\n1,-1e40,2\n", false, false, `an input in column "x" is -1e+40, and infinite in float32; want standardize: true`},
		"a standardized input":           {"a,x,y\n0,1,1\n1,-1e40,2\n", true, false, ""},
		"a target":                       {"a,x,y\n0,1,1\n1,2,1e39\n", true, false, `a target in column "y" is 1e+39, and infinite in float32; want standardize_target: true`},
		"a standardized target":          {"a,x,y\n0,1,1\n1,2,1e39\n", true, true, ""},
		"the largest number that it has": {"a,x,y\n0,3.4028234e38,1\n1,2,3\n", false, false, ""},
		"a target whose square it lacks": {"a,x,y\n0,1,1\n1,2,-1e30\n", true, false,
			`a target in column "y" is -1e+30, and its square, as the loss has it, infinite in float32; want standardize_target: true, dtype float64, or`},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole(tableOf(t, c.text), "y")
			s.Task, s.Standardize, s.StandardizeTarget = TaskRegression, c.standardized, c.given
			d, err := Load(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if err := Representable[float64](d); err != nil {
				t.Errorf("in float64: %v", err)
			}
			err = Representable[float32](d)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

func TestNumbersWhoseSquaresNoTypeHasAreNamedByColumn(t *testing.T) {
	s := whole(tableOf(t, "a,x,y\n0,1e200,1\n1,-1e20,-3e199\n"), "y")
	s.Task, s.Standardize = TaskRegression, false
	d, err := Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	want := `a target in column "y" is -3e+199, and its square, as the loss has it, infinite in float64; want standardize_target: true, or smaller numbers`
	if err := Representable[float64](d); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	want = `an input in column "x" is 1e+200, and its square, as second derivatives have it, infinite in float64: `
	if got := NoteOnSquares[float64](d); !strings.HasPrefix(got, want) || strings.Contains(got, "dtype") {
		t.Errorf("%s, want %s", got, want)
	}
	s = whole(tableOf(t, "a,x,y\n0,1e18,1\n1,-1e20,3\n"), "y")
	s.Task, s.Standardize = TaskRegression, false
	if d, err = Load(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := NoteOnSquares[float64](d); got != "" {
		t.Errorf("in float64: %s", got)
	}
	if got := NoteOnSquares[float32](d); !strings.Contains(got, `"x" is -1e+20, and`) || !strings.Contains(got, "standardize: true, dtype float64, or") {
		t.Errorf("in float32: %s", got)
	}
}
