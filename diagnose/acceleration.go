package diagnose

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/rule"
)

// Acceleration computes F'F, the second derivative in time of the solution of dtheta/dt = -F, for a full batch of which one
// Hessian-vector product H F is known. It is not for concurrent use.
type Acceleration[T graph.Float] struct {
	memory  *rule.Memory
	program *engine.Program
	sums    [][]T // one number a moment
	in, out []engine.Buffer
}

// NewAcceleration compiles the acceleration of a rule for dim parameters.
func NewAcceleration[T graph.Float](r *rule.Rule, dim, threads int) (*Acceleration[T], error) {
	m, err := r.MemoryForm()
	if err != nil {
		return nil, err
	}
	b, t := graph.NewBuilder(), graph.TypeOf[T]()
	g, theta := b.Param("g", t, dim), b.Param("theta", t, dim)
	f, hf := b.Param("F", t, dim), b.Param("HF", t, dim)
	a := &Acceleration[T]{memory: m, in: make([]engine.Buffer, 4), out: make([]engine.Buffer, 1)}
	in := []graph.Value{g, theta, f, hf}
	var sums []graph.Value
	for _, moment := range m.Moments {
		sums = append(sums, b.Param("sum of "+moment.Name, t))
		a.sums = append(a.sums, make([]T, 1))
		a.in = append(a.in, engine.Of(a.sums[len(a.sums)-1]))
	}
	update := modeq.Memoryless(m, sums, g, theta)
	ff := graph.JVP([]graph.Value{update}, []graph.Value{g, theta}, []graph.Value{hf, f})
	if a.program, err = engine.Compile(append(in, sums...), ff, engine.Options{Threads: threads}); err != nil {
		return nil, fmt.Errorf("acceleration of %s: %w", r.Name, err)
	}
	return a, nil
}

// At writes F'F in step n, modeq.FullMemory for the limit, given theta, the gradient g, F and H F there.
func (a *Acceleration[T]) At(n int, theta, g, f, hf, ff []T) error {
	for i, m := range a.memory.Moments {
		a.sums[i][0] = T(m.Sum(n))
	}
	a.in[0], a.in[1], a.in[2], a.in[3] = engine.Of(g), engine.Of(theta), engine.Of(f), engine.Of(hf)
	a.out[0] = engine.Of(ff)
	return a.program.Run(a.in, a.out)
}
