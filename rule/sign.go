package rule

import "shadowflow/graph"

// softSign is x / sqrt(x^2 + eps), a smooth sign(x): modified equations need derivatives.
func softSign(x graph.Value, eps float64) graph.Value {
	return x.Div(x.Square().Add(x.Like(eps)).Sqrt())
}

// signum is the sign of momentum, smoothed. J. Bernstein et al., ICML 2018 (arXiv:1802.04434).
func signum(c Config) *Rule {
	return &Rule{
		Moments:   []Moment{first(c)},
		Update:    func(s []graph.Value, _, _ graph.Value) graph.Value { return softSign(s[0], c.Eps) },
		Formula:   "m / sqrt(m^2 + eps)",
		Constants: map[string]float64{"beta1": c.Beta1, "eps": c.Eps},
	}
}

// lion is the sign of a mixture of the present gradient and an average of the past ones, smoothed, with decoupled weight
// decay. X. Chen et al., NeurIPS 2023 (arXiv:2302.06675).
func lion(c Config) *Rule {
	r := &Rule{
		Moments:   []Moment{{Name: "c", Kernel: Shifted(c.Beta1, c.Beta2)}},
		Update:    func(s []graph.Value, _, _ graph.Value) graph.Value { return softSign(s[0], c.Eps) },
		Formula:   "c / sqrt(c^2 + eps)",
		Constants: map[string]float64{"beta1": c.Beta1, "beta2": c.Beta2, "eps": c.Eps},
	}
	return decayed(r, c.WeightDecay)
}
