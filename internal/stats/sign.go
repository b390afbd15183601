package stats

import "gonum.org/v1/gonum/stat/distuv"

// SignTest returns the probabilities of at least and of at most so many successes in n, if each were as likely as not.
func SignTest(successes, n int) (more, less float64) {
	b := distuv.Binomial{N: float64(n), P: 0.5}
	return 1 - b.CDF(float64(successes)-1), b.CDF(float64(successes))
}
