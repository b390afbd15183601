package modeq

import (
	"math"

	"shadowflow/rule"
)

// Correlation is how the batches of two steps depend on each other under a law of drawing them: the gradients' noise of steps tau
// apart has the covariance At(tau) S, S being the covariance over the batches (divided by their number, not by one less).
type Correlation struct {
	At func(tau int) float64
	// Reach is the largest |tau| at which At is not 0; negative: there is none.
	Reach int
}

// SampledCorrelation is that of batches drawn with replacement; see Sampled.
func SampledCorrelation() Correlation {
	return Correlation{At: func(tau int) float64 {
		if tau == 0 {
			return 1
		}
		return 0
	}}
}

// ShuffledCorrelation is that of a new order in each epoch, on the average over the steps of an epoch; see Shuffled. Two steps of
// one epoch see two different batches, whose noise has the covariance -S/(batches-1); steps tau apart are in one epoch with
// probability 1 - tau/batches.
func ShuffledCorrelation(batches int) Correlation {
	m := float64(batches)
	return Correlation{Reach: batches - 1, At: func(tau int) float64 {
		if tau == 0 {
			return 1
		}
		return -max(0, 1-math.Abs(float64(tau))/m) / (m - 1)
	}}
}

// CyclicCorrelation is that of one order, drawn at random, in all epochs; see Cyclic.
func CyclicCorrelation(batches int) Correlation {
	return Correlation{Reach: -1, At: func(tau int) float64 {
		if tau%batches == 0 {
			return 1
		}
		return -1 / float64(batches-1)
	}}
}

// noiseSums are the sums over two or three memories' weights that the expected second-order term is made of, noise of steps tau
// apart having the correlation rho(tau). By ages: k >= 0 is the step k before the present one.
type noiseSums struct {
	pair [][]float64   // [a][b]: sum_{k,m} w_a(k) w_b(m) rho(k-m)
	aged [][]float64   // [a][b]: sum_{k,m} k w_a(k) w_b(m) rho(k-m)
	path [][]float64   // [a][b]: sum_k w_a(k) sum_{l=1..k} sum_m w_b(m) rho(k-l-m)
	both [][][]float64 // [a][c][b]: sum_k w_a(k) sum_{l=1..k} sum_{m,j} w_c(m) w_b(j) rho(m-l-j)
}

// sumsOf returns the sums of kernels. Each sum is geometric at a given tau, so that what remains is a sum over tau, up to reach.
func sumsOf(kernels []rule.Kernel, rho Correlation, reach int) noiseSums {
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
			for tau := -reach; tau <= reach; tau++ {
				r := rho.At(tau)
				s.pair[a][b] += r * overlap(ka, kb, tau)
				s.aged[a][b] += r * agedOverlap(ka, kb, tau)
				s.path[a][b] += r * pathOverlap(ka, kb, tau)
			}
			for c, kc := range kernels {
				s.both[a][c][b] = bothOverlap(ka, kc, kb, rho, reach)
			}
		}
	}
	return s
}

// ahead returns sum_{m>=x} a(m) b(m-x) over a.Next a.Beta^(x-1), which is the same for each x >= 1.
func ahead(a, b rule.Kernel) float64 { return b.First + b.Next*a.Beta/(1-a.Beta*b.Beta) }

// overlap returns sum_m a(m) b(m-x).
func overlap(a, b rule.Kernel, x int) float64 {
	switch {
	case x > 0:
		return a.At(x) * ahead(a, b)
	case x < 0:
		return b.At(-x) * ahead(b, a)
	}
	return a.First*b.First + a.Next*b.Next/(1-a.Beta*b.Beta)
}

// agedOverlap returns sum_k k a(k) b(k-x).
func agedOverlap(a, b rule.Kernel, x int) float64 {
	rest := 1 - a.Beta*b.Beta
	if x > 0 {
		age := float64(x)
		return a.At(x) * (age*b.First + b.Next*a.Beta*(age+1/rest)/rest)
	}
	return a.Next * b.At(1-x) / (rest * rest)
}

// pathOverlap returns sum_k a(k) sum_{l=1..k} b(k-l-x).
func pathOverlap(a, b rule.Kernel, x int) float64 {
	if x >= 0 {
		return a.At(x+1) * ahead(a, b) / (1 - a.Beta)
	}
	return a.Next / (1 - a.Beta) * b.At(-x) / (1 - a.Beta*b.Beta)
}

// bothOverlap returns sum_tau rho(tau) sum_k a(k) sum_{l=1..k} overlap(c, b, l+tau).
func bothOverlap(a, c, b rule.Kernel, rho Correlation, reach int) float64 {
	tail := func(l int) float64 { return a.At(l) / (1 - a.Beta) } // sum_{k>=l} a(k)
	forward := c.Next * ahead(c, b) / (1 - a.Beta*c.Beta)
	sum := 0.0
	for tau := range reach + 1 {
		sum += rho.At(tau) * tail(1) * math.Pow(c.Beta, float64(tau)) * forward
	}
	before := 0.0 // sum_{l<t} tail(l) overlap(c, b, l-t)
	for t := 1; t <= reach; t++ {
		sum += rho.At(-t) * (before + tail(t)*overlap(c, b, 0) + tail(t+1)*forward)
		before = b.Beta*before + tail(t)*b.Next*ahead(b, c)
	}
	return sum
}
