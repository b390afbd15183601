package modeq

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/rule"
)

// Terms are a rule's terms of the second-order equation as numeric functions of a gradient, and a Hessian-vector product, that
// the caller has: full batch, the past updates all equal to the present one (memory full, or bias correction). In each, n is the
// step, from 0, or FullMemory. It is not for concurrent use.
type Terms[T graph.Float] struct {
	rule          *rule.Rule
	memory        *rule.Memory
	dim           int
	dtype         graph.DType
	options       engine.Options
	field, second *engine.Program // F and C
	coefficient   *engine.Program // g, theta -> the parts of kappa. With denominator, compiled when first needed
	denominator   *engine.Program // g, theta -> R
	sums, ages    [][]T           // one number a moment
	parts         [][]T           // of kappa: one a moment, one of g itself
	lr            func(step int) float64
	step          int // that the sums and ages are of
	in, out       []engine.Buffer
}

// NewTerms compiles a rule's terms for vectors of dim elements. Threads is that of engine.Options.
func NewTerms[T graph.Float](r *rule.Rule, dim, threads int) (*Terms[T], error) {
	return newTerms[T](r, dim, threads, 0.5)
}

// newTerms compiles them with a share of the present step in C.
func newTerms[T graph.Float](r *rule.Rule, dim, threads int, share float64) (*Terms[T], error) {
	m, err := r.MemoryForm()
	if err != nil {
		return nil, err
	}
	t := &Terms[T]{rule: r, memory: m, dim: dim, dtype: graph.TypeOf[T](), options: engine.Options{Threads: threads}, step: FullMemory - 1}
	b := graph.NewBuilder()
	vector := func(name string) graph.Value { return b.Param(name, t.dtype, dim) }
	g, theta, f, hf := vector("g"), vector("theta"), vector("F"), vector("HF")
	var sums, ages []graph.Value
	for i := range m.Moments {
		sums = append(sums, b.Param(fmt.Sprintf("sum %d", i), t.dtype))
		ages = append(ages, b.Param(fmt.Sprintf("age %d", i), t.dtype))
		t.sums, t.ages = append(t.sums, make([]T, 1)), append(t.ages, make([]T, 1))
	}
	in := append([]graph.Value{g, theta}, sums...)
	if t.field, err = engine.Compile(in, []graph.Value{Memoryless(m, sums, g, theta)}, t.options); err != nil {
		return nil, fmt.Errorf("memoryless field of %s: %w", r.Name, err)
	}
	in = append(append([]graph.Value{g, theta, f, hf}, sums...), ages...)
	c := ofOwnStep(share, m, sums, ages, g, theta, f, hf)
	if t.second, err = engine.Compile(in, []graph.Value{c}, t.options); err != nil {
		return nil, fmt.Errorf("second-order term of %s: %w", r.Name, err)
	}
	return t, nil
}

// Vary makes lr(n) the size of step n: the ages are then those of [rule.Moment.AgeAt]. A nil lr stands for steps of one size, as in new Terms.
func (t *Terms[T]) Vary(lr func(step int) float64) { t.lr, t.step = lr, FullMemory-1 }

// scalars sets the sums and ages to those of step n.
func (t *Terms[T]) scalars(n int) {
	if n == t.step {
		return
	}
	t.step = n
	for i, m := range t.memory.Moments {
		age := 0.0
		if t.lr == nil || n < 0 {
			age = m.Age(n)
		} else {
			age = m.AgeAt(n, t.lr)
		}
		t.sums[i][0], t.ages[i][0] = T(m.Sum(n)), T(age)
	}
}

// Field writes F into f, given the gradient g.
func (t *Terms[T]) Field(n int, g, theta, f []T) error {
	t.scalars(n)
	t.in = bind(bind(t.in[:0], g, theta), t.sums...)
	t.out = bind(t.out[:0], f)
	return t.field.Run(t.in, t.out)
}

// SecondOrder writes C into c, given g, F and the Hessian-vector product hf = H F.
func (t *Terms[T]) SecondOrder(n int, g, theta, f, hf, c []T) error {
	t.scalars(n)
	t.in = bind(bind(bind(t.in[:0], g, theta, f, hf), t.sums...), t.ages...)
	t.out = bind(t.out[:0], c)
	return t.second.Run(t.in, t.out)
}

// bind appends vectors to a program's buffers: equations evaluate terms several times a step, and allocate nothing.
func bind[T graph.Float](to []engine.Buffer, vectors ...[]T) []engine.Buffer {
	for _, v := range vectors {
		to = append(to, engine.Of(v))
	}
	return to
}

func buffers[T graph.Float](head [][]T, tails ...[][]T) []engine.Buffer {
	out := bind(nil, head...)
	for _, tail := range tails {
		out = bind(out, tail...)
	}
	return out
}
