package engine

import (
	"context"
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/memory"
	"shadowflow/internal/patience"
)

// Kept is a program of which some inputs are fixed for many runs, as the point and the examples of a Hessian are, and others change with each, as the vectors
// do that it multiplies. What is made of the fixed ones alone is made when they are given, and kept. It is not for concurrent use.
type Kept struct {
	fix, run *Program
	fixed    []Spec
	own      []Buffer // what fix makes and run reads
	given    []int    // the fixed inputs that run reads as they are, before own
	in       []Buffer // of run
	peak     int64
	ready    bool // what is kept is of fixed inputs
}

// CompileKept makes a program that computes the outputs from fixed inputs and from those that change, all of them parameters. It is otherwise [CompileContext].
func CompileKept(ctx context.Context, fixed, in, out []graph.Value, opt Options) (*Kept, error) {
	p, err := patience.Wait(ctx, func() (*keptPlan, error) { return plannedKept(fixed, in, out, opt) })
	if err != nil {
		return nil, err
	}
	if opt.Room == nil {
		opt.Room = &Room{}
	}
	return p.settle(fixed, opt.Room)
}

// MeasureKept returns the cost of the program that CompileKept would make, of a run with what is kept, without making its arrays.
func MeasureKept(fixed, in, out []graph.Value, opt Options) (Cost, error) {
	p, err := plannedKept(fixed, in, out, opt)
	if err != nil {
		return Cost{}, err
	}
	return p.cost(), nil
}

// keptPlan is a Kept without its memory. Nothing is made before runs where fix is nil.
type keptPlan struct {
	*keeper
	fix, run *compiler
}

func plannedKept(fixed, in, out []graph.Value, opt Options) (p *keptPlan, err error) {
	p = &keptPlan{}
	if p.keeper, err = newKeeper(fixed, in, out); err != nil {
		return nil, err
	}
	if p.run, err = planned(p.in, p.out, opt); err != nil || len(p.made) == 0 {
		return p, err
	}
	p.fix, err = planned(fixed, p.made, opt)
	return p, err
}

// cost returns that of a run, with what is kept.
func (p *keptPlan) cost() Cost {
	c := p.run.p.cost
	apart, room := c.PeakBytes-c.RoomBytes+p.bytes(), c.RoomBytes
	if p.fix != nil {
		first := p.fix.p.cost
		apart, room = apart+first.PeakBytes-first.RoomBytes, max(room, first.RoomBytes)
	}
	c.PeakBytes, c.RoomBytes = apart+room, room
	return c
}

// settle makes the memory.
func (p *keptPlan) settle(fixed []graph.Value, r *Room) (k *Kept, err error) {
	if err := memory.Check(p.bytes()); err != nil {
		return nil, fmt.Errorf("engine: what a program keeps %w", err)
	}
	k = &Kept{given: p.given, peak: p.cost().PeakBytes}
	for _, v := range fixed {
		k.fixed = append(k.fixed, Spec{v.Node().Attr().(graph.ParamAttr).Name, v.Shape(), v.DType()})
	}
	if k.run, err = p.run.settle(r); err != nil {
		return nil, err
	}
	if p.fix != nil {
		if k.fix, err = p.fix.settle(r); err != nil {
			return nil, err
		}
	}
	for _, v := range p.made {
		k.own = append(k.own, NewBuffer(v.DType(), v.Size()))
	}
	k.in = make([]Buffer, len(p.in))
	copy(k.in[len(k.given):], k.own)
	return k, nil
}

// Fixed returns the shapes and types that Fix wants.
func (k *Kept) Fixed() []Spec { return slices.Clone(k.fixed) }

// PeakBytes returns the memory that the program takes, what is kept and its room included, its inputs and outputs not.
func (k *Kept) PeakBytes() int64 { return k.peak }

// Flops returns those of one Fix and of so many runs: see [Program.Flops].
func (k *Kept) Flops(runs int) int64 {
	n := int64(runs) * k.run.Flops()
	if k.fix != nil {
		n += k.fix.Flops()
	}
	return n
}

// Bound returns the seconds that one Fix and so many runs take at least: see [Program.Bound].
func (k *Kept) Bound(flops, bandwidth float64, runs int) float64 {
	t := float64(runs) * k.run.Bound(flops, bandwidth)
	if k.fix != nil {
		t += k.fix.Bound(flops, bandwidth)
	}
	return t
}

// Fix computes what depends on the fixed inputs alone. Runs read the inputs too: they are not to change until the next Fix.
func (k *Kept) Fix(ctx context.Context, fixed []Buffer) error {
	k.ready = false
	if len(fixed) != len(k.fixed) {
		return fmt.Errorf("program: %d fixed inputs: want %d", len(fixed), len(k.fixed))
	}
	for i, s := range k.fixed {
		if !fixed[i].fits(s.DType, s.Size()) {
			return fmt.Errorf("program: fixed input %d (%q): want %d elements of %v, shape %v", i, s.Name, s.Size(), s.DType, s.Shape)
		}
	}
	if k.fix != nil {
		if err := k.fix.RunContext(ctx, fixed, k.own); err != nil {
			return err
		}
	}
	for j, i := range k.given {
		k.in[j] = fixed[i]
	}
	k.ready = true
	return nil
}

// RunContext computes the outputs from the inputs that change, for those that were fixed last. It is otherwise that of [Program].
func (k *Kept) RunContext(ctx context.Context, in, out []Buffer) error {
	first := len(k.given) + len(k.own)
	if !k.ready || len(in) != len(k.in)-first {
		return fmt.Errorf("program: %d inputs that change: want %d, behind a Fix that succeeds", len(in), len(k.in)-first)
	}
	copy(k.in[first:], in)
	return k.run.RunContext(ctx, k.in, out)
}
