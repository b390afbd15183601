package rule

import "shadowflow/graph"

// first is the moving average m of the gradients, second that of their squares.
func first(c Config) Moment {
	return Moment{Name: "m", Kernel: EMA(c.Beta1), Corrected: c.BiasCorrection}
}

func second(c Config) Moment {
	return Moment{Name: "v", Phi: graph.Value.Square, PhiFormula: "g^2", Kernel: EMA(c.Beta2), Corrected: c.BiasCorrection}
}

// denominator is sqrt(v + eps), or sqrt(v) + eps, with its formula.
func denominator(c Config) (func(v graph.Value) graph.Value, string) {
	if c.EpsInside {
		return func(v graph.Value) graph.Value { return v.Add(v.Like(c.Eps)).Sqrt() }, "sqrt(v + eps)"
	}
	return func(v graph.Value) graph.Value { return v.Sqrt().Add(v.Like(c.Eps)) }, "(sqrt(v) + eps)"
}

// rmsProp divides the gradient by the root of the mean of its squares. T. Tieleman and G. Hinton, lecture 6.5 of COURSERA:
// Neural Networks for Machine Learning (2012).
func rmsProp(c Config) *Rule {
	below, formula := denominator(c)
	return &Rule{
		Moments:   []Moment{second(c)},
		Update:    func(s []graph.Value, g, _ graph.Value) graph.Value { return g.Div(below(s[0])) },
		Formula:   "g / " + formula,
		Constants: map[string]float64{"beta2": c.Beta2, "eps": c.Eps},
	}
}

// adam is D. P. Kingma and J. Ba, ICLR 2015 (arXiv:1412.6980), with eps inside the root as the paper on its implicit bias
// has it (arXiv:2309.00079, definition 1.1), or outside.
func adam(c Config) *Rule {
	below, formula := denominator(c)
	return &Rule{
		Moments:   []Moment{first(c), second(c)},
		Update:    func(s []graph.Value, _, _ graph.Value) graph.Value { return s[0].Div(below(s[1])) },
		Formula:   "m / " + formula,
		Constants: map[string]float64{"beta1": c.Beta1, "beta2": c.Beta2, "eps": c.Eps},
	}
}

// adamW adds decoupled weight decay. I. Loshchilov and F. Hutter, ICLR 2019 (arXiv:1711.05101).
func adamW(c Config) *Rule { return decayed(adam(c), c.WeightDecay) }

// decayed adds lambda theta to a rule's update.
func decayed(r *Rule, lambda float64) *Rule {
	update := r.Update
	r.Update = func(s []graph.Value, g, theta graph.Value) graph.Value {
		u := update(s, g, theta)
		if lambda == 0 {
			return u
		}
		return u.Add(theta.Mul(theta.Like(lambda)))
	}
	r.Formula += " + lambda * theta"
	r.Constants["lambda"] = lambda
	return r
}

// nAdam looks ahead as Nesterov's momentum does: U = (beta1 m + (1-beta1) g) / sqrt(v + eps). T. Dozat, ICLR 2016 workshop.
//
// PyTorch's NAdam lets beta1 rise over the steps (momentum_decay) and corrects the bias of the two terms of the numerator by
// different factors; the two agree once beta1 has risen and the memory is full.
func nAdam(c Config) *Rule {
	below, formula := denominator(c)
	return &Rule{
		Moments: []Moment{first(c), second(c)},
		Update: func(s []graph.Value, g, _ graph.Value) graph.Value {
			return s[0].Mul(g.Like(c.Beta1)).Add(g.Mul(g.Like(1 - c.Beta1))).Div(below(s[1]))
		},
		Formula:   "(beta1 * m + (1 - beta1) * g) / " + formula,
		Constants: map[string]float64{"beta1": c.Beta1, "beta2": c.Beta2, "eps": c.Eps},
	}
}
