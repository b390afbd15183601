package modeq

import (
	"math"
	"testing"

	"shadowflow/rule"
)

// sums by their definitions, over so many steps that what is left out is below rounding.
func plainSums(kernels []rule.Kernel, rho Correlation, steps int) noiseSums {
	n := len(kernels)
	square := func() [][]float64 {
		out := make([][]float64, n)
		for i := range out {
			out[i] = make([]float64, n)
		}
		return out
	}
	s := noiseSums{pair: square(), aged: square(), path: square()}
	for a, ka := range kernels {
		s.both = append(s.both, square())
		for b, kb := range kernels {
			for k := range steps {
				for m := range steps {
					both := ka.At(k) * kb.At(m)
					s.pair[a][b] += both * rho.At(k-m)
					s.aged[a][b] += float64(k) * both * rho.At(k-m)
					for l := 1; l <= k; l++ {
						s.path[a][b] += both * rho.At(k-l-m)
					}
				}
			}
			for c, kc := range kernels {
				for l := 1; l < steps; l++ {
					tail := 0.0
					for k := l; k < steps; k++ {
						tail += ka.At(k)
					}
					for m := range steps {
						for j := range steps {
							s.both[a][c][b] += tail * kc.At(m) * kb.At(j) * rho.At(m-l-j)
						}
					}
				}
			}
		}
	}
	return s
}

func sumsAgree(t *testing.T, got, want noiseSums, tolerance float64) {
	t.Helper()
	for a := range want.pair {
		agree(t, "pair", got.pair[a], want.pair[a], tolerance)
		agree(t, "aged", got.aged[a], want.aged[a], tolerance)
		agree(t, "path", got.path[a], want.path[a], tolerance)
		for c := range want.both[a] {
			agree(t, "both", got.both[a][c], want.both[a][c], tolerance)
		}
	}
}

func TestSumsOverMemoriesAreTheirDefinitions(t *testing.T) {
	kernels := []rule.Kernel{rule.EMA(0.4), rule.Geometric(0.2), {First: 0.5, Next: 0.3, Beta: 0.3}, {First: 1}}
	const steps = 40
	for name, rho := range map[string]Correlation{"sampled": SampledCorrelation(), "shuffled": ShuffledCorrelation(5), "cyclic": CyclicCorrelation(4)} {
		t.Run(name, func(t *testing.T) {
			sumsAgree(t, sumsOf(kernels, rho.within(2*steps)), plainSums(kernels, rho, steps), 1e-13)
		})
	}
}

func TestOnePeriodOfACyclicOrderStandsForAll(t *testing.T) {
	kernels := []rule.Kernel{rule.EMA(0.99), rule.EMA(0.9), rule.Geometric(0.5), {First: 0.5, Next: 0.3, Beta: 0.97}, {First: 1}, {First: 0.2, Next: 0.7}}
	for _, batches := range []int{2, 3, 7, 40} {
		folded := CyclicCorrelation(batches)
		direct := folded
		direct.Period, direct.Reach = 0, 6000 // 0.99^6000 is 1e-26
		sumsAgree(t, sumsOf(kernels, folded.within(6000)), sumsOf(kernels, direct), 1e-12)
	}
}

// The time of a sum over all steps that such a memory holds would be days.
func TestSumsOfACyclicOrderTakeOnePeriodHoweverLongTheMemory(t *testing.T) {
	k := rule.EMA(1 - 1e-9)
	asked := 0
	rho := CyclicCorrelation(5)
	at := rho.At
	rho.At = func(tau int) float64 { asked++; return at(tau) }
	s := sumsOf([]rule.Kernel{k}, rho.within(2*k.Window(DefaultTolerance)))
	if asked > 50 || math.Abs(s.pair[0][0]) > 1e-6 { // the mean of all batches has no noise
		t.Errorf("asked %d times, pair %g", asked, s.pair[0][0])
	}
}

// TestCorrelationsAreThoseOfTheOrders draws numbers for batches, of mean 0 and mean square 1, and multiplies those of two steps.
func TestCorrelationsAreThoseOfTheOrders(t *testing.T) {
	values := []float64{1, -1, math.Sqrt2, -math.Sqrt2, 0}
	square := 0.0
	for _, v := range values {
		square += v * v / float64(len(values))
	}
	for name, law := range laws {
		t.Run(name, func(t *testing.T) {
			rho := law.correlation(len(values))
			for _, tau := range []int{0, 1, 3, 5, 7} {
				const draws = 10_000
				sum, squares := 0.0, 0.0
				for seed := range draws {
					order := law.order(len(values), uint64(seed))
					step := 20 + seed%len(values)
					product := values[order(step)] * values[order(step-tau)] / square
					sum, squares = sum+product, squares+product*product
				}
				mean := sum / draws
				if allowed := 3.5 * math.Sqrt(squares) / draws; !(math.Abs(mean-rho.At(tau)) <= allowed) {
					t.Errorf("steps %d apart: %.4f over orders, %.4f by the formula, more than %.4f apart", tau, mean, rho.At(tau), allowed)
				}
				if rho.Reach >= 0 && tau > rho.Reach && rho.At(tau) != 0 {
					t.Errorf("%g at %d, beyond its reach of %d", rho.At(tau), tau, rho.Reach)
				}
			}
		})
	}
}
