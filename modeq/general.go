package modeq

import (
	"context"
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// past is the workspace of the general theorem.
type past[T graph.Float] struct {
	s      [][]T       // the moments of step l, bias correction included
	memory [][]T       // by moment: what the past contributes to the next step's raw moment
	prefix []T         // sum of (lr_l/lr_n) F^(l) over the window's steps before the present l
	f      []T         // F^(l)
	reach  [][][]T     // by batch and moment: sum of w_i(n-k) prefix_k over the batch's steps k, then the vector for the HVP
	weight [][]T       // by batch and moment: sum of w_i(n-k) over the batch's steps k
	ds     [][]T       // by moment: sum_k w_i(n-k) phi_i'(g_k) u_k
	tail   [][]float64 // by moment and batch: the memory's weights before the window
	dg     []T
	half   []T
	dphi   [][]T // by moment
	vs     [][]T // the vectors that one batch's Hessian is to be multiplied by
	hvs    [][]T // the products

	in, out []engine.Buffer // of the update: the moments, g, theta; U
}

func newPast[T graph.Float](batches int, memory *rule.Memory, dim int) *past[T] {
	moments := len(memory.Moments)
	ofMoments := func() (v [][]T) {
		for _, m := range memory.Moments {
			v = append(v, make([]T, m.Length(dim)))
		}
		return v
	}
	p := &past[T]{
		s: ofMoments(), memory: ofMoments(), ds: ofMoments(), dphi: ofMoments(),
		hvs: vectorsOf[T](moments+1, dim), prefix: make([]T, dim), f: make([]T, dim), dg: make([]T, dim), half: make([]T, dim),
	}
	p.in = append(buffers(p.s), engine.Buffer{}, engine.Buffer{})
	p.out = make([]engine.Buffer, 1)
	for range batches {
		p.reach = append(p.reach, vectorsOf[T](moments, dim))
		p.weight = append(p.weight, make([]T, moments))
	}
	for range moments {
		p.tail = append(p.tail, make([]float64, batches))
	}
	return p
}

func (p *past[T]) reset() {
	clear(p.prefix)
	clear(p.dg)
	for b := range p.reach {
		clear(p.weight[b])
		for i := range p.reach[b] {
			clear(p.reach[b][i])
		}
	}
	for i := range p.ds {
		clear(p.ds[i])
		clear(p.memory[i])
		clear(p.tail[i])
	}
}

// addTo sets y += a x.
func addTo[T graph.Float](y []T, a T, x []T) {
	for j, v := range x {
		y[j] += a * v
	}
}

func (s *SecondOrder[T]) batchOf(step int) int {
	if s.order == nil {
		return 0
	}
	return s.order(step)
}

// name turns an index into s.batches into the batch's name for the loss.
func (s *SecondOrder[T]) name(i int) int {
	if s.order == nil {
		return objective.Full
	}
	return i
}

// general evaluates the theorem as it stands, over the window of steps that the memory holds.
func (s *SecondOrder[T]) general(ctx context.Context, n int, theta, f, c []T) error {
	if s.p == nil {
		p, err := newGeneralPrograms[T](s.memory, s.dim, s.terms.options)
		if err != nil {
			return fmt.Errorf("modified equation of %s: %w", s.rule.Name, err)
		}
		s.p, s.past = p, newPast[T](len(s.batches), s.memory, s.dim)
	}
	s.past.reset()
	from := max(0, n-s.window)
	if c == nil {
		from = n // the past updates matter to C alone
	}
	if err := s.gradients(ctx, n, from, theta); err != nil {
		return err
	}
	s.recall(from)
	for l := from; l < n; l++ {
		if err := s.pastUpdate(l, n, theta); err != nil {
			return err
		}
	}
	s.moments(n)
	s.account(n, n)
	present := s.batches[s.batchOf(n)].g
	if err := s.updateAt(present, theta, f); err != nil || c == nil {
		return err
	}
	return s.secondOrderTerm(ctx, n, theta, present, f, c)
}

// gradients computes the gradient of every batch that the window, or the memory at its start, holds, and phi of it.
func (s *SecondOrder[T]) gradients(ctx context.Context, n, from int, theta []T) error {
	seen := make([]bool, len(s.batches))
	for l := max(0, from-s.window); l <= n; l++ {
		i := s.batchOf(l)
		if seen[i] {
			continue
		}
		seen[i] = true
		b, err := s.visit(ctx, i, s.name(i), theta)
		if err != nil {
			return err
		}
		if b.phi == nil {
			b.phi = make([][]T, len(s.memory.Moments))
			for m, program := range s.p.phi {
				if b.phi[m] = b.g; program != nil {
					b.phi[m] = make([]T, s.memory.Moments[m].Length(s.dim))
				}
			}
		}
		for m, program := range s.p.phi {
			if program == nil {
				continue
			}
			if err := program.Run(buffers([][]T{b.g, theta}), buffers([][]T{b.phi[m]})); err != nil {
				return err
			}
		}
	}
	return nil
}

// recall sets the memory to what it holds before step from. Its weights do not depend on theta, so this is a recursion on
// numbers, one a batch and moment.
func (s *SecondOrder[T]) recall(from int) {
	for i, m := range s.memory.Moments {
		tail := s.past.tail[i]
		for l := max(0, from-s.window); l < from; l++ {
			for b := range tail {
				tail[b] *= m.Kernel.Beta
			}
			tail[s.batchOf(l)] += m.Kernel.Next
		}
		for b, w := range tail {
			if w != 0 {
				addTo(s.past.memory[i], T(w), s.batches[b].phi[i])
			}
		}
	}
}

// moments sets s to the moments of step l and moves the memory past it.
func (s *SecondOrder[T]) moments(l int) {
	b := s.batches[s.batchOf(l)]
	for i, m := range s.memory.Moments {
		scale := 1.0
		if m.Corrected {
			scale = 1 / m.Kernel.Sum(l)
		}
		first, next, beta := T(m.Kernel.First), T(m.Kernel.Next), T(m.Kernel.Beta)
		out, memory, phi := s.past.s[i], s.past.memory[i], b.phi[i]
		for j, v := range phi {
			out[j] = T(scale) * (first*v + memory[j])
			memory[j] = beta*memory[j] + next*v
		}
	}
}

// account adds step k to the sums over past steps of its batch.
func (s *SecondOrder[T]) account(k, n int) {
	b := s.batchOf(k)
	for i, m := range s.memory.Moments {
		if w := T(m.Weight(n-k, n)); w != 0 {
			s.past.weight[b][i] += w
			addTo(s.past.reach[b][i], w, s.past.prefix)
		}
	}
}

// ratio returns the size of step l over that of step n.
func (s *SecondOrder[T]) ratio(l, n int) float64 {
	if s.lr == nil {
		return 1
	}
	return s.lr(l) / s.lr(n)
}

// pastUpdate passes step l: its update joins the prefix.
func (s *SecondOrder[T]) pastUpdate(l, n int, theta []T) error {
	s.account(l, n)
	s.moments(l)
	g := s.batches[s.batchOf(l)].g
	if err := s.updateAt(g, theta, s.past.f); err != nil {
		return err
	}
	addTo(s.past.prefix, T(s.ratio(l, n)), s.past.f)
	return nil
}

// updateAt writes U of the moments, g and theta into u, without allocating: it runs once for every step in the window.
func (s *SecondOrder[T]) updateAt(g, theta, u []T) error {
	p := s.past
	last := len(p.in) - 1
	p.in[last-1], p.in[last], p.out[0] = engine.Of(g), engine.Of(theta), engine.Of(u)
	return s.p.update.Run(p.in, p.out)
}

// secondOrderTerm puts C together from the sums over past steps. With prefix_k the sum of the updates before k, those from k on are
// prefix_n - prefix_k.
func (s *SecondOrder[T]) secondOrderTerm(ctx context.Context, n int, theta, present, f, c []T) error {
	p := s.past
	clear(p.half)
	if !s.memoryAlone {
		addTo(p.half, 0.5, f)
	}
	for b := range p.reach {
		if err := s.multiplyBatch(ctx, b, theta, s.p.usesG && b == s.batchOf(n)); err != nil {
			return err
		}
	}
	in := buffers(p.s, [][]T{present, theta}, p.ds, [][]T{p.dg, p.half})
	return s.p.tangent.Run(in, buffers([][]T{c}))
}

// multiplyBatch multiplies batch b's Hessian by the vectors of all moments and, if the batch is the present one and U reads its gradient,
// by half the present update; what comes out joins ds and dg.
func (s *SecondOrder[T]) multiplyBatch(ctx context.Context, b int, theta []T, present bool) error {
	p := s.past
	p.vs = p.vs[:0]
	for i, v := range p.reach[b] {
		if w := p.weight[b][i]; w != 0 {
			for j := range v {
				v[j] = w*(p.prefix[j]+p.half[j]) - v[j]
			}
			p.vs = append(p.vs, v)
		}
	}
	if present {
		p.vs = append(p.vs, p.half)
	}
	if len(p.vs) == 0 {
		return nil
	}
	if err := s.products(ctx, s.name(b), theta, p.vs, p.hvs[:len(p.vs)]); err != nil {
		return err
	}
	k := 0
	for i, w := range p.weight[b] {
		if w == 0 {
			continue
		}
		moved := p.hvs[k]
		if program := s.p.dphi[i]; program != nil {
			if err := program.Run(buffers([][]T{s.batches[b].g, theta, moved, p.vs[k]}), buffers(p.dphi[i:i+1])); err != nil {
				return err
			}
			moved = p.dphi[i]
		}
		addTo(p.ds[i], 1, moved)
		k++
	}
	if present {
		copy(p.dg, p.hvs[k])
	}
	return nil
}
