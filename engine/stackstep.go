package engine

import (
	"fmt"
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/internal/kernel/par"
)

// stackStep runs a program for some items of a stack after the others, each worker its own copy of it.
type stackStep[T graph.Float] struct {
	pool     *par.Pool
	groups   int // of items
	ins      []part[T]
	outs     []part[T]
	programs []*Program // by worker
	results  [][]Buffer // by worker: this group's part of each output
}

// part is what a group's items have of an array.
type part[T graph.Float] struct {
	src  ref[T]
	step int // elements from one group to the next; 0 if all have the whole array
}

func (p part[T]) of(group int) []T {
	if p.step == 0 {
		return p.src.get()
	}
	return p.src.get()[group*p.step : (group+1)*p.step : (group+1)*p.step]
}

func stackStepOf[T graph.Float](c *compiler, u *unit) (step, error) {
	st := u.stack
	var outs []*graph.Node
	for _, n := range st.made {
		if _, kept := c.homes[n]; kept {
			outs = append(outs, n)
		}
	}
	items := st.of.together(st.made[0].DType())
	s := &stackStep[T]{pool: c.pool, groups: st.of.items / items}
	partOf := func(n *graph.Node) part[T] {
		p := part[T]{src: refOf[T](c, n)}
		if st.of.has(n) {
			p.step = n.Size() / s.groups
		}
		return p
	}
	for _, n := range st.inputs {
		s.ins = append(s.ins, partOf(n))
	}
	for _, n := range outs {
		s.outs = append(s.outs, partOf(n))
	}
	r, err := c.replicaOf(st, outs, items)
	if err != nil {
		return nil, err
	}
	for _, inner := range r.byWorker {
		s.programs = append(s.programs, inner.p)
		s.results = append(s.results, make([]Buffer, len(outs)))
	}
	return s, nil
}

// together returns how many items are done at a time. It depends on shapes alone.
func (f *family) together(t graph.DType) int {
	n := max(1, min(f.items/minItems, itemBytes/(f.large*t.Size())))
	for f.items%n != 0 {
		n--
	}
	return n
}

func (s *stackStep[T]) run(*Program) error {
	s.pool.Run(s.groups, s)
	return nil
}

// Chunk does the items of group i.
func (s *stackStep[T]) Chunk(i, worker int) {
	p, results := s.programs[worker], s.results[worker]
	arrays := bankOf[T](p).arrays
	for k := range s.ins {
		arrays[p.inputAt[k]] = s.ins[k].of(i)
	}
	for k := range s.outs {
		a := s.outs[k].of(i)
		*arrayIn[T](&results[k]) = a
		if at := p.outputAt[k]; at >= 0 {
			arrays[at] = a
		}
	}
	p.outNow = results
	for _, inner := range p.steps {
		_ = inner.run(p) // what may fail is not done item by item
	}
	p.outNow = nil
}

// replica is the program of stacks that are alike, for some items.
type replica struct {
	byWorker []*compiler
}

// replicaOf plans the program of a stack, which makes outs of the stack's inputs; stacks that are alike have one.
func (c *compiler) replicaOf(st *stack, outs []*graph.Node, items int) (*replica, error) {
	r := newRecorder(func(n *graph.Node) []int { return st.shapeFor(n, items) })
	given := map[*graph.Node]facts{}
	var in, out []graph.Value
	for _, n := range st.inputs {
		v := r.param(n)
		given[v.Node()] = c.triangles.at(n)
		in = append(in, v)
	}
	for _, n := range outs {
		out = append(out, r.value(n))
	}
	key := keyOf(in, out, given)
	if c.replicas[key] != nil {
		return c.replicas[key], nil
	}
	planned, err := planReplica(in, out, given, c.pool.Workers())
	if err != nil {
		return nil, fmt.Errorf("%w, in the part of the program for %d of the items of a stack", err, items)
	}
	c.replicas[key] = planned
	return planned, nil
}

func planReplica(in, out []graph.Value, given map[*graph.Node]facts, workers int) (*replica, error) {
	r := &replica{}
	for range workers {
		inner, err := newCompiler(in, out, Options{Threads: 1, whole: true})
		if err != nil {
			return nil, err
		}
		inner.given = given
		if err := inner.plan(); err != nil {
			return nil, err
		}
		r.byWorker = append(r.byWorker, inner)
	}
	return r, nil
}

// keyOf writes a program down.
func keyOf(in, out []graph.Value, given map[*graph.Node]facts) string {
	var key strings.Builder
	var ends []*graph.Node
	for _, v := range out {
		ends = append(ends, v.Node())
		fmt.Fprint(&key, v.Node().ID(), " ")
	}
	for _, v := range in {
		fmt.Fprintf(&key, "\n%d %v %v %v", v.Node().ID(), v.DType(), v.Shape(), given[v.Node()])
	}
	for _, n := range live(ends) {
		fmt.Fprintf(&key, "\n%d %v %v %v %v", n.ID(), n.Op(), n.DType(), n.Shape(), n.Attr())
		for _, m := range n.In() {
			fmt.Fprint(&key, " ", m.ID())
		}
	}
	return key.String()
}

// shapeFor returns the shape that an array has for so many items.
func (st *stack) shapeFor(n *graph.Node, items int) []int {
	shape := slices.Clone(n.Shape())
	if st.of.has(n) {
		for i := range st.of.lead {
			shape[i] = 1
		}
		shape[0] = items
	}
	return shape
}
