package state

import (
	"context"
	"fmt"
	"math"

	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Equation is the modified equation of order 1 or 2 of a rule on an objective,
//
//	dz/du = f_0    or    dz/du = f_0 + f_1 + O(h^3),
//
// with u counted in the rule's own steps; the second in the form of [rule.Rule.Centered]. The objective works in T; the state, and what is made of the gradient and the product, are
// float64. It is not for concurrent use.
type Equation[T graph.Float] struct {
	objective objective.Objective[T]
	rule      *rule.Rule
	order     int
	direction *objective.Direction // f_0 of theta
	fields    *elementwise         // theta, g, [H f_0,] s.. -> the field of theta and of s..

	theta, g, hf []T
	given        [][]T // state, lr, age
	g64, hf64    []float64
	negative     int
}

// NewEquation returns the equation. The error says what family the rule lacks.
func NewEquation[T graph.Float](r *rule.Rule, o objective.Objective[T], order, threads int) (*Equation[T], error) {
	if order != 1 && order != 2 {
		return nil, fmt.Errorf("modified equation of order %d on an objective: want 1 or 2", order)
	}
	dim := o.Dim()
	e := &Equation[T]{objective: o, rule: r, order: order, theta: make([]T, dim), g: make([]T, dim), g64: make([]float64, dim)}
	var err error
	record := func(c rule.Call, extra []graph.Value, age graph.Value) ([]graph.Value, error) {
		if order == 1 {
			return atRest(r, c, age)
		}
		return secondOrder(r, c, extra[0], age)
	}
	if e.fields, err = compileElementwise(r, dim, order-1, record, threads); err != nil {
		return nil, err
	}
	if order == 1 {
		return e, nil
	}
	e.hf, e.hf64 = make([]T, dim), make([]float64, dim)
	for range r.State {
		e.given = append(e.given, make([]T, dim))
	}
	e.given = append(e.given, make([]T, 1), make([]T, 1))
	e.direction = &objective.Direction{Vectors: len(r.State), Scalars: 2, Make: func(g, theta graph.Value, given []graph.Value) graph.Value {
		m := len(r.State)
		d, err := atRest(r, rule.Call{Theta: theta, G: g, State: given[:m], LR: given[m]}, given[m+1])
		if err != nil { // which compiling the fields would have said
			return graph.Value{}
		}
		return d[0]
	}}
	return e, nil
}

// atRest returns f_0, the velocity of the family in the limit of small steps.
func atRest(r *rule.Rule, c rule.Call, age graph.Value) ([]graph.Value, error) {
	rate := func(beta float64) graph.Value { return age.Like(math.Log(beta)) }
	return velocity(r, c, rule.Scale{Size: age.Like(0), Age: age, Rate: rate})
}

func velocity(r *rule.Rule, c rule.Call, at rule.Scale) ([]graph.Value, error) {
	theta, state, err := r.Velocity(c, at)
	return append([]graph.Value{theta}, state...), err
}

// secondOrder returns f_0 + f_1 up to terms of third order, in the form of [rule.Rule.Centered].
func secondOrder(r *rule.Rule, c rule.Call, hf, age graph.Value) ([]graph.Value, error) {
	f0, err := atRest(r, c, age)
	if err != nil {
		return nil, err
	}
	back := func(v, rate graph.Value) graph.Value { return v.Sub(rate.Mul(rate.Like(0.5))) }
	at := rule.Call{Theta: back(c.Theta, f0[0]), G: back(c.G, hf), LR: c.LR, State: c.State}
	var before []graph.Value
	for i, s := range c.State {
		before = append(before, back(s, f0[1+i]))
	}
	theta, state, err := r.Centered(at, before, age)
	return append([]graph.Value{theta}, state...), err
}

// alias returns a call with names for theta, g and the state, so that they are moved apart from one another.
func alias(c rule.Call) rule.Call {
	out := rule.Call{Theta: c.Theta.Alias(), G: c.G.Alias(), LR: c.LR}
	for _, s := range c.State {
		out.State = append(out.State, s.Alias())
	}
	return out
}

// Size returns the number of elements of a state: theta and each array of the rule's.
func (e *Equation[T]) Size() int { return e.objective.Dim() * (1 + len(e.rule.State)) }

// At writes dz/du at a state of an age, which is u, on a batch: at one gradient of the objective, with order 2 together with one
// Hessian-vector product.
func (e *Equation[T]) At(ctx context.Context, lr, age float64, batch int, z, dzdu []float64) error {
	dim := len(e.theta)
	convert(e.theta, z[:dim])
	e.negative += e.fields.countNegative(z)
	want := objective.Want[T]{Gradient: e.g}
	if e.order == 2 {
		m := len(e.rule.State)
		for i := range m {
			convert(e.given[i], z[(1+i)*dim:(2+i)*dim])
		}
		e.given[m][0], e.given[m+1][0] = T(lr), T(age)
		want.Along, want.Given, want.HField = e.direction, e.given, e.hf
	}
	if _, err := e.objective.Evaluate(ctx, e.theta, batch, want); err != nil {
		return err
	}
	convert(e.g64, e.g)
	if e.order == 1 {
		return e.fields.run(lr, age, z, e.g64, nil, dzdu)
	}
	convert(e.hf64, e.hf)
	return e.fields.run(lr, age, z, e.g64, [][]float64{e.hf64}, dzdu)
}

// Negative returns how many coordinates of states that cannot be negative in a run were so, and counted as 0, in all evaluations so far.
func (e *Equation[T]) Negative() int { return e.negative }

func convert[A, B graph.Float](to []A, from []B) {
	for i, v := range from {
		to[i] = A(v)
	}
}
