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
// Near a minimum the rule is then a linear recursion, with a mode z^n for every root of z - 1 + h lambda D(z)/D(1) = 0, lambda an eigenvalue of
// P^-1 H and D(z) the response of the update to a gradient g z^n. That says where the recursion changes; see [Stability]. Decoupled weight
// decay, which shifts all eigenvalues by lambda, is left out.
type Preconditioner[T graph.Float] struct {
	rule    *rule.Rule
	kernels []rule.Moment   // the moments of g itself
	program *engine.Program // g, theta, the other inputs of a step, a weight for each of those moments and for g itself -> D
	lr      []T             // an input of steps that is of no use here
	scalars [][]T
	weights [][]T
	in, out []engine.Buffer
	parts   [][][2]int // from and to of the elements of each group, of all without groups
	// D(1), D(-1) and what a moment, or g itself, adds to D(1).
	steady, alternating, part []T
}

// Stability says from which eigenvalues of P^-1 H on a rule's linear recursion changes, at a step size.
type Stability struct {
	// PeriodTwo is where the oscillation of period 2 begins to grow, since the largest mode is at -1: (2/h) D(1)/D(-1). For Adam this is
	// (2 + 2 beta1) / ((1 - beta1) h) (arXiv:2207.14484), for heavy ball 2 (1 + beta) / ((1 - beta) h), for plain descent 2/h.
	PeriodTwo float64
	// Memory is where the mode that the modified equation without memory follows meets another and leaves the real axis: beyond it, the
	// equation's series diverges. It is the largest (1 - z) D(1)/(h D(z)) between the moments' poles and 1: for Adam and heavy ball
	// (1 - sqrt beta1)/((1 + sqrt beta1) h) (arXiv:2509.08483), for plain descent 1/h, where log(1 - h lambda) has no series.
	//
	// Both are +Inf where the step does not change with g, as that of signs.
	Memory float64
	// Uneven says that groups of weights answer to the past differently, as with other betas, so that neither is one number: oscillations of period two
	// grow where the largest eigenvalue of D(-1) H is above 2/h, see [Preconditioner.Alternation]. Where elements of one optimizer do, as those of centered
	// RMSProp, both are NaN: there P itself changes with means of the gradient, and the recursion is not linear in them.
	Uneven bool
}

// mostUneven is how far D(1)/D(-1) of elements may lie apart that answer alike: beyond what float32 does to them.
const mostUneven = 1e-3

// NewPreconditioner compiles the preconditioner of a rule for dim parameters.
func NewPreconditioner[T graph.Float](r *rule.Rule, dim, threads int) (*Preconditioner[T], error) {
	m, err := r.MemoryForm()
	if err != nil {
		return nil, err
	}
	p := &Preconditioner[T]{rule: r, lr: make([]T, 1), steady: make([]T, dim), alternating: make([]T, dim), part: make([]T, dim), parts: [][][2]int{{{0, dim}}}}
	for i, part := range r.Parts() {
		if i == 0 {
			p.parts = nil
		}
		p.parts = append(p.parts, part.Spans())
	}
	b, t := graph.NewBuilder(), graph.TypeOf[T]()
	g, theta := b.Param("g", t, dim), b.Param("theta", t, dim)
	call, in := r.Inputs(theta, g)
	in = append([]graph.Value{g, theta}, in...)
	for range r.Scalars {
		p.scalars = append(p.scalars, make([]T, 1))
	}
	var weights []graph.Value
	for _, moment := range append(m.Moments, rule.Moment{Name: "g"}) {
		if moment.Phi == nil {
			weights = append(weights, b.Param("weight of "+moment.Name, t))
			p.kernels, p.weights = append(p.kernels, moment), append(p.weights, make([]T, 1))
		}
	}
	p.kernels = p.kernels[:len(p.kernels)-1]
	d := response(m, m.Of(call), g, theta, weights)
	p.program, err = engine.Compile(append(in, weights...), []graph.Value{d}, engine.Options{Threads: threads})
	if err != nil {
		return nil, fmt.Errorf("preconditioner of %s: %w", r.Name, err)
	}
	return p, nil
}

// response returns the derivative of the update along the moments of g itself, and g, each times its weight.
func response(memory *rule.Memory, s []graph.Value, g, theta graph.Value, weights []graph.Value) graph.Value {
	var xs, dxs []graph.Value
	names := make([]graph.Value, len(s))
	one := g.Like(1).BroadcastTo(g.Shape()...)
	for i, m := range memory.Moments {
		names[i] = s[i].Alias()
		if m.Phi == nil {
			xs, dxs = append(xs, names[i]), append(dxs, one.Mul(weights[len(dxs)]))
		}
	}
	present := g.Alias()
	u := memory.Update(names, present, theta)
	return graph.JVP([]graph.Value{u}, append(xs, present), append(dxs, one.Mul(weights[len(dxs)])))[0]
}

// answer returns sum_k w(k) z^-k of a moment in step n, of the full memory where n is negative, over the sum of its weights if it is
// corrected: what it answers to a gradient z^n.
func answer(m rule.Moment, z float64, n int) float64 {
	w := m.Kernel.First + m.Kernel.Next/(z-m.Kernel.Beta)
	if m.Corrected {
		w /= m.Kernel.Sum(n)
	}
	return w
}

// set prepares the coming step n, given theta, the gradient there and the rule's memory (rule.Stepper's State).
func (p *Preconditioner[T]) set(n int, theta, g []T, state [][]T) {
	for i, scalar := range p.rule.Scalars {
		p.scalars[i][0] = T(scalar(n))
	}
	p.in = append(p.in[:0], engine.Of(g), engine.Of(theta), engine.Of(p.lr))
	for _, of := range [][][]T{p.scalars, state, p.weights} {
		for _, v := range of {
			p.in = append(p.in, engine.Of(v))
		}
	}
}

// respond writes into d what the moments of g itself, and g, weighted so, make of the update.
func (p *Preconditioner[T]) respond(d []T, weight func(i int) float64) error {
	for i := range p.weights {
		p.weights[i][0] = T(weight(i))
	}
	p.out = append(p.out[:0], engine.Of(d))
	return p.program.Run(p.in, p.out)
}

// of returns the weights of D(z) in step n.
func (p *Preconditioner[T]) of(z float64, n int) func(i int) float64 {
	return func(i int) float64 {
		if i == len(p.kernels) {
			return 1
		}
		return answer(p.kernels[i], z, n)
	}
}

// At writes the roots of 1/P in the coming step n into root, given theta, the gradient there and the rule's memory
// (rule.Stepper's State). It returns where the recursion changes at step size h, of the element where that is first.
func (p *Preconditioner[T]) At(n int, h float64, theta, g []T, state [][]T, root []T) (Stability, error) {
	p.set(n, theta, g, state)
	if err := p.respond(p.steady, p.of(1, modeq.FullMemory)); err != nil {
		return Stability{}, err
	}
	if err := p.respond(p.alternating, p.of(-1, modeq.FullMemory)); err != nil {
		return Stability{}, err
	}
	for j, d := range p.steady {
		root[j] = T(math.Sqrt(float64(d)))
	}
	smallest, largest, first := math.Inf(1), 0., 0
	for _, part := range p.parts {
		low, high, at := p.ratios(part)
		if !(low > 0) || high > (1+mostUneven)*low {
			return Stability{PeriodTwo: math.NaN(), Memory: math.NaN()}, nil
		}
		if largest = max(largest, high); low < smallest {
			smallest, first = low, at
		}
	}
	if largest > (1+mostUneven)*smallest {
		return Stability{PeriodTwo: math.NaN(), Memory: math.NaN(), Uneven: true}, nil
	}
	if math.IsInf(smallest, 1) { // a step of signs does not answer to a small change of g
		return Stability{PeriodTwo: smallest, Memory: smallest}, nil
	}
	edge, err := p.memoryEdge(first)
	return Stability{PeriodTwo: 2 / h * smallest, Memory: edge / h}, err
}

// ratios returns the smallest and the largest D(1)/D(-1) of the elements of a part, and where the smallest is: +Inf and 0 where the step does not change
// with g.
func (p *Preconditioner[T]) ratios(part [][2]int) (low, high float64, at int) {
	low = math.Inf(1)
	for _, span := range part {
		for j := span[0]; j < span[1]; j++ {
			if p.steady[j] == 0 && p.alternating[j] == 0 {
				continue
			}
			r := float64(p.steady[j] / p.alternating[j])
			if high = max(high, r); r < low || math.IsNaN(r) {
				low, at = r, j
			}
		}
	}
	return low, high, at
}

// Alternation writes the roots of D(-1) of the full memory at the point of the last At into root, NaN where it is below 0.
func (p *Preconditioner[T]) Alternation(root []T) {
	for j, d := range p.alternating {
		root[j] = T(math.Sqrt(float64(d)))
	}
}

// Alternating writes D(-1) of the coming step n, its bias correction included, into d: what the update makes of a gradient that changes its sign
// at every step.
func (p *Preconditioner[T]) Alternating(n int, theta, g []T, state [][]T, d []T) error {
	p.set(n, theta, g, state)
	return p.respond(d, p.of(-1, n))
}

// memoryEdge returns the largest (1 - z) D(1)/D(z) of an element.
func (p *Preconditioner[T]) memoryEdge(j int) (float64, error) {
	shares := make([]float64, len(p.weights))
	pole := 0.0
	for i := range shares {
		alone := func(k int) float64 {
			if k != i {
				return 0
			}
			return p.of(1, modeq.FullMemory)(i)
		}
		if err := p.respond(p.part, alone); err != nil {
			return 0, err
		}
		shares[i] = float64(p.part[j]) / float64(p.steady[j])
		if i < len(p.kernels) && shares[i] != 0 && p.kernels[i].Kernel.Next != 0 {
			pole = max(pole, p.kernels[i].Kernel.Beta)
		}
	}
	return peak(func(z float64) float64 {
		d := 0.0
		for i, share := range shares {
			d += share * p.of(z, modeq.FullMemory)(i) / p.of(1, modeq.FullMemory)(i)
		}
		return (1 - z) / d
	}, pole, 1), nil
}

// peak returns the largest value of a function that rises and then falls between low and high, by golden sections.
func peak(f func(x float64) float64, low, high float64) float64 {
	const golden = 0.6180339887498949
	for range 80 {
		a, b := high-golden*(high-low), low+golden*(high-low)
		if f(a) < f(b) {
			low = a
		} else {
			high = b
		}
	}
	return f((low + high) / 2)
}

// Preconditioned returns the operator P^-1/2 H P^-1/2 on several vectors at once, whose eigenvalues are those of P^-1 H, given the roots of 1/P and the
// products with H.
func Preconditioned[T graph.Float](root []T, hessian func(vs, hvs [][]T) error) func(vs, avs [][]T) error {
	var scaled [][]T
	return func(vs, avs [][]T) error {
		for len(scaled) < len(vs) {
			scaled = append(scaled, make([]T, len(root)))
		}
		for k, v := range vs {
			for i, r := range root {
				scaled[k][i] = r * v[i]
			}
		}
		if err := hessian(scaled[:len(vs)], avs); err != nil {
			return err
		}
		for _, av := range avs {
			for i, r := range root {
				av[i] *= r
			}
		}
		return nil
	}
}

// AlongGradient returns g' D H g / |g|^2, given the diagonal D, g and H g: the sharpness along the gradient of an update that multiplies by D what
// changes its sign at every step. Where it stays above 2/h, a spike of the loss is coming (lambda_grad of arXiv:2506.04805).
func AlongGradient[T graph.Float](d, g, hg []T) float64 {
	type sums struct{ above, below float64 }
	s := SumBlocks(len(g), func(from, to int) sums {
		var s sums
		for j := from; j < to; j++ {
			x := float64(g[j])
			s.above += x * float64(d[j]) * float64(hg[j])
			s.below += x * x
		}
		return s
	}, func(total *sums, part sums) {
		total.above += part.above
		total.below += part.below
	})
	return ratio(s.above, s.below)
}
