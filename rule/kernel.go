package rule

import (
	"fmt"
	"math"
)

// Kernel is the weights w(k) that a moment gives to the gradient of k steps ago: w(0) = First and w(k) = Next Beta^(k-1)
// for k >= 1. The zero Kernel forgets everything.
//
// Every geometric memory is of this form, so that a moment is one array however long its memory.
type Kernel struct {
	First, Next float64
	Beta        float64 // 0 <= Beta < 1
}

// EMA returns the weights of an exponential moving average, (1-beta) beta^k.
func EMA(beta float64) Kernel { return Kernel{1 - beta, (1 - beta) * beta, beta} }

// Geometric returns the weights beta^k, as classical momentum has them.
func Geometric(beta float64) Kernel { return Kernel{1, beta, beta} }

// At returns w(k), 0 for k < 0.
func (w Kernel) At(k int) float64 {
	switch {
	case k < 0:
		return 0
	case k == 0:
		return w.First
	}
	return w.Next * math.Pow(w.Beta, float64(k-1))
}

// Power returns the power moment mu_j = sum_k w(k) k^j over all k >= 0.
//
// The sums are Eulerian: sum_{k>=1} k^j x^(k-1) = A_j(x) / (1-x)^(j+1), whose polynomials have positive coefficients, so that
// nothing cancels.
func (w Kernel) Power(j int) float64 {
	sum := w.Next * eulerian(j, w.Beta) / math.Pow(1-w.Beta, float64(j+1))
	if j == 0 {
		sum += w.First
	}
	return sum
}

// eulerian returns the Eulerian polynomial A_j(x) = sum_i A(j,i) x^i: 1, 1, 1+x, 1+4x+x^2, ...
func eulerian(j int, x float64) float64 {
	row := []float64{1}
	for n := 2; n <= j; n++ {
		next := make([]float64, n)
		for i := range next {
			if i < len(row) {
				next[i] += float64(i+1) * row[i]
			}
			if i > 0 {
				next[i] += float64(n-i) * row[i-1]
			}
		}
		row = next
	}
	sum := 0.0
	for i := len(row) - 1; i >= 0; i-- {
		sum = sum*x + row[i]
	}
	return sum
}

// Sum returns the weight handed out by step n: sum of w(k) over 0 <= k <= n. A negative n stands for the full memory.
func (w Kernel) Sum(n int) float64 {
	if n < 0 {
		return w.Power(0)
	}
	if n == 0 || w.Beta == 0 {
		return w.First + w.Next*float64(min(n, 1))
	}
	if float64(n)*(1-w.Beta) > 40 { // what is missing is below rounding
		return w.First + w.Next/(1-w.Beta)
	}
	return w.First + w.Next*-math.Expm1(float64(n)*math.Log(w.Beta))/(1-w.Beta)
}

// Age returns sum of k w(k) over 0 <= k <= n. A negative n stands for the full memory.
func (w Kernel) Age(n int) float64 {
	if n < 0 {
		return w.Power(1)
	}
	if float64(n)*(1-w.Beta) > 800 { // what is missing is below the smallest float64
		return w.Power(1)
	}
	a, b := partialSums(w.Beta, n)
	return w.Next * (a + b)
}

// partialSums returns sum_{j<n} x^j and sum_{j<n} j x^j, for 0 <= x, by doubling: log2(n) steps, and only sums of
// positive numbers, where the closed forms cancel for x near 1.
func partialSums(x float64, n int) (a, b float64) {
	if n <= 0 {
		return 0, 0
	}
	if n%2 == 1 { // x^0 first, then x times the rest
		a, b = partialSums(x, n-1)
		return 1 + x*a, x * (a + b)
	}
	half := n / 2
	a, b = partialSums(x, half)
	p := math.Pow(x, float64(half))
	return a + p*a, b + p*(b+float64(half)*a)
}

// Window returns the smallest K such that the terms k > K hold at most the share tol of sum_k (k+1) w(k): how far back the
// past must be followed to know moments and mean ages to that accuracy.
func (w Kernel) Window(tol float64) int {
	if w.Next == 0 || w.Beta == 0 {
		return min(1, int(math.Ceil(math.Abs(w.Next))))
	}
	// sum_{k>K} (k+1) Beta^(k-1) = Beta^K ((K+2)/(1-Beta) + Beta/(1-Beta)^2)
	total := math.Abs(w.First) + math.Abs(w.Next)*(2/(1-w.Beta)+w.Beta/((1-w.Beta)*(1-w.Beta)))
	small := func(k int) bool {
		tail := math.Pow(w.Beta, float64(k)) * (float64(k+2)/(1-w.Beta) + w.Beta/((1-w.Beta)*(1-w.Beta)))
		return math.Abs(w.Next)*tail <= tol*total
	}
	hi := 1
	for !small(hi) {
		hi *= 2
	}
	lo := hi / 2
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; small(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// correction returns the factor of bias correction: 1 over the sum of the weights of step n. A negative n stands for the full memory.
func (w Kernel) correction(n int) float64 { return 1 / w.Sum(n) }

func (w Kernel) check() error {
	for _, f := range []struct {
		name string
		v    float64
	}{{"First", w.First}, {"Next", w.Next}} {
		if math.IsNaN(f.v) || math.IsInf(f.v, 0) {
			return fmt.Errorf("kernel: %s = %v: want a finite number", f.name, f.v)
		}
	}
	if !(w.Beta >= 0 && w.Beta < 1) {
		return fmt.Errorf("kernel: Beta = %v: want 0 <= Beta < 1", w.Beta)
	}
	return nil
}
