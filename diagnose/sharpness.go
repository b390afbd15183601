package diagnose

import (
	"fmt"
	"math"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/rule"
)

// Preconditioner is the diagonal 1/P by which a rule multiplies small changes of the gradient once they last, the adaptive
// moments (those of phi(g) other than g) held fixed: 1/sqrt(v + eps) for Adam, 1/(1-beta) for heavy ball, 1 for plain descent.
//
// Near a minimum the rule is a linear recursion in it. Its oscillation of period 2 grows where an eigenvalue of P^-1 H exceeds
// the threshold (2/h) D(1)/D(-1), D(z) being the response of the update to a gradient g z^n. For Adam this is
// (2 + 2 beta1) / ((1 - beta1) h) (arXiv:2207.14484), for heavy ball 2 (1 + beta) / ((1 - beta) h), for plain descent 2/h.
// Decoupled weight decay, which shifts all eigenvalues by lambda, is left out.
type Preconditioner[T graph.Float] struct {
	rule    *rule.Rule
	program *engine.Program // g, theta, the other inputs of a step -> sqrt(D(1)), D(1)/D(-1) of each element
	lr      []T             // an input of steps that is of no use here
	scalars [][]T
	in, out []engine.Buffer
	ratio   []T
}

// NewPreconditioner compiles the preconditioner of a rule for dim parameters.
func NewPreconditioner[T graph.Float](r *rule.Rule, dim, threads int) (*Preconditioner[T], error) {
	m, err := r.MemoryForm()
	if err != nil {
		return nil, err
	}
	b, t := graph.NewBuilder(), graph.TypeOf[T]()
	g, theta := b.Param("g", t, dim), b.Param("theta", t, dim)
	call, inputs := r.Inputs(theta, g)
	s := m.Of(call)
	steady, alternating := response(m, s, g, theta, 1), response(m, s, g, theta, -1)
	p := &Preconditioner[T]{rule: r, lr: make([]T, 1), ratio: make([]T, dim)}
	in := append([]graph.Value{g, theta}, inputs...)
	p.program, err = engine.Compile(in, []graph.Value{steady.Sqrt(), steady.Div(alternating)}, engine.Options{Threads: threads})
	if err != nil {
		return nil, fmt.Errorf("preconditioner of %s: %w", r.Name, err)
	}
	p.in, p.out = make([]engine.Buffer, len(in)), make([]engine.Buffer, 2)
	p.in[2] = engine.Of(p.lr)
	for i := range r.Scalars {
		p.scalars = append(p.scalars, make([]T, 1))
		p.in[3+i] = engine.Of(p.scalars[i])
	}
	return p, nil
}

// response returns the derivative of the update by the amplitude of a gradient that changes as z^n, z = 1 or -1: a moment of g
// itself answers with sum_k w(k) z^-k of the full memory.
func response(memory *rule.Memory, s []graph.Value, g, theta graph.Value, z float64) graph.Value {
	xs, dxs := []graph.Value{}, []graph.Value{}
	names := make([]graph.Value, len(s))
	one := g.Like(1).BroadcastTo(g.Shape()...)
	for i, m := range memory.Moments {
		names[i] = s[i].Alias()
		if m.Phi != nil {
			continue
		}
		w := m.Kernel.First + z*m.Kernel.Next/(1-z*m.Kernel.Beta)
		if m.Corrected {
			w /= m.Kernel.Sum(modeq.FullMemory)
		}
		xs, dxs = append(xs, names[i]), append(dxs, one.Mul(g.Like(w)))
	}
	present := g.Alias()
	u := memory.Update(names, present, theta)
	return graph.JVP([]graph.Value{u}, append(xs, present), append(dxs, one))[0]
}

// At writes the roots of 1/P in the coming step n into root, given theta, the gradient there and the rule's memory
// (rule.Stepper's State). It returns the threshold at step size h.
func (p *Preconditioner[T]) At(n int, h float64, theta, g []T, state [][]T, root []T) (threshold float64, err error) {
	p.in[0], p.in[1] = engine.Of(g), engine.Of(theta)
	for i, scalar := range p.rule.Scalars {
		p.scalars[i][0] = T(scalar(n))
	}
	for i, s := range state {
		p.in[3+len(p.scalars)+i] = engine.Of(s)
	}
	p.out[0], p.out[1] = engine.Of(root), engine.Of(p.ratio)
	if err := p.program.Run(p.in, p.out); err != nil {
		return 0, err
	}
	smallest := math.Inf(1)
	for _, r := range p.ratio {
		if r := float64(r); r > 0 && r < smallest {
			smallest = r
		}
	}
	return 2 / h * smallest, nil
}

// Preconditioned returns the operator P^-1/2 H P^-1/2, whose eigenvalues are those of P^-1 H, given the roots of 1/P.
func Preconditioned[T graph.Float](root []T, hvp func(v, hv []T) error) func(v, av []T) error {
	scaled := make([]T, len(root))
	return func(v, av []T) error {
		for i, r := range root {
			scaled[i] = r * v[i]
		}
		if err := hvp(scaled, av); err != nil {
			return err
		}
		for i, r := range root {
			av[i] *= r
		}
		return nil
	}
}
