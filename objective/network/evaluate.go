package network

import (
	"fmt"

	"shadowflow/dataset"
	"shadowflow/engine"
	"shadowflow/graph"
)

// pass runs a program of one kind on each physical batch of a batch. prepare sets the program's further inputs and outputs
// before each run, done takes what it gave with the physical batch's share of the examples. Both may be nil.
func (o *Objective[T]) pass(batch int, theta []T, find func(n int) (*program[T], error),
	prepare func(i int, p *program[T]), done func(i int, share float64)) (Evaluation, error) {
	if err := o.check(batch); err != nil {
		return Evaluation{}, err
	}
	if len(theta) != o.Dim() {
		return Evaluation{}, fmt.Errorf("network: %d parameters: want %d", len(theta), o.Dim())
	}
	from, to := o.span(batch)
	e := Evaluation{Examples: to - from}
	for i, at := 0, from; at < to; i++ {
		if o.opt.Interrupted != nil {
			if err := o.opt.Interrupted(); err != nil {
				return e, err
			}
		}
		next := min(at+o.opt.Physical, to)
		p, err := find(next - at)
		if err != nil {
			return e, err
		}
		prepare(i, p)
		x, labels := o.examples(at, next)
		if err := p.run(theta, x, labels); err != nil {
			return e, fmt.Errorf("network: %w", err)
		}
		share := float64(next-at) / float64(to-from)
		e.Loss += share * float64(p.loss[0])
		e.Hits += float64(p.hits[0])
		if done != nil {
			done(i, share)
		}
		at = next
	}
	return e, nil
}

// find returns a finder of programs of one kind.
func (o *Objective[T]) find(k kind) func(n int) (*program[T], error) {
	return func(n int) (*program[T], error) { return o.program(programKey{kind: k, n: n}) }
}

// sum collects, into out, a vector that each physical batch gives: the i-th of several. The only physical batch of a batch writes in
// place.
type sum[T graph.Float] struct {
	out, partial []T
	whole        bool
}

func (o *Objective[T]) sum(batch, i int, out []T) *sum[T] {
	s := &sum[T]{out: out, whole: o.Whole(batch)}
	if s.whole {
		return s
	}
	clear(out)
	for len(o.partials) <= i {
		o.partials = append(o.partials, make([]T, o.Dim()))
	}
	s.partial = o.partials[i]
	return s
}

func (s *sum[T]) target() engine.Buffer {
	if s.whole {
		return engine.Of(s.out)
	}
	return engine.Of(s.partial)
}

func (s *sum[T]) add(share float64) {
	if s.whole {
		return
	}
	w := T(share)
	for j, v := range s.partial {
		s.out[j] += w * v
	}
}

// statistics makes a program that has statistics behind its first outputs give those of physical batch i.
func (o *Objective[T]) statistics(i int, p *program[T], outputs int) {
	if len(p.out) == outputs {
		return
	}
	if i == len(o.stats) {
		o.stats = append(o.stats, make([]T, o.model.NumStats()))
	}
	o.seen = i + 1
	p.out[outputs] = engine.Of(o.stats[i])
}

// Loss returns a batch's loss and hits at theta, batch normalization in training mode.
func (o *Objective[T]) Loss(batch int, theta []T) (Evaluation, error) {
	return o.pass(batch, theta, o.find(kindLoss), func(int, *program[T]) {}, nil)
}

// Evaluate writes the gradient of a batch's loss at theta into g and returns the loss and hits there.
func (o *Objective[T]) Evaluate(batch int, theta, g []T) (Evaluation, error) {
	if err := o.checkVector("gradient", g); err != nil {
		return Evaluation{}, err
	}
	s := o.sum(batch, 0, g)
	prepare := func(i int, p *program[T]) {
		p.out[2] = s.target()
		o.statistics(i, p, 3)
	}
	return o.pass(batch, theta, o.find(kindGradient), prepare, func(_ int, share float64) { s.add(share) })
}

// Gradient writes the gradient of a batch's loss at theta into g.
func (o *Objective[T]) Gradient(batch int, theta, g []T) error {
	_, err := o.Evaluate(batch, theta, g)
	return err
}

// HVP writes the product of the Hessian of a batch's loss at theta with v into hv.
func (o *Objective[T]) HVP(batch int, theta, v, hv []T) error {
	return o.HVPs(batch, theta, [][]T{v}, [][]T{hv})
}

// HVPs writes the products of the Hessian of a batch's loss at theta with each of vs into hvs, in one pass: the gradient that the
// products share is computed once.
func (o *Objective[T]) HVPs(batch int, theta []T, vs, hvs [][]T) error {
	if len(vs) == 0 || len(vs) != len(hvs) {
		return fmt.Errorf("network: %d vectors and room for %d products: want as many, at least one", len(vs), len(hvs))
	}
	sums := make([]*sum[T], len(vs))
	for i := range vs {
		if err := o.checkVector("direction", vs[i]); err != nil {
			return err
		}
		if err := o.checkVector("Hessian-vector product", hvs[i]); err != nil {
			return err
		}
		sums[i] = o.sum(batch, i, hvs[i])
	}
	find := func(n int) (*program[T], error) {
		return o.program(programKey{kind: kindHVP, n: n, vectors: len(vs)})
	}
	prepare := func(_ int, p *program[T]) {
		for i, v := range vs {
			p.in[3+i] = engine.Of(v)
			p.out[i] = sums[i].target()
		}
	}
	_, err := o.pass(batch, theta, find, prepare, func(_ int, share float64) {
		for _, s := range sums {
			s.add(share)
		}
	})
	return err
}

func (o *Objective[T]) checkVector(name string, v []T) error {
	if len(v) != o.Dim() {
		return fmt.Errorf("network: %s of %d numbers: want %d", name, len(v), o.Dim())
	}
	return nil
}

// Test returns loss and hits on other examples, batch normalization by its running averages.
func (o *Objective[T]) Test(theta []T, part dataset.Part) (Evaluation, error) {
	other := &Objective[T]{
		model: o.model, loss: o.loss, part: part, programs: o.programs,
		opt: Options{Physical: o.opt.Physical, Threads: o.opt.Threads, Interrupted: o.opt.Interrupted},
	}
	prepare := func(_ int, p *program[T]) {
		if len(p.in) > 3 {
			p.in[3] = engine.Of(o.running)
		}
	}
	return other.pass(Full, theta, other.find(kindTest), prepare, nil)
}
