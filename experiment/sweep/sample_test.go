package sweep

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// drawn returns the values of a key in the runs of a sweep with a section sample.
func drawn[T any](t *testing.T, section, key string) []T {
	t.Helper()
	s, err := Parse("s.yaml", []byte("base: {steps: 5}\nsample: "+section+"\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	for _, r := range s.Runs {
		v, ok := r.Config.Get(key).(T)
		if !ok {
			t.Fatalf("%s is %T", key, r.Config.Get(key))
		}
		out = append(out, v)
	}
	return out
}

func TestDrawsAreAsTheirDistributionSays(t *testing.T) {
	const n = 1000
	section := func(from string) string { return fmt.Sprintf("{n: %d, keys: {%s}}", n, from) }
	for _, c := range []struct {
		from, key string
		as        func(float64) float64
		low, high float64
	}{
		{"optimizer.lr: {log: [1e-4, 1e-2]}", "optimizer.lr", math.Log, math.Log(1e-4), math.Log(1e-2)},
		{"optimizer: {beta2: {linear: [0.9, 0.999]}}", "optimizer.beta2", func(x float64) float64 { return x }, 0.9, 0.999},
	} {
		t.Run(c.from, func(t *testing.T) {
			sum, squares := 0.0, 0.0
			for _, x := range drawn[float64](t, section(c.from), c.key) {
				u := (c.as(x) - c.low) / (c.high - c.low)
				if u < 0 || u > 1 {
					t.Fatalf("%g is out of its range", x)
				}
				sum, squares = sum+u, squares+u*u
			}
			// Of a uniform number the mean is 1/2 and the mean square 1/3; five standard errors are 5/sqrt(12 n) and 5 sqrt(4/45/n).
			if math.Abs(sum/n-1./2) > 5/math.Sqrt(12*n) || math.Abs(squares/n-1./3) > 5*math.Sqrt(4./45/n) {
				t.Errorf("mean %g, mean square %g", sum/n, squares/n)
			}
		})
	}
	count := map[int]int{}
	for _, k := range drawn[int](t, "{n: 1000, keys: {steps: {integer: [8, 11]}, optimizer.lr: {log: [1e-4, 1]}}}", "steps") {
		count[k]++
	}
	names := map[string]int{}
	for _, name := range drawn[string](t, "{n: 1000, keys: {optimizer.name: {choice: [adam, rmsprop, lion, adagrad]}, steps: {integer: [1, 100000000]}}}", "optimizer.name") {
		names[name]++
	}
	for i := range 4 { // five standard errors of 250 are 68
		if k, m := count[8+i], names[[]string{"adam", "rmsprop", "lion", "adagrad"}[i]]; k < 182 || k > 318 || m < 182 || m > 318 || len(count) != 4 {
			t.Errorf("draws: %v, %v", count, names)
		}
	}
}

func TestALatinHypercubeHasOneDrawInEachPart(t *testing.T) {
	const n = 50
	seen := map[string]bool{}
	for _, key := range []string{"optimizer.lr", "optimizer.beta2"} {
		var parts []int
		for _, x := range drawn[float64](t, "{n: 50, method: latin-hypercube, keys: {optimizer.lr: {linear: [0, 1]}, optimizer.beta2: {linear: [0, 0.999999]}}}", key) {
			parts = append(parts, int(x*n))
		}
		seen[fmt.Sprint(parts)] = true
		slices.Sort(parts)
		for i, part := range parts {
			if part != i {
				t.Fatalf("%s: the parts are %v", key, parts)
			}
		}
	}
	if len(seen) != 2 {
		t.Error("both keys go together")
	}
}

func TestDrawsDependOnTheSeedAndTheKeyAlone(t *testing.T) {
	const lr = "optimizer.lr: {log: [1e-4, 1e-2]}"
	first := drawn[float64](t, "{n: 5, keys: {"+lr+"}}", "optimizer.lr")
	if want := []float64{0.00205028482779, 0.000344690810294, 0.000270415932252, 0.000298473665996, 0.00033834545845}; !slices.Equal(first, want) { // the same on every machine
		t.Errorf("%v", first)
	}
	if again := drawn[float64](t, "{n: 5, keys: {optimizer.beta2: {linear: [0, 0.9]}, "+lr+"}}", "optimizer.lr"); !slices.Equal(first, again) {
		t.Errorf("beside another key %v", again)
	}
	if other := drawn[float64](t, "{n: 5, seed: 1, keys: {"+lr+"}}", "optimizer.lr"); slices.Equal(first, other) {
		t.Errorf("another seed draws the same")
	}
}

func TestASampleGoesWithOtherPartsOfASweep(t *testing.T) {
	const text = "base: {steps: 5}\nsample: {n: 3, keys: {optimizer.lr: {log: [1e-4, 1e-2]}}}\ngrid: {optimizer.beta2: [0.9, 0.99]}\nseeds: 2\n"
	s, err := Parse("s.yaml", []byte(text), 0)
	if err != nil || len(s.Runs) != 12 || strings.Join(s.Keys, " ") != "optimizer.lr optimizer.beta2 seed" {
		t.Fatalf("%d runs, keys %v, %v", len(s.Runs), s.Keys, err)
	}
	over, err := Parse("s.yaml", []byte(text), 0, s.Runs[0].Settings[:0])
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("s.yaml", over.Source, 0) // as it is written into the sweep's directory
	if err != nil {
		t.Fatalf("%v in\n%s", err, over.Source)
	}
	for i, r := range s.Runs {
		if again.Runs[i].Hash != r.Hash {
			t.Errorf("run %d: %s, and of the written file %s", i, r, again.Runs[i])
		}
	}
}

func TestAWrongSampleIsRefusedWhereItStands(t *testing.T) {
	for text, want := range map[string]string{
		"5":                "expected keys and values, like {n: 50",
		"{n: 5}":           "sample: no keys",
		"{n: 5, keys: {}}": "expected keys, like {optimizer.lr: {log: [1e-4, 1e-2]}}",
		"{n: 0, keys: {steps: {integer: [1, 2]}}}": "sample.n: 0 is out of range",
		"{m: 5}": "sample.m: unknown key",
		"{method: sobol, keys: {steps: {integer: [1, 9]}}}":  `unknown value "sobol"`,
		"{keys: {optimizer.lr: [1, 2]}}":                     "expected where its values are drawn from, like {log: [1e-4, 1e-2]}",
		"{keys: {optimizer.lr: {normal: [0, 1]}}}":           `s.yaml:1:32: sample.keys: optimizer.lr: unknown distribution "normal"`,
		"{keys: {optimizer.lr: {log: [0, 1]}}}":              "0 has no logarithm; expected ends above 0",
		"{keys: {optimizer.lr: {linear: [2, 1]}}}":           "2 and 1: expected the lower end first",
		"{keys: {optimizer.lr: {linear: [1]}}}":              "expected the two ends of a range, like {linear: [1, 100]}",
		"{keys: {optimizer.lr: {linear: [1, x]}}}":           "expected a number",
		"{keys: {steps: {integer: [1, 2.5]}}}":               "expected a whole number",
		"{keys: {optimizer.lr: {choice: 3}}}":                "expected a list of values, like {choice: [adam, rmsprop]}",
		"{keys: {optimizer.lr: {log: [1, 2], choice: [3]}}}": "expected one distribution, and log is there already",
		"{n: 9, keys: {steps: {integer: [1, 3]}}}":           "want a smaller n, another seed, or more values to draw from",
		"{n: 2, keys: {optimizer.lrr: {linear: [1, 3]}}}":    "optimizer.lrr: unknown key; did you mean lr?",
		"{n: 2, keys: {optimizer.lr: {linear: [-3, -2]}}}":   "out of range",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := Parse("s.yaml", []byte("sample: "+text+"\n"), 0)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
