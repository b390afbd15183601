package state

import (
	"math"

	"shadowflow/graph"
	"shadowflow/modeq/reach"
	"shadowflow/rule"
)

// Point is a state as graph code.
type Point struct {
	Theta graph.Value
	State []graph.Value
	// LR is the rule's own step size and Age the number of its steps that have gone by, scalars.
	LR, Age graph.Value
}

// values returns theta and the arrays.
func (p Point) values() []graph.Value { return append([]graph.Value{p.Theta}, p.State...) }

// Expansion is the modified equation at a point as a series.
type Expansion struct {
	jet     *graph.Jet
	names   []string
	z, rate []graph.Value // theta and the arrays, and the velocity D of the family
}

// Expand returns the modified equation at a point, of a rule, given the loss's gradient g, made from theta: for the step of size e
// over the rule's own,
//
//	dz/du = f_0 + e f_1 + e^2 f_2 + ..,    u counted in the rule's own steps.
//
// With D the velocity of the family, evaluated on the series z(u; e) = sum c_ab u^a e^b with c_00 = z and c_0b = 0,
//
//	(a+1) c_(a+1)b = [D]_ab - sum_{j=2..b+1} binom(a+j, j) c_(a+j)(b+1-j),    f_b = c_1b.
//
// The error says what family the rule lacks.
func Expand(r *rule.Rule, g graph.Value, p Point) (*Expansion, error) {
	jet := graph.NewJet()
	size := p.Theta.Like(0).Alias()
	jet.Set(size, func(a, b int) graph.Value {
		if a == 0 && b == 1 {
			return size.Like(1)
		}
		return graph.Value{}
	})
	jet.Set(p.Age, func(a, b int) graph.Value {
		if a == 1 && b == 0 {
			return size.Like(1)
		}
		return graph.Value{}
	})
	call := rule.Call{Theta: p.Theta, G: g, LR: p.LR, State: p.State}
	dtheta, dstate, err := r.Velocity(call, rule.Scale{Size: size, Age: p.Age, Rate: seriesOfRates(jet, size)})
	if err != nil {
		return nil, err
	}
	z, d := p.values(), append([]graph.Value{dtheta}, dstate...)
	for i := range z {
		jet.Set(z[i], func(a, b int) graph.Value {
			if a == 0 {
				return graph.Value{}
			}
			sum := jet.Coef(d[i], a-1, b)
			for j := 2; j <= b+1; j++ {
				c := jet.Coef(z[i], a-1+j, b+1-j)
				sum = sum.Sub(c.Mul(c.Like(binomial(a-1+j, j))))
			}
			return sum.Mul(sum.Like(1 / float64(a)))
		})
	}
	return &Expansion{jet: jet, names: append([]string{"theta"}, r.State...), z: z, rate: d}, nil
}

// Field returns f_b as its parts for theta and for every array of state.
func (e *Expansion) Field(b int) []graph.Value {
	var field []graph.Value
	for _, z := range e.z {
		field = append(field, e.jet.Coef(z, 1, b))
	}
	return field
}

// reach compiles how many of the first order fields there are, as a function of in.
func (e *Expansion) reach(order int, in []graph.Value, threads int) (*reach.Reach, error) {
	var series []reach.Series
	for i, z := range e.z {
		series = append(series, reach.Series{Name: e.names[i], Value: z, Rates: e.rate[i : i+1]})
	}
	return reach.Compile(e.jet, series, order, in, threads)
}

// seriesOfRates returns (beta^e - 1)/e = sum_b (log beta)^(b+1) e^b / (b+1)!, for any beta, each made once.
func seriesOfRates(jet *graph.Jet, like graph.Value) func(beta float64) graph.Value {
	made := map[float64]graph.Value{}
	return func(beta float64) graph.Value {
		if v, ok := made[beta]; ok {
			return v
		}
		log := math.Log(beta)
		v := like.Like(log).Alias()
		jet.Set(v, func(a, b int) graph.Value {
			if a > 0 {
				return graph.Value{}
			}
			return like.Like(math.Pow(log, float64(b+1)) / math.Gamma(float64(b+2)))
		})
		made[beta] = v
		return v
	}
}

func binomial(n, k int) float64 {
	c := 1.0
	for i := 1; i <= k; i++ {
		c = c * float64(n-k+i) / float64(i)
	}
	return c
}
