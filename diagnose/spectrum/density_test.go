package spectrum

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// exact has all eigenvalues of a diagonal matrix.
func exactSpread(d []float64) *Spread {
	weights := filled(len(d), func(int) float64 { return 1 / float64(len(d)) })
	return &Spread{Nodes: [][]float64{d}, Weights: [][]float64{weights}}
}

func TestTheDensityLiesWithinItsStatedErrors(t *testing.T) {
	for name, d := range map[string][]float64{
		"relu":      relu(400),
		"two bulks": filled(400, func(i int) float64 { return 3*float64(i%2) + 0.5*math.Sin(float64(i)) }),
	} {
		a, _ := spectrum(d, 5)
		s, err := Quadrature(len(d), products[float64](a), QuadratureOptions{Probes: 20})
		if err != nil {
			t.Fatal(err)
		}
		got := s.Density(200, s.Width())
		highest := slices.Max(got.Y)
		all, total := exactSpread(d), 0.0
		for i, x := range got.X {
			want := all.mean(func(node float64) float64 {
				z := (x - node) / got.Width
				return math.Exp(-z*z/2) / (got.Width * math.Sqrt(2*math.Pi))
			}).Mean
			if !(math.Abs(got.Y[i]-want) <= 5*got.Deviation[i]+1e-3*highest) {
				t.Errorf("%s: density %v at %v with deviation %v, want %v", name, got.Y[i], x, got.Deviation[i], want)
			}
			total += got.Y[i] * (got.X[1] - got.X[0])
		}
		near(t, "integral of the density", total, 1, 1e-3)
		if e := s.mean(func(x float64) float64 { return x }); math.Abs(e.Mean-traceOf(a)/400) > 5*e.Deviation+1e-12 {
			t.Errorf("%s: mean eigenvalue %v, want %v", name, e, traceOf(a)/400)
		}
	}
}

func TestAKrylovSpaceThatEndsHasTheWholeMeasure(t *testing.T) {
	d := filled(300, func(i int) float64 { return []float64{-1, 0, 0, 2}[i%4] })
	s, err := Quadrature(300, diagonal[float64](d), QuadratureOptions{Probes: 3})
	if err != nil {
		t.Fatal(err)
	}
	for p, nodes := range s.Nodes {
		if len(nodes) != 3 {
			t.Fatalf("nodes %v, want the three eigenvalues", nodes)
		}
		for k, want := range []struct{ node, weight float64 }{{-1, 0.25}, {0, 0.5}, {2, 0.25}} {
			near(t, "node", nodes[k], want.node, 1e-12)
			near(t, "weight", s.Weights[p][k], want.weight, 1e-12) // signs have the same share everywhere
		}
	}
}

func TestTheDensityHasTheSameBitsOnAnyNumberOfThreads(t *testing.T) {
	d := relu(135_000)
	var first *Spread
	for _, threads := range []int{1, 3} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		s, err := Quadrature(len(d), diagonal[float64](d), QuadratureOptions{Probes: 2, Steps: 3})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = s
		}
		if !slices.Equal(s.Nodes[1], first.Nodes[1]) || !slices.Equal(s.Weights[0], first.Weights[0]) {
			t.Errorf("%d threads: %v, one thread %v", threads, s.Nodes, first.Nodes)
		}
	}
}

func TestTheWholeMatrixHasTheExactAnswers(t *testing.T) {
	for _, n := range []int{90, solveAll + 100} {
		a := tailedMatrix(n)
		m, err := Dense(n, products[float64](a), 4, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ExtremesOf[float64](m, 5, 3)
		if err != nil {
			t.Fatal(err)
		}
		d := relu(n)
		wantExtremes(t, d, got.Top, 1, 1e-12)
		wantExtremes(t, d, got.Bottom, -1, 1e-12)
		if r := slices.Max(append(got.Top.Residuals, got.Bottom.Residuals...)); !(r < 1e-9) {
			t.Errorf("residual %v", r)
		}
		traced := m.Trace()
		near(t, "trace", traced.Trace.Mean, traceOf(a), 1e-12)
		if traced.Trace.Deviation != 0 || slices.Max(m.Spread().Density(50, 0.1).Deviation) != 0 {
			t.Error("an exact answer has a deviation")
		}
		for i, x := range traced.Diagonal {
			near(t, "diagonal", x, a.At(i, i), 1e-14)
		}
	}
}

func TestAMaskedOperatorIsABlockOfTheMatrix(t *testing.T) {
	a := tailedMatrix(20)
	spans := [][2]int{{3, 6}, {11, 15}}
	whole, err := Dense(20, products[float64](a), 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := whole.Block(spans)
	if err != nil {
		t.Fatal(err)
	}
	masked, err := Dense(7, Masked(20, spans, products[float64](a)), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !mat.EqualApprox(block.A, masked.A, 1e-14) || block.A.At(2, 3) != whole.A.At(5, 11) {
		t.Errorf("block %v, masked %v", mat.Formatted(block.A), mat.Formatted(masked.A))
	}
}

func TestMistakesWithADensityAreErrors(t *testing.T) {
	bad := diagonal[float64]([]float64{1, math.Inf(1), 1})
	if _, err := Quadrature(3, bad, QuadratureOptions{}); err == nil || !strings.Contains(err.Error(), "is not finite") {
		t.Errorf("error %v", err)
	}
	if _, err := Quadrature(3, bad, QuadratureOptions{Probes: 1}); err == nil || !strings.Contains(err.Error(), "1 probes") {
		t.Errorf("error %v", err)
	}
	if _, err := Dense(3, bad, 2, nil); err == nil || !strings.Contains(err.Error(), "is not finite") {
		t.Errorf("error %v", err)
	}
}
