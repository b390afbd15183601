package rule

import "shadowflow/graph"

// gradientDescent has no memory: U = g.
func gradientDescent(Config) *Rule {
	return &Rule{
		Update:  func(_ []graph.Value, g, _ graph.Value) graph.Value { return g },
		Formula: "g",
	}
}

// heavyBall is Polyak's momentum: m sums gradients with weights beta1^k, U = m. B. T. Polyak, USSR Computational Mathematics
// and Mathematical Physics 4 (1964), 1-17.
func heavyBall(c Config) *Rule {
	return &Rule{
		Moments:   []Moment{{Name: "m", Kernel: Geometric(c.Beta1)}},
		Update:    func(s []graph.Value, _, _ graph.Value) graph.Value { return s[0] },
		Formula:   "m",
		Constants: map[string]float64{"beta1": c.Beta1},
	}
}

// nesterov is Nesterov's momentum as deep learning writes it, U = g + beta1 m. I. Sutskever, J. Martens, G. Dahl, G. Hinton,
// ICML 2013.
func nesterov(c Config) *Rule {
	return &Rule{
		Moments: []Moment{{Name: "m", Kernel: Geometric(c.Beta1)}},
		Update: func(s []graph.Value, g, _ graph.Value) graph.Value {
			return g.Add(s[0].Mul(g.Like(c.Beta1)))
		},
		Formula:   "g + beta1 * m",
		Constants: map[string]float64{"beta1": c.Beta1},
	}
}
