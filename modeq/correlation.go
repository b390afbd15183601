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
	// Period is a number of steps after which At repeats itself; 0: there is none.
	Period int
}

// within returns the correlation for memories that nothing is left of beyond a window: what repeats itself within it is summed over one period, for
// all of them, and anything else up to the window.
func (c Correlation) within(window int) Correlation {
	switch {
	case c.Period > 0 && c.Period <= window:
		c.Reach = c.Period
		return c
	case c.Reach < 0 || c.Reach > window:
		c.Reach = window
	}
	c.Period = 0
	return c
}

// periods returns what becomes of the sum of x^(tau-1), from tau = 1, when each tau of the first period stands for those of all: the sums
// sum_p x^(p Period), and sum_p p Period x^(p Period) over the former. Without a period they are 1 and 0.
func (c Correlation) periods(x float64) (times, later float64) {
	if c.Period == 0 || x == 0 {
		return 1, 0
	}
	period := float64(c.Period)
	times = -1 / math.Expm1(period*math.Log(x))
	return times, period * math.Pow(x, period) * times
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
	return Correlation{Reach: -1, Period: batches, At: func(tau int) float64 {
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

// sumsOf returns the sums of kernels. Each sum is geometric at a given tau, so that what remains is a sum over tau, up to the correlation's reach;
// and it is geometric in tau on either side of 0, so that of a correlation that repeats itself one period is enough.
func sumsOf(kernels []rule.Kernel, rho Correlation) noiseSums {
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
			inA, later := rho.periods(ka.Beta)
			inB, _ := rho.periods(kb.Beta)
			for tau := -rho.Reach; tau <= rho.Reach; tau++ {
				r, age := rho.At(tau), float64(tau)
				switch {
				case tau > 0:
					r, age = r*inA, age+later
				case tau < 0:
					r *= inB
				}
				s.pair[a][b] += r * overlap(ka, kb, tau)
				s.aged[a][b] += r * agedOverlap(ka, kb, tau, age)
				s.path[a][b] += r * pathOverlap(ka, kb, tau)
			}
			for c, kc := range kernels {
				s.both[a][c][b] = bothOverlap(ka, kc, kb, rho)
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

// agedOverlap returns sum_k k a(k) b(k-x) for an age of x; of an x > 0 that stands for those of all periods, age is their mean.
func agedOverlap(a, b rule.Kernel, x int, age float64) float64 {
	rest := 1 - a.Beta*b.Beta
	if x > 0 {
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
func bothOverlap(a, c, b rule.Kernel, rho Correlation) float64 {
	inA, _ := rho.periods(a.Beta)
	inB, _ := rho.periods(b.Beta)
	inC, _ := rho.periods(c.Beta)
	tail := a.Next / (1 - a.Beta) // sum_{k>=l} a(k), at l = 1
	forward := c.Next * ahead(c, b) / (1 - a.Beta*c.Beta)
	sum := rho.At(0) * tail * forward
	for tau := 1; tau <= rho.Reach; tau++ {
		sum += rho.At(tau) * inC * tail * math.Pow(c.Beta, float64(tau)) * forward
	}
	// What is behind tau = -t, sum_{l<t} tail(l) overlap(c, b, l-t) and tail(t), follows from the step before by a linear map. The sums of
	// all periods begin with the sums of what these begin with, and go the same way.
	before := 0.0
	grow := func(t int) { before = b.Beta*before + tail*math.Pow(a.Beta, float64(t-1))*b.Next*ahead(b, c) }
	if rho.Period > 0 {
		for t := 1; t <= rho.Period; t++ {
			grow(t)
		}
		tail, before = tail*inA, before*inA*inB
	}
	for t := 1; t <= rho.Reach; t++ {
		now := tail * math.Pow(a.Beta, float64(t-1))
		sum += rho.At(-t) * (before + now*overlap(c, b, 0) + a.Beta*now*forward)
		grow(t)
	}
	return sum
}
