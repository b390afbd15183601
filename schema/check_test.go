package schema

import (
	"math"
	"strings"
	"testing"
)

func TestAKeyTakesValuesOfItsTypeWithinItsRange(t *testing.T) {
	unit := ParseInterval("[0,1)")
	for _, c := range []struct {
		name  string
		key   Key
		value any
		want  string // what the error says; empty: none
	}{
		{"a number", Key{Name: "x", Type: Number}, 1.5, ""},
		{"a number that is not finite", Key{Name: "x", Type: Number}, math.NaN(), "x = NaN: want a number"},
		{"an infinite number", Key{Name: "x", Type: Number}, math.Inf(1), "want a number"},
		{"a number on a closed end", Key{Name: "x", Type: Number, Range: unit}, 0.0, ""},
		{"a number on an open end", Key{Name: "x", Type: Number, Range: unit}, 1.0, "want a number, at least 0 and below 1"},
		{"a whole number for a number", Key{Name: "x", Type: Number}, 1, "want a number"},
		{"a whole number", Key{Name: "n", Type: Whole, Range: ParseInterval("[1,9]")}, 9, ""},
		{"a whole number out of range", Key{Name: "n", Type: Whole, Range: ParseInterval("[1,9]")}, 10, "n = 10: want a whole number, at least 1 and at most 9"},
		{"a seed", Key{Name: "s", Type: Seed}, uint64(1 << 63), ""},
		{"a flag", Key{Name: "b", Type: Flag}, true, ""},
		{"text for a flag", Key{Name: "b", Type: Flag}, "yes", "want true or false"},
		{"a known word", Key{Name: "w", Type: Text, Words: []string{"a", "b"}}, "b", ""},
		{"an unknown word", Key{Name: "w", Type: Text, Words: []string{"a", "b"}}, "c", "w = c: want one of a, b"},
		{"any text", Key{Name: "w", Type: Text}, "c", ""},
		{"numbers", Key{Name: "l", Type: Numbers}, []float64{1, 2}, ""},
		{"numbers of which one is out of range", Key{Name: "l", Type: Numbers, Range: unit}, []float64{0, 2}, "want a list of numbers, each at least 0 and below 1"},
		{"whole numbers", Key{Name: "l", Type: Wholes}, []int{1, 2}, ""},
		{"pairs", Key{Name: "p", Type: Pairs}, [][2]float64{{1, 2}}, ""},
		{"a pair with an infinite number", Key{Name: "p", Type: Pairs}, [][2]float64{{1, math.Inf(-1)}}, "want a list of pairs"},
		{"nothing", Key{Name: "x", Type: Number}, nil, "want a number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			switch err := c.key.Check(c.value); {
			case err == nil && c.want != "":
				t.Errorf("no error, want one that says %q", c.want)
			case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
