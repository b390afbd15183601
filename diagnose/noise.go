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
	// Scale is the noise scale b tr Cov / ||g||^2, in examples (McCandlish et al. 2018, arXiv:1812.06162).
	Scale float64
}

// NoiseMeter collects the gradients of batches of one size. The zero NoiseMeter is empty.
type NoiseMeter struct {
	count        int
	mean, spread []float64 // spread is the sum of squared distances from the mean, by coordinate
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
	s := sumBlocks(len(m.mean), func(from, to int) sums {
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
	return Noise{
		Trace: s.trace, One: s.one,
		Dominated: s.dominated / float64(len(m.mean)),
		Scale:     ratio(float64(size)*s.trace, s.square),
	}
}
