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
// with u counted in the rule's own steps; the second in the form of [rule.Rule.Centered]. The gradient half a step back, g - (1/2) H f_0, is
// had to that order without a Hessian-vector product, as the gradient at theta - (1/2) f_0. Where f_0 of theta is known from the state
// alone, as Adam's is, that is the only gradient.
//
// The objective works in T; the state, and what is made of the gradient, are float64. An Equation is not for concurrent use.
type Equation[T graph.Float] struct {
	objective objective.Objective[T]
	rule      *rule.Rule
	order     int
	reads     bool         // f_0 of theta reads the gradient
	field     *elementwise // the state, and the gradient where it wants it, to the field
	back      *elementwise // order 2: to theta half a step back

	theta    []T
	g        []T
	g64      []float64
	thetaMid []float64
	negative int
}

// NewEquation returns the equation. The error says what family the rule lacks.
func NewEquation[T graph.Float](r *rule.Rule, o objective.Objective[T], order, threads int) (*Equation[T], error) {
	if order != 1 && order != 2 {
		return nil, fmt.Errorf("modified equation of order %d on an objective: want 1 or 2", order)
	}
	dim := o.Dim()
	e := &Equation[T]{objective: o, rule: r, order: order, theta: make([]T, dim), g: make([]T, dim), g64: make([]float64, dim)}
	var err error
	if e.field, err = compileElementwise(r, dim, 1, fieldOf(r, order), threads); err != nil || order == 1 {
		return e, err
	}
	if e.reads, err = readsGradient(r, dim); err != nil {
		return nil, err
	}
	e.thetaMid = make([]float64, dim)
	e.back, err = compileElementwise(r, dim, 1, halfBack(r), threads)
	return e, err
}

// fieldOf makes the field of an order.
func fieldOf(r *rule.Rule, order int) recording {
	if order == 1 {
		return func(at []rule.Call, age graph.Value) ([]graph.Value, error) { return atRest(r, at[0], age) }
	}
	return func(at []rule.Call, age graph.Value) ([]graph.Value, error) { return secondOrder(r, at[0], age) }
}

// halfBack makes theta half a step back.
func halfBack(r *rule.Rule) recording {
	return func(at []rule.Call, age graph.Value) ([]graph.Value, error) {
		f0, err := atRest(r, at[0], age)
		if err != nil {
			return nil, err
		}
		return []graph.Value{back(at[0].Theta, f0[0])}, nil
	}
}

// atRest returns f_0, the velocity of the family in the limit of small steps.
func atRest(r *rule.Rule, c rule.Call, age graph.Value) ([]graph.Value, error) {
	rate := func(beta float64) graph.Value { return age.Like(math.Log(beta)) }
	return velocity(r, c, rule.Scale{Age: age, Rate: rate})
}

func velocity(r *rule.Rule, c rule.Call, at rule.Scale) ([]graph.Value, error) {
	theta, state, err := r.Velocity(c, at)
	return append([]graph.Value{theta}, state...), err
}

// back returns a value half a step before.
func back(v, rate graph.Value) graph.Value { return v.Sub(rate.Mul(rate.Like(0.5))) }

// secondOrder returns f_0 + f_1 up to terms of third order, where the call has the gradient half a step back.
func secondOrder(r *rule.Rule, c rule.Call, age graph.Value) ([]graph.Value, error) {
	f0, err := atRest(r, c, age)
	if err != nil {
		return nil, err
	}
	at := rule.Call{Theta: back(c.Theta, f0[0]), G: c.G, LR: c.LR, State: c.State}
	var before []graph.Value
	for i, s := range c.State {
		before = append(before, back(s, f0[1+i]))
	}
	theta, state, err := r.Centered(at, before, age)
	return append([]graph.Value{theta}, state...), err
}

// readsGradient reports whether f_0 of theta reads the gradient, and not the state alone: whether it moves with it.
func readsGradient(r *rule.Rule, dim int) (bool, error) {
	b := graph.NewBuilder()
	c := rule.Call{Theta: b.Param("theta", graph.Float64, dim), G: b.Param("g", graph.Float64, dim), LR: b.Param("lr", graph.Float64)}
	c.State = arrays(r, c.Theta)
	f0, err := atRest(r, c, b.Param("age", graph.Float64))
	if err != nil {
		return false, err
	}
	return len(graph.MadeOf([]*graph.Node{f0[0].Node()}, []*graph.Node{c.G.Node()})) > 0, nil
}

// Size returns the number of elements of a state: theta and each array of the rule's.
func (e *Equation[T]) Size() int { return sizeOf(e.rule, e.objective.Dim()) }

// Gradients returns how many gradients an evaluation costs.
func (e *Equation[T]) Gradients() int {
	if e.order == 2 && e.reads {
		return 2
	}
	return 1
}

// At writes dz/du at a state of an age, which is u, on a batch.
func (e *Equation[T]) At(ctx context.Context, lr, age float64, batch int, z, dzdu []float64) error {
	e.negative += e.field.countNegative(z)
	theta := z[:len(e.theta)]
	if e.order == 1 || e.reads {
		if err := e.gradient(ctx, batch, theta); err != nil {
			return err
		}
	}
	if e.order == 2 {
		if err := e.back.run(ctx, lr, age, e.thetaMid, point{z, e.g64}); err != nil {
			return err
		}
		if err := e.gradient(ctx, batch, e.thetaMid); err != nil {
			return err
		}
	}
	return e.field.run(ctx, lr, age, dzdu, point{z, e.g64})
}

func (e *Equation[T]) gradient(ctx context.Context, batch int, theta []float64) error {
	convert(e.theta, theta)
	_, err := e.objective.Evaluate(ctx, e.theta, batch, objective.Want[T]{Gradient: e.g})
	convert(e.g64, e.g)
	return err
}

// Negative returns how many coordinates of states that cannot be negative in a run were so, and counted as 0, in all evaluations so far.
func (e *Equation[T]) Negative() int { return e.negative }

func convert[A, B graph.Float](to []A, from []B) {
	for i, v := range from {
		to[i] = A(v)
	}
}
