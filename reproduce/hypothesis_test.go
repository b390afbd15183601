package reproduce

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestHolmsCorrectionDecidesNoMoreThanItMay(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []evidence
		want  []float64
	}{
		{"one test is as it is", []evidence{{0.04, 0.9}}, []float64{0.04}},
		{"two are doubled", []evidence{{0.04, 0.9}, {0.5, 0.5}}, []float64{0.08, 0.5}},
		{"what is decided leaves the level to the rest", []evidence{{0.04, 0.9}, {0.9, 0.01}}, []float64{0.04, 0.02}},
		{"none is below one before it", []evidence{{0.02, 1}, {0.021, 1}, {0.022, 1}}, []float64{0.06, 0.06, 0.06}},
		{"no number decides nothing", []evidence{{math.NaN(), math.NaN()}}, []float64{1}},
		{"nothing", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := holm(c.parts)
			same := slices.EqualFunc(got, c.want, func(a, b float64) bool { return near(a, b, 1e-12) })
			if !same {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestAHypothesisIsDecidedByItsSeeds(t *testing.T) {
	nan := math.NaN()
	rising, mixed := []float64{1, 2, 3, 4, 5}, []float64{2, 1, 3, 4, 5}
	falling := []float64{5, 4, 3, 2, 1}
	trend := Hypothesis{Test: Trend, Direction: Up, Least: 0.2}
	mean := Hypothesis{Test: Mean, Direction: Down}
	for _, c := range []struct {
		name   string
		h      Hypothesis
		rows   [][]float64
		want   Outcome
		effect float64
	}{
		{"a rise", trend, [][]float64{rising, rising, mixed}, Supported, (1 + 1 + 0.8) / 3},
		{"a fall against a rise", trend, [][]float64{falling, falling, falling}, Against, -1},
		{"a seed that lacks a number does not count", trend, [][]float64{rising, rising, rising, {1, 2, nan, 4, 5}}, Supported, 1},
		// A single seed, however many values it has, knows nothing of others.
		{"one seed", trend, [][]float64{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, Undecided, 1},
		{"seeds whose ranks are all the same, and whose sizes are not", trend, [][]float64{{1, 2, 3}, {1, 2, 3.5}, {1, 2, 2.8}, {1, 2, 3.1}}, Supported, 1},
		{"seeds that are all the same", trend, [][]float64{{1, 2, 3}, {1, 2, 3}, {1, 2, 3}}, Supported, 1},
		{"two seeds that are the same", trend, [][]float64{{1, 2, 3}, {1, 2, 3}}, Undecided, 1},
		{"seeds that are all without a change", trend, [][]float64{{2, 2, 2}, {2, 2, 2}, {2, 2, 2}}, Undecided, 0},
		{"two seeds that agree, in sizes far apart", trend, [][]float64{{1, 2, 3}, {1, 20, 300}}, Undecided, 1},
		{"seeds that disagree", trend, [][]float64{rising, falling, rising}, Undecided, 1.0 / 3},
		{"ranks that agree where sizes do not", trend, [][]float64{rising, rising, {2, 3, 4, 5, 1}, rising, rising, {9, 10, 11, 12, 0}}, Undecided, (4 + 0.2 + 0.2) / 6},
		{"less than the least effect", Hypothesis{Test: Trend, Direction: Up, Least: 0.95}, [][]float64{rising, rising, mixed}, Undecided, (1 + 1 + 0.8) / 3},
		{"a negative mean", mean, [][]float64{{-1}, {-1.1}, {-0.9}, {nan}}, Supported, -1},
		{"a positive mean", mean, [][]float64{{1}, {1.1}, {0.9}}, Against, 1},
		{"a small mean", Hypothesis{Test: Mean, Direction: Down, Least: 2}, [][]float64{{-1}, {-1.1}, {-0.9}}, Undecided, -1},
		{"a mean of nothing", mean, [][]float64{{nan}}, Undecided, nan},
		{"a bound kept", Hypothesis{Test: Bound, Direction: Down, Least: 1}, [][]float64{{1}}, Supported, 1},
		{"a bound not kept", Hypothesis{Test: Bound, Direction: Up, Least: 1}, [][]float64{{0.9}}, Against, 0.9},
		{"a bound without a number", Hypothesis{Test: Bound, Direction: Up, Least: 1}, [][]float64{{nan}}, Undecided, nan},
		{"no runs", trend, nil, Undecided, nan},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := []Finding{c.h.weigh(c.rows)}
			settle(found)
			got := float64(found[0].Effect)
			want := c.effect
			if c.h.Test != Bound { // as it is written
				want = float64(statistic(want))
			}
			if same := near(got, want, 1e-12) || math.IsNaN(got) && math.IsNaN(want); found[0].Outcome != c.want || !same {
				t.Errorf("%v: %s, want %v: %s", got, found[0].Outcome, c.effect, c.want)
			}
		})
	}
}

// Seeds are the unit: rows without a trend in common decide seldom, however smooth each is.
func TestTrendsThatSeedsDoNotShareDecideAtTheLevel(t *testing.T) {
	const repetitions = 2000
	r := rand.New(rand.NewPCG(1, 2))
	walk := func(n int) []float64 {
		row := []float64{10 + r.NormFloat64()}
		for len(row) < n {
			row = append(row, row[len(row)-1]+.1*r.NormFloat64())
		}
		return row
	}
	slope := func(n int) []float64 {
		a, row := .3*r.NormFloat64(), []float64{}
		for i := range n {
			row = append(row, 10+a*float64(i)/float64(n)+.01*r.NormFloat64())
		}
		return row
	}
	for name, c := range map[string]struct {
		row            func(int) []float64
		seeds, columns int
	}{
		"random walks": {walk, 5, 15}, "random walks of three seeds": {walk, 3, 13}, "slopes of their own": {slope, 5, 15}, "slopes of three seeds": {slope, 3, 13},
	} {
		decided := 0
		for range repetitions {
			var rows [][]float64
			for range c.seeds {
				rows = append(rows, c.row(c.columns))
			}
			f := []Finding{Hypothesis{Test: Trend, Direction: Up}.weigh(rows)}
			settle(f)
			decided += count(f[0].Outcome != Undecided)
		}
		if share := float64(decided) / repetitions; share > level+.015 { // three of its standard errors
			t.Errorf("%s: %.3f are decided, want %g at most", name, share, level)
		}
	}
}

func TestFamiliesAreCorrectedEachForItself(t *testing.T) {
	h := func(family string, rows [][]float64) Finding {
		return Hypothesis{Family: family, Test: Majority, Direction: Up}.weigh(rows)
	}
	five, even := [][]float64{{1}, {1}, {1}, {1}, {1}}, [][]float64{{1}, {-1}, {1}, {-1}, {1}}
	found := []Finding{h("a", five), h("b", five), h("b", even)} // p = 1/32
	settle(found)
	if found[0].Outcome != Supported || found[1].Outcome != Undecided || !near(float64(found[1].Corrected), 1.0/16, 1e-9) {
		t.Errorf("%v", found)
	}
}

func TestAStatisticHasTheDigitsThatSeedsBear(t *testing.T) {
	for v, want := range map[float64]string{0.9999999999999999: "1", 0.9199999999999999: "0.92", -0.27999999999999997: "-0.28", 1.1375161214097614e-11: "1.13752e-11", math.NaN(): "null", math.Inf(1): "null"} {
		if text, err := json.Marshal(statistic(v)); err != nil || string(text) != want {
			t.Errorf("%v is %s (%v), want %s", v, text, err, want)
		}
	}
	f := Hypothesis{Test: Majority, Direction: Up}.weigh(slices.Repeat([][]float64{{1}}, 6))
	if f.Low != 1 || f.High != 1 {
		t.Errorf("six seeds that agree: from %v to %v", f.Low, f.High)
	}
	if f := (Hypothesis{Test: Bound, Direction: Up, Least: 1.8}).weigh([][]float64{{1.7999999}}); f.bounded() != Against {
		t.Error("rounding keeps a bound that is not kept")
	}
}

func TestATrendSaysByHowMuch(t *testing.T) {
	f := Hypothesis{Test: Trend, Direction: Up, Seeds: 2}.weigh([][]float64{{1, 2}, {1, 4.5}})
	if !near(float64(f.Change), 200, 1e-9) || f.ChangeUnit != "%" || !strings.Contains(f.String(), "from the first to the last +200% [+100%, +350%]") {
		t.Errorf("%s", f)
	}
	if f = (Hypothesis{Test: Trend, Direction: Up, Seeds: 2}).weigh([][]float64{{-1, 2}, {1, 2}}); float64(f.Change) != 2 || f.ChangeUnit != "" {
		t.Errorf("%s", f)
	}
}

func TestAVerdictIsReadAsItWasWritten(t *testing.T) {
	v := &Verdict{Name: "some", Hypotheses: []Finding{
		Hypothesis{Name: "a", Test: Trend, Direction: Down, Seeds: 2, Least: 0.2}.weigh([][]float64{{1, 2, math.NaN()}, {3, 2, 1e-300}}),
		Hypothesis{Name: "b", Test: Mean, Direction: Up}.weigh([][]float64{{math.Inf(1)}}),
	}}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	read := &Verdict{}
	if err := json.Unmarshal(text, read); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if err != nil || string(again) != string(text) || pageOf(t, read, "") != pageOf(t, v, "") {
		t.Errorf("%s\nbecame %v\n%s", text, err, again)
	}
	if err := json.Unmarshal([]byte(`{"hypotheses": [{"direction": "sideways"}]}`), read); err == nil {
		t.Error("a direction that there is not is read")
	}
}

func TestAFindingSaysWhatItsProbabilityIsWhereNoTestGivesOne(t *testing.T) {
	nan := math.NaN()
	trend := Hypothesis{Name: "a", Claim: "It rises", Measure: "norm", Test: Trend, Direction: Up, Family: "a", Seeds: 3}
	for name, c := range map[string]struct {
		rows [][]float64
		want string
	}{
		"ranks that rise where the change falls": {[][]float64{{5, 1, 2, 3, 4}, {6, 1, 2, 3, 4}, {7, 1, 2, 3, 4.5}}, "p = 1, of ranks below 0.0001 and of the change 0.034, which go opposite ways, alone in its family; t-tests"},
		"seeds that are alike":                   {[][]float64{{1, 2, 3}, {1, 2, 3}, {1, 2, 3}}, "p taken for 0, as seeds that all have the same number are no chance, alone in its family; t-tests"},
		"seeds that are not":                     {[][]float64{{1, 2, 3}, {1, 2, 3.5}, {1, 2, 4}}, "(3 seeds; p = 0.0044, of ranks below 0.0001 and of the change 0.0044, alone in its family; t-tests"},
		"a place that no seed has":               {[][]float64{{nan, 2, 3}, {nan, nan, 3}, {nan, 2, 3}}, "no seed has the numbers of the whole grid (at 2 of its 3 places some seed has one)."},
	} {
		t.Run(name, func(t *testing.T) {
			found := []Finding{trend.weigh(c.rows)}
			settle(found)
			if said := found[0].String(); !strings.Contains(said, c.want) {
				t.Errorf("%q, want %q in it", said, c.want)
			}
			found = append(found, found[0])
			settle(found)
			if said := found[0].String(); strings.Contains(c.want, "alone") && (strings.Contains(said, "alone") || !strings.Contains(said, "after Holm's correction; t-tests")) {
				t.Errorf("one of a family of two: %q", said)
			}
		})
	}
}
