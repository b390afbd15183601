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
	bytes    int64
	ready    bool
}

// CompileKept makes a program that computes the outputs from fixed inputs and from those that change, all of them parameters. It is otherwise [CompileContext].
func CompileKept(ctx context.Context, fixed, in, out []graph.Value, opt Options) (*Kept, error) {
	type pair struct{ fix, run *compiler }
	var k *keeper
	p, err := patience.Wait(ctx, func() (p pair, err error) {
		if k, err = newKeeper(fixed, in, out); err != nil {
			return p, err
		}
		if p.run, err = planned(k.in, k.out, opt); err == nil && len(k.made) > 0 {
			p.fix, err = planned(fixed, k.made, opt)
		}
		return p, err
	})
	if err != nil {
		return nil, err
	}
	if err := memory.Check(k.bytes()); err != nil {
		return nil, fmt.Errorf("engine: what a program keeps %w", err)
	}
	if opt.Room == nil {
		opt.Room = &Room{}
	}
	kept := &Kept{given: k.given, bytes: k.bytes()}
	for _, v := range fixed {
		kept.fixed = append(kept.fixed, Spec{v.Node().Attr().(graph.ParamAttr).Name, v.Shape(), v.DType()})
	}
	if kept.run, err = p.run.settle(opt.Room); err != nil {
		return nil, err
	}
	if p.fix != nil {
		if kept.fix, err = p.fix.settle(opt.Room); err != nil {
			return nil, err
		}
	}
	for _, v := range k.made {
		kept.own = append(kept.own, NewBuffer(v.DType(), v.Size()))
	}
	kept.in = make([]Buffer, len(k.in))
	copy(kept.in[len(k.given):], kept.own)
	return kept, nil
}

// MeasureKept returns the cost of the program that CompileKept would make, of a run with what is kept, without making its arrays.
func MeasureKept(fixed, in, out []graph.Value, opt Options) (Cost, error) {
	k, err := newKeeper(fixed, in, out)
	if err != nil {
		return Cost{}, err
	}
	cost, err := Measure(k.in, k.out, opt)
	if err != nil || len(k.made) == 0 {
		return cost, err
	}
	first, err := Measure(fixed, k.made, opt)
	if err != nil {
		return cost, err
	}
	apart := cost.PeakBytes - cost.RoomBytes + first.PeakBytes - first.RoomBytes
	cost.RoomBytes = max(cost.RoomBytes, first.RoomBytes)
	cost.PeakBytes = apart + cost.RoomBytes + k.bytes()
	return cost, nil
}

// Fixed returns the shapes and types that Fix wants.
func (k *Kept) Fixed() []Spec { return slices.Clone(k.fixed) }

// KeptBytes returns the memory of what is kept.
func (k *Kept) KeptBytes() int64 { return k.bytes }

// PeakBytes returns the memory that the program takes, what is kept and its room included, its inputs and outputs not.
func (k *Kept) PeakBytes() int64 {
	peak, room := k.run.cost.PeakBytes-k.run.cost.RoomBytes, k.run.cost.RoomBytes
	if k.fix != nil {
		peak, room = peak+k.fix.cost.PeakBytes-k.fix.cost.RoomBytes, max(room, k.fix.cost.RoomBytes)
	}
	return peak + room + k.bytes
}

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
