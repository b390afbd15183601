package spectrum

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/graph"
)

// diagonal multiplies by a diagonal matrix, to which a method that starts from random vectors of a Gaussian is as blind as to any of its rotations.
func diagonal[T graph.Float](d []float64) Product[T] {
	return func(vs, avs [][]T) error {
		for k, v := range vs {
			for i, x := range v {
				avs[k][i] = T(d[i] * float64(x))
			}
		}
		return nil
	}
}

// relu is like the Hessian of a relu network: some large eigenvalues, a tail of either sign, and half of them 0.
func relu(dim int) []float64 {
	d := make([]float64, dim)
	for i := range dim / 2 {
		d[i] = 20 * math.Pow(float64(i+1), -1.1)
		if i%3 == 2 {
			d[i] *= -0.2
		}
	}
	return d
}

func filled(dim int, f func(i int) float64) []float64 {
	d := make([]float64, dim)
	for i := range d {
		d[i] = f(i)
	}
	return d
}

// tailed has some eigenvalues beside a tail of either sign.
func tailed(dim int, f func(i int) float64, some int) []float64 {
	d := relu(dim)
	for i := range d {
		d[i] /= 10
		if i < some {
			d[i] = f(i)
		}
	}
	return d
}

// hard are spectra that iterations are known to struggle with.
func hard() map[string][]float64 {
	return map[string][]float64{
		"relu":                         relu(3000),
		"clustered top":                tailed(2000, func(i int) float64 { return 10 + 1e-4*float64(i) }, 8),
		"equal top":                    tailed(2000, func(int) float64 { return 3 }, 7),
		"equal bottom":                 tailed(2000, func(int) float64 { return -4 }, 9),
		"bottom as large as top":       filled(2000, func(i int) float64 { return math.Pow(-1, float64(i)) * 5 / float64(1+i/2) }),
		"zero but for three":           filled(5000, func(i int) float64 { return []float64{7, -4, 2, 0}[min(i, 3)] }),
		"zero":                         filled(500, func(int) float64 { return 0 }),
		"all equal":                    filled(500, func(int) float64 { return -2 }),
		"few dimensions":               {3, -1, 4, 1, -5, 9, 2, -6, 5, 3, 5, 8},
		"small beside one that is not": tailed(1500, func(int) float64 { return 1000 }, 1),
	}
}

func wantExtremes(t *testing.T, d []float64, got Pairs[float64], sign, within float64) {
	t.Helper()
	want := slices.Clone(d)
	slices.SortFunc(want, func(a, b float64) int {
		if sign*a > sign*b {
			return -1
		}
		return 1
	})
	for k, v := range got.Values {
		if !(math.Abs(v-want[k]) <= within) {
			t.Errorf("eigenvalue %d from the end of sign %v: %v, want %v within %v", k, sign, v, want[k], within)
		}
	}
}

func TestTheLargestAndTheSmallestEigenvaluesAreFoundOfHardSpectra(t *testing.T) {
	for name, d := range hard() {
		for _, at := range []int{1, 2, 5} {
			t.Run(name, func(t *testing.T) {
				top, bottom := min(10, len(d)/2), min(5, len(d)/2)
				apply := diagonal[float64](d)
				got, err := Extremal(len(d), apply, ExtremalOptions[float64]{Top: top, Bottom: bottom, AtOnce: at, Seed: 3, MaxProducts: 4000})
				if err != nil {
					t.Fatal(err)
				}
				if !got.Converged || len(got.Top.Values) != top || len(got.Bottom.Values) != bottom {
					t.Errorf("%d at once: not converged after %d products: %v %v", at, got.Products, got.Top.Residuals, got.Bottom.Residuals)
				}
				within := 1e-7 * (got.Norm + 1e-300) * 1.1
				wantExtremes(t, d, got.Top, 1, within)
				wantExtremes(t, d, got.Bottom, -1, within)
				wantOrthonormal(t, append(slices.Clone(got.Top.Vectors), got.Bottom.Vectors...), 1e-10)
				t.Logf("%d at once: %d products", at, got.Products)
			})
		}
	}
}

func TestTheResidualsAreThoseOfTheVectors(t *testing.T) {
	d := relu(800)
	apply := diagonal[float64](d)
	got, err := Extremal(len(d), apply, ExtremalOptions[float64]{Top: 4, Bottom: 3, Tolerance: 1e-3})
	if err != nil {
		t.Fatal(err)
	}
	av := [][]float64{make([]float64, len(d))}
	for _, pairs := range []Pairs[float64]{got.Top, got.Bottom} {
		for k, v := range pairs.Vectors {
			if err := apply([][]float64{v}, av); err != nil {
				t.Fatal(err)
			}
			subtract(av[0], pairs.Values[k], v)
			near(t, "residual", pairs.Residuals[k], diagnose.Norm(av[0]), 1e-12)
		}
	}
}

func TestPairsOfANearbyOperatorSaveProducts(t *testing.T) {
	d := relu(3000)
	opt := ExtremalOptions[float64]{Top: 6, Bottom: 3, Tolerance: 1e-4}
	cold, err := Extremal(len(d), diagonal[float64](d), opt)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d {
		d[i] *= 1 + 0.001*math.Sin(float64(i))
	}
	again, err := Extremal(len(d), diagonal[float64](d), opt)
	if err != nil {
		t.Fatal(err)
	}
	opt.Start = append(cold.Top.Vectors, cold.Bottom.Vectors...)
	warm, err := Extremal(len(d), diagonal[float64](d), opt)
	if err != nil {
		t.Fatal(err)
	}
	if !warm.Converged || warm.Products > again.Products*3/4 {
		t.Errorf("%d products from the pairs of a nearby operator, %d from nothing", warm.Products, again.Products)
	}
	wantExtremes(t, d, warm.Top, 1, 1.1e-4*warm.Norm)
	wantExtremes(t, d, warm.Bottom, -1, 1.1e-4*warm.Norm)
}

func TestEigenvaluesInFloat32SayHowNearTheyAre(t *testing.T) {
	d := relu(3000)
	got, err := Extremal(len(d), diagonal[float32](d), ExtremalOptions[float32]{Top: 5, Bottom: 5})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Converged {
		t.Errorf("not converged: residuals %v, %v", got.Top.Residuals, got.Bottom.Residuals)
	}
	for k, want := range []float64{d[0], d[1], d[3], d[4], d[6]} {
		near(t, "eigenvalue", got.Top.Values[k], want, got.Top.Residuals[k]+1e-6*d[0])
	}
}

func TestTheSpectrumHasTheSameBitsOnAnyNumberOfThreads(t *testing.T) {
	d := relu(140_000)
	var first Extremes[float64]
	for i, threads := range []int{1, 2, 5} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		got, err := Extremal(len(d), diagonal[float64](d), ExtremalOptions[float64]{Top: 2, Tolerance: 1e-2})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = got
		}
		if !slices.Equal(got.Top.Values, first.Top.Values) || !slices.Equal(got.Top.Vectors[1], first.Top.Vectors[1]) {
			t.Errorf("%d threads: %v, one thread %v", threads, got.Top.Values, first.Top.Values)
		}
	}
}

func TestMistakesWithExtremesAreErrors(t *testing.T) {
	broken := errors.New("broken")
	ok := diagonal[float64](make([]float64, 6))
	for says, c := range map[string]struct {
		top, bottom int
		apply       Product[float64]
	}{
		"0 largest and 0 smallest": {0, 0, ok},
		"4 largest and 3 smallest": {4, 3, ok},
		"broken":                   {1, 1, func(_, _ [][]float64) error { return broken }},
		"is not finite":            {1, 1, func(_, avs [][]float64) error { avs[0][2] = math.Inf(1); return nil }},
	} {
		if _, err := Extremal(6, c.apply, ExtremalOptions[float64]{Top: c.top, Bottom: c.bottom}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error that says %q, got %v", says, err)
		}
	}
}
