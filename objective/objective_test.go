package objective

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

func mustNew(t testing.TB, name string, opts map[string]string) Objective {
	t.Helper()
	o, err := New(name, opts)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// closedForms are the losses written in plain Go, where that is short.
var closedForms = map[string]func(theta []float64) float64{
	"bilinear": func(p []float64) float64 { return 0.5 * math.Pow(1.5-2*p[0]*p[1], 2) },
	"cubic":    func(p []float64) float64 { return math.Pow(1.5-p[1]*math.Pow(2*p[0], 3), 2) },
	"rosenbrock": func(p []float64) float64 {
		return 100*math.Pow(p[1]-p[0]*p[0], 2) + math.Pow(1-p[0], 2)
	},
}

func TestLossesMatchTheirFormulas(t *testing.T) {
	for name, formula := range closedForms {
		f := Compile[float64](mustNew(t, name, nil), engine.Options{Threads: 1})
		for _, theta := range [][]float64{{1.6, 1.1}, {-0.3, 0.9}, {0, 0}} {
			got, err := f.Loss(Full, theta)
			if err != nil {
				t.Fatal(err)
			}
			if want := formula(theta); math.Abs(got-want) > 1e-13*math.Max(1, want) {
				t.Errorf("%s at %g: %.16g, want %.16g", name, theta, got, want)
			}
		}
	}
}

func TestDerivativesMatchCentralDifferences(t *testing.T) {
	for _, name := range Names() {
		for _, batch := range []int{Full, 0} {
			o := mustNew(t, name, nil)
			f := Compile[float64](o, engine.Options{Threads: 1})
			theta, v := o.(Starter).Start(), make([]float64, o.Dim())
			for i := range v {
				v[i] = math.Cos(float64(3 * i))
			}
			g, hv, plus, minus := make([]float64, o.Dim()), make([]float64, o.Dim()), make([]float64, o.Dim()), make([]float64, o.Dim())
			check := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			check(f.Gradient(batch, theta, g))
			check(f.HVP(batch, theta, v, hv))
			const d = 1e-5
			along := func(by float64) []float64 {
				at := append([]float64(nil), theta...)
				for i := range at {
					at[i] += by * v[i]
				}
				return at
			}
			up, err := f.Loss(batch, along(d))
			check(err)
			down, err := f.Loss(batch, along(-d))
			check(err)
			dot := 0.0
			for i := range g {
				dot += g[i] * v[i]
			}
			if want := (up - down) / (2 * d); math.Abs(dot-want) > 1e-6*math.Max(1, math.Abs(want)) {
				t.Errorf("%s, batch %d: g.v = %g, differences say %g", name, batch, dot, want)
			}
			check(f.Gradient(batch, along(d), plus))
			check(f.Gradient(batch, along(-d), minus))
			for i := range hv {
				if want := (plus[i] - minus[i]) / (2 * d); math.Abs(hv[i]-want) > 1e-5*math.Max(1, math.Abs(want)) {
					t.Errorf("%s, batch %d: (H v)[%d] = %g, differences say %g", name, batch, i, hv[i], want)
				}
			}
		}
	}
}

func TestTheFullLossIsTheMeanOfTheBatches(t *testing.T) {
	for name, opts := range map[string]map[string]string{
		"bilinear": {"pairs": "2:1.5,1:2,1.5:0.3"}, "cubic": {"pairs": "1:2,0.5:1"},
		"logistic": {"batches": "4"}, "factorization": {"rows": "6", "batches": "3"},
	} {
		o := mustNew(t, name, opts)
		f := Compile[float64](o, engine.Options{Threads: 1})
		theta := o.(Starter).Start()
		full, err := f.Loss(Full, theta)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for batch := range o.Batches() {
			l, err := f.Loss(batch, theta)
			if err != nil {
				t.Fatal(err)
			}
			sum += l
		}
		if want := sum / float64(o.Batches()); o.Batches() < 2 || math.Abs(full-want) > 1e-13*want {
			t.Errorf("%s: %d batches, %.16g in full, mean %.16g", name, o.Batches(), full, want)
		}
	}
	whole, parts := mustNew(t, "logistic", nil), mustNew(t, "logistic", map[string]string{"batches": "4"})
	theta := whole.(Starter).Start()
	a, err := Compile[float64](whole, engine.Options{}).Loss(Full, theta)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Compile[float64](parts, engine.Options{}).Loss(Full, theta)
	if err != nil || math.Abs(a-b) > 1e-14 {
		t.Errorf("in one batch %.16g, in four %.16g, %v", a, b, err)
	}
}

func TestTheQuadraticHasItsSpectrum(t *testing.T) {
	for _, rotation := range []string{"0", "1", "9"} {
		o := mustNew(t, "quadratic", map[string]string{"spectrum": "1:-2:7:0.5", "rotation": rotation})
		f := Compile[float64](o, engine.Options{Threads: 1})
		// The power sums of the eigenvalues are the traces of powers of the Hessian.
		trace, square := 0.0, 0.0
		for i := range o.Dim() {
			e, h := make([]float64, o.Dim()), make([]float64, o.Dim())
			e[i] = 1
			if err := f.HVP(Full, o.(Starter).Start(), e, h); err != nil {
				t.Fatal(err)
			}
			trace += h[i]
			for _, v := range h {
				square += v * v
			}
		}
		if math.Abs(trace-6.5) > 1e-12 || math.Abs(square-54.25) > 1e-12 {
			t.Errorf("rotation %s: traces %g and %g, want 6.5 and 54.25", rotation, trace, square)
		}
	}
}

func TestGeneratedDataDependsOnTheSeedAlone(t *testing.T) {
	for _, name := range []string{"logistic", "factorization"} {
		loss := func(seed string) float64 {
			o := mustNew(t, name, map[string]string{"seed": seed})
			l, err := Compile[float64](o, engine.Options{}).Loss(Full, make([]float64, o.Dim()))
			if err != nil {
				t.Fatal(err)
			}
			g := make([]float64, o.Dim())
			if err := Compile[float64](o, engine.Options{}).Gradient(Full, o.(Starter).Start(), g); err != nil {
				t.Fatal(err)
			}
			return l + g[0]
		}
		if loss("3") != loss("3") || loss("3") == loss("4") {
			t.Errorf("%s: seeds 3, 3, 4 give %g, %g, %g", name, loss("3"), loss("3"), loss("4"))
		}
	}
}

func TestMistakesInOptionsAreNamed(t *testing.T) {
	for _, tc := range []struct{ name, key, value, want string }{
		{"bilinaer", "", "", "did you mean bilinear?"},
		{"bilinear", "pair", "1:2", "did you mean pairs?"},
		{"bilinear", "pairs", "1:2,3", `pair 2, "3"`},
		{"cubic", "pairs", "1:Inf", "finite numbers"},
		{"quadratic", "spectrum", "1:x", "finite numbers separated by colons"},
		{"quadratic", "rotation", "-1", "whole number from 0"},
		{"logistic", "samples", "0", "whole number from 1"},
		{"logistic", "batches", "99", "whole number from 1 to 40"},
		{"logistic", "ridge", "-1", "at least 0"},
		{"factorization", "rank", "1.5", "whole number"},
		{"rosenbrock", "dim", "1", "whole number from 2"},
	} {
		_, err := New(tc.name, map[string]string{tc.key: tc.value})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %s=%s: %v, want an error that says %q", tc.name, tc.key, tc.value, err, tc.want)
		}
	}
	f := Compile[float64](mustNew(t, "bilinear", nil), engine.Options{})
	if _, err := f.Loss(1, []float64{1, 1}); err == nil {
		t.Error("a batch that is not there: no error")
	}
	if err := f.Gradient(Full, []float64{1}, []float64{1, 2}); err == nil {
		t.Error("a short theta: no error")
	}
}

func FuzzParsePairs(f *testing.F) {
	for _, s := range []string{"2:1.5", "2:1.5,1:2", "", ":", "1e999:1", "nan:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		pairs, err := ParsePairs(s)
		if err != nil {
			return
		}
		if len(pairs) != strings.Count(s, ",")+1 {
			t.Errorf("%q: %d pairs", s, len(pairs))
		}
		for _, p := range pairs {
			if v := p.X + p.Y; math.IsNaN(v) || math.IsInf(p.X, 0) || math.IsInf(p.Y, 0) {
				t.Errorf("%q: %v", s, p)
			}
		}
	})
}

// saddle is a loss of one's own: three methods, no derivative.
type saddle struct{}

func (saddle) Dim() int     { return 2 }
func (saddle) Batches() int { return 1 }
func (saddle) Loss(_ *graph.Builder, theta graph.Value, _ int) graph.Value {
	x, y := theta.At(0), theta.At(1)
	return x.Square().Sub(y.Square()).Add(x.Mul(y).Tanh())
}

func ExampleCompile() {
	f := Compile[float64](saddle{}, engine.Options{})
	theta, g, hv := []float64{1, 0}, make([]float64, 2), make([]float64, 2)
	if err := f.Gradient(Full, theta, g); err != nil {
		fmt.Println(err)
		return
	}
	if err := f.HVP(Full, theta, g, hv); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("gradient", g, "Hessian times gradient", hv)
	// Output: gradient [2 1] Hessian times gradient [5 0]
}

func TestSeveralProductsAreThoseMadeOneByOne(t *testing.T) {
	for _, name := range Names() {
		o, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		f := Compile[float64](o, engine.Options{Threads: 1})
		dim := o.Dim()
		theta, vs, hvs, want := make([]float64, dim), make([][]float64, 3), make([][]float64, 3), make([]float64, dim)
		for j := range theta {
			theta[j] = 0.3 + 0.1*float64(j%5)
		}
		for i := range vs {
			vs[i], hvs[i] = make([]float64, dim), make([]float64, dim)
			for j := range vs[i] {
				vs[i][j] = math.Sin(float64(1 + i + 3*j))
			}
		}
		if err := f.HVPs(Full, theta, vs, hvs); err != nil {
			t.Fatal(err)
		}
		for i, v := range vs {
			if err := f.HVP(Full, theta, v, want); err != nil {
				t.Fatal(err)
			}
			for j, w := range want {
				if math.Abs(hvs[i][j]-w) > 1e-12*(1+math.Abs(w)) {
					t.Errorf("%s: product %d, coordinate %d: %v together, %v alone", name, i, j, hvs[i][j], w)
				}
			}
		}
		if f.HVPs(Full, theta, vs, hvs[:2]) == nil || f.HVPs(Full, theta, nil, nil) == nil {
			t.Errorf("%s: a wrong number of vectors is accepted", name)
		}
	}
}
