package closed

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/objective"
	"shadowflow/schema"
)

func mustNew(t testing.TB, name string, values map[string]any) *objective.Numeric[float64] {
	t.Helper()
	f, err := New(name, values)
	if err != nil {
		t.Fatal(err)
	}
	return objective.NewNumeric[float64](f, 1)
}

func evaluate(t testing.TB, o *objective.Numeric[float64], theta []float64, batch int, want objective.Want[float64]) float64 {
	t.Helper()
	e, err := o.Evaluate(t.Context(), theta, batch, want)
	if err != nil {
		t.Fatal(err)
	}
	return e.Loss
}

// formulas are the losses written in plain Go, where that is short.
var formulas = map[string]func(theta []float64) float64{
	"bilinear": func(p []float64) float64 { return 0.5 * math.Pow(1.5-2*p[0]*p[1], 2) },
	"cubic":    func(p []float64) float64 { return math.Pow(1.5-p[1]*math.Pow(2*p[0], 3), 2) },
	"rosenbrock": func(p []float64) float64 {
		return 100*math.Pow(p[1]-p[0]*p[0], 2) + math.Pow(1-p[0], 2)
	},
}

func TestLossesMatchTheirFormulas(t *testing.T) {
	for name, formula := range formulas {
		t.Run(name, func(t *testing.T) {
			o := mustNew(t, name, nil)
			for _, theta := range [][]float64{{1.6, 1.1}, {-0.3, 0.9}, {0, 0}} {
				got, want := evaluate(t, o, theta, objective.Full, objective.Want[float64]{}), formula(theta)
				if math.Abs(got-want) > 1e-13*math.Max(1, want) {
					t.Errorf("at %g: %.16g, want %.16g", theta, got, want)
				}
			}
		})
	}
}

func TestDerivativesMatchCentralDifferences(t *testing.T) {
	for _, name := range Names() {
		for _, batch := range []int{objective.Full, 0} {
			t.Run(fmt.Sprintf("%s, batch %d", name, batch), func(t *testing.T) {
				o := mustNew(t, name, nil)
				theta, v := o.Start(), make([]float64, o.Dim())
				for i := range v {
					v[i] = math.Cos(float64(3 * i))
				}
				const d = 1e-5
				along := func(by float64) (loss float64, g []float64) {
					at, g := slices.Clone(theta), make([]float64, o.Dim())
					for i := range at {
						at[i] += by * v[i]
					}
					return evaluate(t, o, at, batch, objective.Want[float64]{Gradient: g}), g
				}
				up, plus := along(d)
				down, minus := along(-d)
				g, hv := make([]float64, o.Dim()), make([]float64, o.Dim())
				evaluate(t, o, theta, batch, objective.Want[float64]{Gradient: g, Vectors: [][]float64{v}, Products: [][]float64{hv}})
				dot := 0.0
				for i := range g {
					dot += g[i] * v[i]
				}
				if want := (up - down) / (2 * d); math.Abs(dot-want) > 1e-6*math.Max(1, math.Abs(want)) {
					t.Errorf("g.v = %g, differences say %g", dot, want)
				}
				for i := range hv {
					if want := (plus[i] - minus[i]) / (2 * d); math.Abs(hv[i]-want) > 1e-5*math.Max(1, math.Abs(want)) {
						t.Errorf("(H v)[%d] = %g, differences say %g", i, hv[i], want)
					}
				}
			})
		}
	}
}

func TestTheFullLossIsTheMeanOfTheBatches(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"bilinear": {"pairs": [][2]float64{{2, 1.5}, {1, 2}, {1.5, 0.3}}}, "cubic": {"pairs": [][2]float64{{1, 2}, {0.5, 1}}},
		"logistic": {"batches": 4}, "factorization": {"rows": 6, "batches": 3},
	} {
		t.Run(name, func(t *testing.T) {
			o := mustNew(t, name, values)
			sum := 0.0
			for batch := range o.Batches() {
				sum += evaluate(t, o, o.Start(), batch, objective.Want[float64]{})
			}
			full, want := evaluate(t, o, o.Start(), objective.Full, objective.Want[float64]{}), sum/float64(o.Batches())
			if o.Batches() < 2 || math.Abs(full-want) > 1e-13*want {
				t.Errorf("%d batches, %.16g in full, mean %.16g", o.Batches(), full, want)
			}
		})
	}
	whole, parts := mustNew(t, "logistic", nil), mustNew(t, "logistic", map[string]any{"batches": 4})
	a := evaluate(t, whole, whole.Start(), objective.Full, objective.Want[float64]{})
	if b := evaluate(t, parts, whole.Start(), objective.Full, objective.Want[float64]{}); math.Abs(a-b) > 1e-14 {
		t.Errorf("in one batch %.16g, in four %.16g", a, b)
	}
}

func TestTheQuadraticHasItsSpectrum(t *testing.T) {
	for _, rotation := range []int{0, 1, 9} {
		t.Run(fmt.Sprintf("rotation %d", rotation), func(t *testing.T) {
			o := mustNew(t, "quadratic", map[string]any{"spectrum": []float64{1, -2, 7, 0.5}, "rotation": rotation})
			// The power sums of the eigenvalues are the traces of powers of the Hessian.
			trace, square := 0.0, 0.0
			for i := range o.Dim() {
				e, h := make([]float64, o.Dim()), make([]float64, o.Dim())
				e[i] = 1
				evaluate(t, o, o.Start(), objective.Full, objective.Want[float64]{Vectors: [][]float64{e}, Products: [][]float64{h}})
				trace += h[i]
				for _, v := range h {
					square += v * v
				}
			}
			if math.Abs(trace-6.5) > 1e-12 || math.Abs(square-54.25) > 1e-12 {
				t.Errorf("traces %g and %g, want 6.5 and 54.25", trace, square)
			}
		})
	}
}

func TestGeneratedDataDependsOnTheSeedAlone(t *testing.T) {
	for _, name := range []string{"logistic", "factorization"} {
		t.Run(name, func(t *testing.T) {
			of := func(seed uint64) float64 {
				o := mustNew(t, name, map[string]any{"seed": seed})
				g := make([]float64, o.Dim())
				return evaluate(t, o, o.Start(), objective.Full, objective.Want[float64]{Gradient: g}) + g[0]
			}
			if of(3) != of(3) || of(3) == of(4) {
				t.Errorf("seeds 3, 3, 4 give %g, %g, %g", of(3), of(3), of(4))
			}
		})
	}
}

func TestBlocksCoverTheParameters(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			o, at := mustNew(t, name, nil), 0
			for _, b := range o.Blocks() {
				if b.Offset != at {
					t.Errorf("block %+v, want it at %d", b, at)
				}
				at += b.Size()
			}
			if at != o.Dim() || len(o.Start()) != o.Dim() {
				t.Errorf("blocks of %d parameters, a start of %d, want %d", at, len(o.Start()), o.Dim())
			}
		})
	}
}

func TestDefaultsAreValuesThatTheirKeysAllow(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			given := map[string]any{}
			for _, k := range Keys(name) {
				if _, problem := k.Convert(k.Default); problem != "" || k.Doc == "" {
					t.Errorf("%s, %q: %s", k.Name, k.Doc, problem)
				}
				given[k.Name] = k.Default
			}
			// To give a default is to leave it out.
			a, b := mustNew(t, name, nil), mustNew(t, name, given)
			if x, y := evaluate(t, a, a.Start(), objective.Full, objective.Want[float64]{}), evaluate(t, b, b.Start(), objective.Full, objective.Want[float64]{}); x != y {
				t.Errorf("%v, with its defaults given %v", x, y)
			}
		})
	}
	if Keys("bilinaer") != nil {
		t.Error("a loss that is not there has options")
	}
}

func TestMistakesInOptionsAreNamed(t *testing.T) {
	for _, tc := range []struct {
		name, key string
		value     any
		want      string
	}{
		{"bilinaer", "", nil, "did you mean bilinear?"},
		{"bilinear", "pair", [][2]float64{{1, 2}}, "did you mean pairs?"},
		{"bilinear", "pairs", "1:2", "pairs: expected a list of pairs of numbers"},
		{"bilinear", "pairs", [][2]float64{}, "at least one pair"},
		{"cubic", "pairs", [][2]float64{{1, math.Inf(1)}}, "item 1: item 2: +Inf is out of range"},
		{"quadratic", "spectrum", []float64{1, math.NaN()}, "item 2: NaN is out of range; expected a finite number"},
		{"quadratic", "spectrum", make([]float64, 1001), "want from 1 to 1000"},
		{"quadratic", "spectrum", []float64{}, "want from 1 to 1000"},
		{"quadratic", "rotation", -1, "expected a number at least 0"},
		{"logistic", "samples", 0, "expected a number at least 1 and at most 10000"},
		{"logistic", "batches", 99, "want at most samples, 40"},
		{"logistic", "ridge", -1.0, "at least 0"},
		{"factorization", "rank", 1.5, "a whole number"},
		{"factorization", "batches", 6, "want at most rows, 5"},
		{"rosenbrock", "dim", 1, "at least 2"},
	} {
		t.Run(tc.name+": "+tc.want, func(t *testing.T) {
			_, err := New(tc.name, map[string]any{tc.key: tc.value})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s %s=%v: %v, want an error that says %q", tc.name, tc.key, tc.value, err, tc.want)
			}
		})
	}
}

func ExampleNew() {
	f, err := New("quadratic", map[string]any{"spectrum": []float64{1, 100}, "rotation": 0})
	if err != nil {
		fmt.Println(err)
		return
	}
	o := objective.NewNumeric[float64](f, 0)
	g := make([]float64, o.Dim())
	e, err := o.Evaluate(context.Background(), o.Start(), objective.Full, objective.Want[float64]{Gradient: g})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("at", o.Start(), "loss", e.Loss, "gradient", g)
	// Output: at [1 0.5] loss 13 gradient [1 50]
}

func ExampleKeys() {
	types := map[string]schema.Type{}
	for _, k := range Keys("factorization") {
		types[k.Name] = k.Type
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		fmt.Println(name, "-", types[name])
	}
	// Output:
	// batches - a whole number
	// columns - a whole number
	// rank - a whole number
	// rows - a whole number
	// seed - a whole number
}
