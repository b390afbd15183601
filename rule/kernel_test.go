package rule

import (
	"fmt"
	"math"
	"testing"
)

func near(got, want, tol float64) bool {
	return math.Abs(got-want) <= tol*math.Max(1e-300, math.Abs(want))
}

func kernels() map[string]Kernel {
	return map[string]Kernel{
		"average 0.3":    EMA(0.3),
		"average 0.9":    EMA(0.9),
		"average 0.9999": EMA(0.9999),
		"average 0":      EMA(0),
		"geometric 0.8":  Geometric(0.8),
		"delta":          {First: 1},
		"lion":           {1 - 0.9, 0.9 * (1 - 0.99), 0.99},
	}
}

func TestPowerMomentsOfAnAverageMatchEulerianClosedForms(t *testing.T) {
	for _, b := range []float64{0, 0.3, 0.5, 0.9, 0.999} {
		want := []float64{1, b / (1 - b), b * (1 + b) / math.Pow(1-b, 2), b * (1 + 4*b + b*b) / math.Pow(1-b, 3)}
		for j, w := range want {
			if got := EMA(b).Power(j); !near(got, w, 1e-14) {
				t.Errorf("beta %g: mu_%d = %.17g, want %.17g", b, j, got, w)
			}
		}
	}
}

func TestPowerMomentsAreTheSumsOfTheWeights(t *testing.T) {
	for name, w := range kernels() {
		terms := int(60/(1-w.Beta)) + 10
		for j := range 7 {
			want := 0.0
			for k := terms; k >= 0; k-- {
				want += w.At(k) * math.Pow(float64(k), float64(j))
			}
			if got := w.Power(j); !near(got, want, 1e-11) {
				t.Errorf("%s: mu_%d = %.15g, the sum is %.15g", name, j, got, want)
			}
		}
	}
}

func TestSumAndAgeOfAFillingMemoryAreFiniteSums(t *testing.T) {
	for name, w := range kernels() {
		sum, age := 0.0, 0.0
		for n := range 3000 {
			sum += w.At(n)
			age += float64(n) * w.At(n)
			if got := w.Sum(n); !near(got, sum, 1e-12) {
				t.Fatalf("%s: W(%d) = %.15g, the sum is %.15g", name, n, got, sum)
			}
			if got := w.Age(n); !near(got, age, 1e-12) {
				t.Fatalf("%s: age(%d) = %.15g, the sum is %.15g", name, n, got, age)
			}
		}
		if got, want := w.Sum(math.MaxInt32), w.Sum(-1); !near(got, want, 1e-14) {
			t.Errorf("%s: W of a full memory: %g and %g", name, got, want)
		}
		if got, want := w.Age(math.MaxInt32), w.Age(-1); !near(got, want, 1e-14) {
			t.Errorf("%s: age of a full memory: %g and %g", name, got, want)
		}
	}
}

func TestCorrectedMeanAgeMatchesTheory(t *testing.T) {
	for _, b := range []float64{0.3, 0.9, 0.999} {
		m := Moment{Kernel: EMA(b), Corrected: true}
		for _, n := range []int{0, 1, 7, 100, 4000} {
			p := math.Pow(b, float64(n+1))
			want := b/(1-b) - float64(n+1)*p/(1-p)
			if got := m.Age(n); math.Abs(got-want) > 1e-9*b/(1-b) {
				t.Errorf("beta %g, n %d: age %g, want %g", b, n, got, want)
			}
			if got := m.AgeFactor(n); math.Abs(got-1-2*want) > 2e-9*b/(1-b) {
				t.Errorf("beta %g, n %d: factor %g, want %g", b, n, got, 1+2*want)
			}
			if m.Sum(n) != 1 {
				t.Errorf("beta %g, n %d: the weights add up to %g", b, n, m.Sum(n))
			}
		}
	}
}

func TestWindowLeavesOutNoMoreThanItsTolerance(t *testing.T) {
	for name, w := range kernels() {
		for _, tol := range []float64{1e-3, 1e-12} {
			total, tail := 0.0, 0.0
			k := w.Window(tol)
			for i := k + int(80/(1-w.Beta)) + 10; i >= 0; i-- {
				term := float64(i+1) * w.At(i)
				total += term
				if i > k {
					tail += term
				}
			}
			if tail > tol*total*1.001 {
				t.Errorf("%s: beyond %d steps lies %g of %g, tolerance %g", name, k, tail, total, tol)
			}
			if before := tail + float64(k+1)*w.At(k); k > 1 && before <= tol*total*0.999 {
				t.Errorf("%s: window %d is longer than it must be", name, k)
			}
		}
	}
}

func ExampleKernel_Power() {
	w := EMA(0.9)
	fmt.Printf("sum %.0f, mean age %.0f steps\n", w.Power(0), w.Power(1))
	// Output: sum 1, mean age 9 steps
}
