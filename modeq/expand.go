package modeq

import (
	"shadowflow/graph"
	"shadowflow/modeq/reach"
	"shadowflow/rule"
)

// Expansion is the modified equation of a full memory at a point as a series.
type Expansion struct {
	jet    *graph.Jet
	theta  graph.Value
	rates  []graph.Value // what dtheta/dt is made of
	series []reach.Series
}

// Expand returns the modified equation at theta of a rule, given the loss's gradient g, made from theta: full batch, memory full. biasScale is
// that of FieldOptions.
//
// The equation's solution satisfies the update at every t, with the moments of phi(g(t - k lr)). Writing it as a series in t and
// h = lr, theta(t; h) = sum c_ab t^a h^b with c_00 = theta and c_0b = 0, the moments' coefficients are
//
//	S_ab = sum_{j=0..b} binom(a+j, j) (-1)^j mu_j Phi_(a+j)(b-j),    mu_j = sum_k w(k) k^j,
//
// where Phi is the series of phi(g(t; h)), and with P the series of U,
//
//	(a+1) c_(a+1)b = -P_ab - sum_{j=2..b+1} binom(a+j, j) c_(a+j)(b+1-j).
//
// The fields are f_b = c_1b. Coefficients are asked for as they are needed, so this file is those two formulas.
func Expand(m *rule.Memory, g, theta graph.Value, biasScale float64) *Expansion {
	jet := graph.NewJet()
	e := &Expansion{jet: jet, theta: theta}

	moments := make([]graph.Value, len(m.Moments))
	for i, moment := range m.Moments {
		phi := moment.Apply(g, theta)
		moments[i] = phi.Mul(phi.Like(moment.Power(0))).Alias()
		jet.Set(moments[i], func(a, b int) graph.Value {
			var sum graph.Value
			for j := 0; j <= b; j++ {
				if mu := moment.Power(j); mu != 0 {
					sum = axpy(sum, sign(j)*binomial(a+j, j)*mu, jet.Coef(phi, a+j, b-j))
				}
			}
			return sum
		})
		e.series = append(e.series, reach.Series{Name: moment.Name, Value: moments[i], Like: phi})
	}
	u := m.Update(moments, g, theta)
	e.rates = []graph.Value{u}
	var c graph.Value
	if biasScale != 0 {
		sums, ages := fullMemory(m, g)
		f := Memoryless(m, sums, g, theta)
		hf := graph.JVP([]graph.Value{g}, []graph.Value{theta}, []graph.Value{f})[0]
		c = SecondOrderTerm(m, sums, ages, g, theta, f, hf)
		e.rates = append(e.rates, c)
	}

	jet.Set(theta, func(a, b int) graph.Value {
		if a == 0 {
			return graph.Value{}
		}
		rest := jet.Coef(u, a-1, b)
		if biasScale != 0 && b > 0 {
			rest = axpy(rest, biasScale, jet.Coef(c, a-1, b-1))
		}
		for j := 2; j <= b+1; j++ {
			rest = axpy(rest, binomial(a-1+j, j), jet.Coef(theta, a-1+j, b+1-j))
		}
		return rest.Mul(rest.Like(-1 / float64(a)))
	})
	return e
}

// Field returns f_b.
func (e *Expansion) Field(b int) graph.Value { return e.jet.Coef(e.theta, 1, b) }

// reach compiles how many of the first order fields there are, as a function of theta.
func (e *Expansion) reach(order, threads int) (*reach.Reach, error) {
	series := append([]reach.Series{{Name: "theta", Value: e.theta, Rates: e.rates}}, e.series...)
	return reach.Compile(e.jet, series, order, []graph.Value{e.theta}, threads)
}

// axpy returns y + a x; the zero Value stands for y = 0.
func axpy(y graph.Value, a float64, x graph.Value) graph.Value {
	ax := x.Mul(x.Like(a))
	if !y.Valid() {
		return ax
	}
	return y.Add(ax)
}

func sign(j int) float64 {
	if j%2 == 1 {
		return -1
	}
	return 1
}

func binomial(n, k int) float64 {
	c := 1.0
	for i := 1; i <= k; i++ {
		c = c * float64(n-k+i) / float64(i)
	}
	return c
}
