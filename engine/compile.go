package engine

import (
	"context"
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/kernel/vec"
	"shadowflow/internal/memory"
	"shadowflow/internal/patience"
)

// Options say how a program is compiled. The zero value is a good default.
type Options struct {
	// Threads is the number of threads a run uses, no more than GOMAXPROCS or eight, whichever is more; 0 stands for GOMAXPROCS. It changes no
	// bit of any result.
	Threads int
	// Room is shared with programs that never run at the same time as this one; if nil, the program has its own.
	Room *Room

	whole bool // without stacks: all items of an array are made before what is next
	apart bool // without relays: each step is done before the next
}

// Compile makes a program that computes the outputs from the inputs, which are parameters. It returns the first error recorded by
// the builder, if any, and refuses primitives that it does not know, and programs that need more memory than this process can get.
func Compile(in, out []graph.Value, opt Options) (*Program, error) {
	c, err := planned(in, out, opt)
	if err != nil {
		return nil, err
	}
	return c.settle(opt.Room)
}

// CompileContext is Compile, given up when a context ends: what was begun is planned to its end aside, and is for nobody.
func CompileContext(ctx context.Context, in, out []graph.Value, opt Options) (*Program, error) {
	c, err := patience.Wait(ctx, func() (*compiler, error) { return planned(in, out, opt) })
	if err != nil {
		return nil, err
	}
	return c.settle(opt.Room)
}

// settle makes a planned program's memory, in a room of its own if there is none.
func (c *compiler) settle(r *Room) (*Program, error) {
	if r == nil {
		r = &Room{}
	}
	cost := c.p.cost
	if err := memory.Check(cost.PeakBytes - cost.RoomBytes + r.lacks(c.room())); err != nil {
		return nil, fmt.Errorf("engine: a program %w", err)
	}
	c.allocate(r, map[constant]any{})
	return c.p, nil
}

// Cost is what a program takes.
type Cost struct {
	PeakBytes int64 // see Program.PeakBytes
	RoomBytes int64 // of these, what programs in one Room have in common
	Flops     int64 // see Program.Flops
}

// Measure returns the cost of the program that Compile would make, without making its arrays.
func Measure(in, out []graph.Value, opt Options) (Cost, error) {
	c, err := planned(in, out, opt)
	if err != nil {
		return Cost{}, err
	}
	return c.p.cost, nil
}

// planned returns a program without its memory.
func planned(in, out []graph.Value, opt Options) (*compiler, error) {
	c, err := newCompiler(in, out, opt)
	if err != nil {
		return nil, err
	}
	return c, c.plan()
}

// step is one unit of a compiled program, bound to its memory.
type step interface {
	run(*Program) error
}

// compiler turns live nodes into steps and places their arrays.
type compiler struct {
	p         *Program
	ins, outs []*graph.Node
	rows      *table
	set       isa.Set
	pool      *par.Pool
	whole     bool
	apart     bool
	given     map[*graph.Node]facts // what is known of inputs
	fuse      *fuser
	triangles *triangles
	replicas  map[string]*replica
	units     []*unit
	unitOf    map[*graph.Node]*unit
	homes     map[*graph.Node]home
	constants map[constant]*storage
	storages  []*storage
	counts    [3]int // of storages, by type
	arenas    [3]int // elements, by type
	work      [2]int // elements of scratch that products share, by type
	scratch   int64  // bytes of the steps' own scratch
}

// newCompiler checks inputs and outputs.
func newCompiler(in, out []graph.Value, opt Options) (*compiler, error) {
	set, err := isa.Best()
	if err != nil {
		return nil, err
	}
	all := slices.Concat(in, out)
	for i, v := range all {
		switch b := v.Builder(); {
		case b == nil:
			return nil, fmt.Errorf("compile: value %d is the zero Value", i)
		case b.Err() != nil:
			return nil, b.Err()
		case b != all[0].Builder():
			return nil, fmt.Errorf("compile: value %d belongs to another Builder than value 0", i)
		}
	}
	pool := par.Shared(opt.Threads)
	c := &compiler{p: &Program{pool: pool}, rows: sharedTable(), set: set, pool: pool, whole: opt.whole, apart: opt.apart, replicas: map[string]*replica{}, unitOf: map[*graph.Node]*unit{},
		homes: map[*graph.Node]home{}, constants: map[constant]*storage{}}
	for i, v := range in {
		n := v.Node()
		attr, ok := n.Attr().(graph.ParamAttr)
		if !ok {
			return nil, fmt.Errorf("compile: input %d is the result of %v: want a parameter", i, n.Op())
		}
		if slices.Contains(c.ins, n) {
			return nil, fmt.Errorf("compile: input %d repeats parameter %q", i, attr.Name)
		}
		c.p.in = append(c.p.in, Spec{attr.Name, v.Shape(), n.DType()})
		c.ins = append(c.ins, n)
	}
	for _, v := range out {
		c.p.out = append(c.p.out, Spec{"", v.Shape(), v.DType()})
		c.outs = append(c.outs, v.Node())
	}
	return c, nil
}

// plan makes all of the program but its memory.
func (c *compiler) plan() error {
	nodes := live(c.outs)
	if err := c.check(nodes); err != nil {
		return err
	}
	for _, n := range nodes {
		if flops := c.rows[n.Op()].flops; flops != nil {
			c.p.cost.Flops += flops(n)
		}
	}
	c.triangles = findTriangles(nodes, c.outs, c.given)
	stacks := &stacks{}
	if !c.whole {
		stacks = findStacks(c.rows, nodes, c.outs)
	}
	c.fuse = partition(c.rows, stacks, stacks.order(nodes), c.outs)
	c.dropVirtual()
	c.units = c.fuse.units(c.follows)
	for _, u := range c.units {
		for _, n := range u.made {
			c.unitOf[n] = u
		}
	}
	c.placeInputs()
	c.placeArrays()
	c.placeOutputs()
	c.placeConcats()
	c.placeOver()
	c.setLifetimes()
	for _, u := range c.units {
		st, err := c.stepOf(u)
		if err != nil {
			return err
		}
		c.p.steps = append(c.p.steps, st)
	}
	c.p.efforts = c.efforts()
	for i, n := range c.outs {
		if h := c.homeOf(n); h.st.output != i || h.off != 0 {
			c.p.steps = append(c.p.steps, c.copyOut(n, i))
		}
	}
	c.findInPlace()
	c.p.steps = c.relayed()
	c.placeArenas()
	return nil
}

// check refuses what has no value or no row.
func (c *compiler) check(nodes []*graph.Node) error {
	for _, n := range nodes {
		if n.Op() == graph.OpParam && !slices.Contains(c.ins, n) {
			return fmt.Errorf("compile: an output depends on parameter %q, which is not among the inputs", n.Attr().(graph.ParamAttr).Name)
		}
		if c.rows[n.Op()].role == roleNone {
			return fmt.Errorf("compile: primitive %v, which makes an array of shape %v, has no row: the engine does not know how to run it",
				n.Op(), n.Shape())
		}
	}
	return nil
}

// live returns the nodes that outs are made from, in topological order.
func live(outs []*graph.Node) []*graph.Node {
	seen := map[*graph.Node]bool{}
	var order []*graph.Node
	stack := slices.Clone(outs)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		order = append(order, n)
		stack = append(stack, n.In()...)
	}
	slices.SortFunc(order, func(a, b *graph.Node) int { return a.ID() - b.ID() })
	return order
}

// dropVirtual leaves out the broadcasts that every reader expands itself.
func (c *compiler) dropVirtual() {
	needed := map[*graph.Node]bool{}
	need := func(n *graph.Node) {
		if n = peel(n); n.Op() == graph.OpBroadcast {
			needed[n] = true
		}
	}
	for _, n := range c.outs {
		need(n)
	}
	for _, n := range slices.Backward(c.fuse.live) {
		if c.fuse.inline[n] {
			continue
		}
		if st := c.fuse.stacks.of[n]; st != nil {
			for _, in := range st.inputs {
				need(in)
			}
			continue
		}
		if g, ok := c.fuse.group[n]; ok {
			for _, m := range expand([]*graph.Node{n}, c.fuse.inline) {
				for _, in := range m.In() {
					if o := operandOf(in); o.kind == readWhole || (o.cols > 0 && o.cols != c.fuse.groups[c.fuse.find(g)].cols) {
						need(in)
					}
				}
			}
			continue
		}
		if isView(n) && !(n.Op() == graph.OpSlice) {
			continue
		}
		if n.Op() == graph.OpBroadcast && !needed[n] {
			continue
		}
		for _, in := range n.In() {
			need(in)
		}
	}
	c.fuse.singles = slices.DeleteFunc(c.fuse.singles, func(n *graph.Node) bool {
		if n.Op() != graph.OpBroadcast {
			return false
		}
		_, known := n.Constant()
		return known || !needed[n]
	})
}

// stepOf binds a unit to its memory.
func (c *compiler) stepOf(u *unit) (step, error) {
	switch {
	case u.stack != nil && u.dtype == graph.Float32:
		return stackStepOf[float32](c, u)
	case u.stack != nil:
		return stackStepOf[float64](c, u)
	case u.fused && u.dtype == graph.Float32:
		return fusedOf(c, u, vec.For[float32](c.set)), nil
	case u.fused:
		return fusedOf(c, u, vec.For[float64](c.set)), nil
	}
	return c.rows[u.nodes[0].Op()].alone(c, u), nil
}
