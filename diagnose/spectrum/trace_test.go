package spectrum

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"shadowflow/internal/stats"
)

// tailedMatrix is a full matrix with a few large eigenvalues and a tail of either sign.
func tailedMatrix(n int) *mat.SymDense {
	a, _ := spectrum(relu(n), 11)
	return a
}

func traceOf(a mat.Symmetric) float64 {
	sum := 0.0
	for i := range a.SymmetricDim() {
		sum += a.At(i, i)
	}
	return sum
}

func TestTheTraceLiesWithinItsStatedErrors(t *testing.T) {
	const n = 200
	a := tailedMatrix(n)
	apply := products[float64](a)
	pairs, err := Extremal(n, apply, ExtremalOptions[float64]{Top: 5, Bottom: 2})
	if err != nil {
		t.Fatal(err)
	}
	for name, opt := range map[string]TraceOptions[float64]{
		"Hutchinson":       {Probes: 30},
		"Hutch++":          {Probes: 30, Sketch: 10},
		"known pairs":      {Probes: 30, Known: []Pairs[float64]{pairs.Top, pairs.Bottom}},
		"known and sketch": {Probes: 30, Sketch: 5, Known: []Pairs[float64]{pairs.Top, pairs.Bottom}},
	} {
		t.Run(name, func(t *testing.T) {
			var z stats.Running
			for seed := range uint64(40) {
				opt.Seed = seed
				got, err := Trace(n, apply, opt)
				if err != nil {
					t.Fatal(err)
				}
				off := (got.Trace.Mean - traceOf(a)) / got.Trace.Deviation
				if math.Abs(off) > 5 {
					t.Errorf("seed %d: %v with deviation %v, want %v", seed, got.Trace.Mean, got.Trace.Deviation, traceOf(a))
				}
				z.Add(off * off)
			}
			if mean, se := z.StandardError(); math.Abs(mean-1) > 4*se+0.1 { // the variance of t with 29 degrees of freedom is 1.07
				t.Errorf("the mean square of the errors over their deviations is %v with deviation %v, want 1", mean, se)
			}
		})
	}
}

func TestWhatIsTakenExactlyLeavesASmallerDeviation(t *testing.T) {
	const n = 300
	apply := products[float64](tailedMatrix(n))
	plain, err := Trace(n, apply, TraceOptions[float64]{Probes: 60})
	if err != nil {
		t.Fatal(err)
	}
	sketched, err := Trace(n, apply, TraceOptions[float64]{Probes: 20, Sketch: 20})
	if err != nil {
		t.Fatal(err)
	}
	if plain.Products != sketched.Products || !(sketched.Trace.Deviation < plain.Trace.Deviation/3) {
		t.Errorf("deviation %v by Hutch++ of %d products, %v by Hutchinson of %d", sketched.Trace.Deviation, sketched.Products, plain.Trace.Deviation, plain.Products)
	}
}

func TestTheDiagonalAndItsRootLieWithinTheirStatedErrors(t *testing.T) {
	const n = 120
	a := tailedMatrix(n)
	for i := range n {
		a.SetSym(i, i, a.At(i, i)+0.3+0.01*float64(i))
	}
	apply := products[float64](a)
	pairs, err := Extremal(n, apply, ExtremalOptions[float64]{Top: 4})
	if err != nil {
		t.Fatal(err)
	}
	root := 0.0
	for i := range n {
		root += math.Sqrt(a.At(i, i))
	}
	part := [][2]int{{3, 30}, {80, 110}}
	inPart := sumOver(part, func(i int) float64 { return a.At(i, i) })
	for name, opt := range map[string]TraceOptions[float64]{
		"Hutchinson": {Probes: 64, Diagonal: true}, "sketch": {Probes: 64, Sketch: 6, Diagonal: true},
		"known": {Probes: 64, Diagonal: true, Known: []Pairs[float64]{pairs.Top}},
	} {
		opt.Parts = [][][2]int{part}
		got, err := Trace(n, apply, opt)
		if err != nil {
			t.Fatal(err)
		}
		if e := got.Parts[0]; !(math.Abs(e.Mean-inPart) < 5*e.Deviation && e.Deviation < 0.1*inPart) {
			t.Errorf("%s: trace of a part %v, want %v", name, e, inPart)
		}
		var z stats.Running
		for i, d := range got.Diagonal {
			off := (d - a.At(i, i)) / got.Deviations[i]
			z.Add(off * off)
		}
		if mean, _ := z.StandardError(); !(mean > 0.5 && mean < 1.7) {
			t.Errorf("%s: the mean square of the diagonal's errors over their deviations is %v", name, mean)
		}
		if r := got.RootDiagonal; !(math.Abs(r.Mean-root) < 5*r.Deviation && r.Deviation < 0.05*root) {
			t.Errorf("%s: root of the diagonal %v, want %v", name, r, root)
		}
	}
}

// A diagonal matrix has no deviation: each probe of signs says it exactly.
func TestADiagonalMatrixIsSaidExactlyBySigns(t *testing.T) {
	d := filled(50, func(i int) float64 { return float64(i) })
	got, err := Trace(50, diagonal[float64](d), TraceOptions[float64]{Probes: 4, Diagonal: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "trace", got.Trace.Mean, 49*25, 1e-9)
	near(t, "deviation", got.Trace.Deviation, 0, 1e-9)
	for i, x := range got.Diagonal {
		near(t, "diagonal", x, d[i], 1e-12)
	}
}

func TestASketchOfAllDimensionsIsExact(t *testing.T) {
	a := tailedMatrix(12)
	got, err := Trace(12, products[float64](a), TraceOptions[float64]{Sketch: 12, Diagonal: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "trace", got.Trace.Mean, traceOf(a), 1e-10)
	for i, x := range got.Diagonal {
		near(t, "diagonal", x, a.At(i, i), 1e-10)
	}
}

func TestMistakesWithATraceAreErrors(t *testing.T) {
	for says, c := range map[string]struct {
		dim   int
		apply Product[float64]
		opt   TraceOptions[float64]
	}{
		"1 probes":      {3, diagonal[float64](make([]float64, 3)), TraceOptions[float64]{Probes: 1}},
		"0 dimensions":  {0, nil, TraceOptions[float64]{}},
		"is not finite": {3, diagonal[float64]([]float64{1, math.NaN(), 1}), TraceOptions[float64]{}},
	} {
		if _, err := Trace(c.dim, c.apply, c.opt); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error that says %q, got %v", says, err)
		}
	}
}
