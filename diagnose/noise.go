package diagnose

import (
	"math"

	"shadowflow/graph"
)

// Noise is how much the gradients g_j of batches of b examples scatter around their mean g.
type Noise struct {
	// Trace is tr Cov, the mean over the batches of ||g_j - g||^2.
	Trace float64
	// One is the one-norm form: the sum over coordinates of the deviation.
	One float64
	// Dominated is the fraction of coordinates whose deviation exceeds |g|.
	Dominated float64
	// Scale is B_simple = tr Sigma/||g||^2, in examples (McCandlish et al. 2018, arXiv:1812.06162). Sigma is the covariance of one
	// example's gradient over the N = M b examples of the M batches, and g their mean gradient. Batches without common examples
	// scatter less than independent ones, by the factor (N-b)/(N-1), which the estimate b Trace/||g||^2 is divided by.
	Scale float64
	// ScaleError is the standard error of Scale over the ways to cut the examples into batches, by the jackknife; NaN for fewer than three
	// batches. Where g is that of all examples, it has no error.
	ScaleError float64
}

// NoiseMeter collects the gradients of batches of one size, which have no example in common. The zero NoiseMeter is empty.
type NoiseMeter struct {
	count        int
	mean, spread []float64 // spread is the sum of squared distances from the mean, by coordinate
	distances    []float64 // of a batch's gradient from the mean, squared
}

// Add adds the gradient of a batch (Welford's recurrence, which does not cancel).
func Add[T graph.Float](m *NoiseMeter, g []T) {
	if m.mean == nil {
		m.mean, m.spread = make([]float64, len(g)), make([]float64, len(g))
	}
	m.count++
	share := 1 / float64(m.count)
	for j, v := range g {
		d := float64(v) - m.mean[j]
		m.mean[j] += d * share
		m.spread[j] += d * (float64(v) - m.mean[j])
	}
}

// Revisit adds the noise of a batch, its gradient less the mean of all that were added. Where each batch has been, Noise knows
// ScaleError.
func Revisit[T graph.Float](m *NoiseMeter, noise []T) {
	m.distances = append(m.distances, SumBlocks(len(noise), func(from, to int) float64 {
		sum := 0.0
		for _, v := range noise[from:to] {
			sum += float64(v) * float64(v)
		}
		return sum
	}, func(total *float64, part float64) { *total += part }))
}

// Mean returns the mean gradient of the batches, in place.
func (m *NoiseMeter) Mean() []float64 { return m.mean }

// Variance returns the coordinatewise form: each coordinate's variance over the batches.
func (m *NoiseMeter) Variance() []float64 {
	out := make([]float64, len(m.spread))
	for j, s := range m.spread {
		out[j] = s / float64(m.count)
	}
	return out
}

// Noise returns what the batches added so far tell, for batches of size examples.
func (m *NoiseMeter) Noise(size int) Noise {
	type sums struct{ trace, one, square, dominated float64 }
	count := float64(m.count)
	s := SumBlocks(len(m.mean), func(from, to int) sums {
		var s sums
		for j := from; j < to; j++ {
			variance := m.spread[j] / count
			s.trace += variance
			s.one += math.Sqrt(variance)
			square := m.mean[j] * m.mean[j]
			s.square += square
			if variance > square {
				s.dominated++
			}
		}
		return s
	}, func(total *sums, part sums) {
		total.trace += part.trace
		total.one += part.one
		total.square += part.square
		total.dominated += part.dominated
	})
	b := float64(size)
	n := b * count
	unit := b * (n - 1) / (n - b) // tr Sigma over the trace
	if m.count < 2 {
		unit = math.NaN()
	}
	return Noise{
		Trace: s.trace, One: s.one,
		Dominated:  s.dominated / float64(len(m.mean)),
		Scale:      ratio(unit*s.trace, s.square),
		ScaleError: ratio(unit*m.traceError(), s.square),
	}
}

// traceError returns the standard error of the trace by the jackknife: without batch j the batches' trace, over their number less
// one, is (sum_i d_i - d_j M/(M-1))/(M-2), d_i being the squared distances from the mean of all M.
func (m *NoiseMeter) traceError() float64 {
	count := float64(m.count)
	if m.count < 3 || len(m.distances) != m.count {
		return math.NaN()
	}
	sum := 0.0
	for _, d := range m.distances {
		sum += d
	}
	spread := 0.0
	for _, d := range m.distances {
		spread += (d - sum/count) * (d - sum/count)
	}
	// A trace over M rather than M-1 is smaller by (M-1)/M, as its error is.
	return math.Sqrt(spread/(count-1)*count) / (count - 2) * (count - 1) / count
}
