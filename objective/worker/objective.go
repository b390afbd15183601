package worker

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/objective"
)

// Objective is the loss that a worker serves. It is not for concurrent use.
type Objective[T graph.Float] struct {
	p          *Process
	threads    int
	dim        int
	step       int
	directions map[*objective.Direction]objective.CompiledDirection[T]
	field      []T

	batches int64 // that the running averages have seen
	seen    int64 // batches in the last pass that took a gradient
}

// New returns the loss of a worker whose vectors are of type T.
func New[T graph.Float](p *Process) (*Objective[T], error) {
	if want := graph.TypeOf[T]().String(); p.opt.DType != want {
		return nil, fmt.Errorf("worker %s: its vectors are %s: want %s", p, p.opt.DType, want)
	}
	dim, err := sizeOf("blocks", p.info.Blocks)
	if err != nil {
		return nil, err
	}
	o := &Objective[T]{p: p, threads: p.opt.Threads, dim: dim, directions: map[*objective.Direction]objective.CompiledDirection[T]{}}
	return o, nil
}

func finite[T graph.Float](v T) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

func (o *Objective[T]) vector(name string) []T { return vector[T](o.p.shared, name) }

// Dim implements objective.Objective.
func (o *Objective[T]) Dim() int { return o.dim }

// Blocks implements objective.Objective.
func (o *Objective[T]) Blocks() []graph.Block { return Blocks(o.p.info.Blocks) }

// Blocks returns arrays as weights of a flat vector, one behind the other.
func Blocks(arrays []Array) []graph.Block {
	var out []graph.Block
	offset := 0
	for _, a := range arrays {
		b := graph.Block{Name: a.Name, Shape: slices.Clone(a.Shape), Offset: offset}
		out, offset = append(out, b), offset+b.Size()
	}
	return out
}

// Batches implements objective.Objective.
func (o *Objective[T]) Batches() int { return o.p.info.Batches }

// Start implements objective.Starter: the weights that the worker begins with.
func (o *Objective[T]) Start() []float64 {
	theta, _ := o.p.Start()
	return theta
}

// Draw implements objective.Drawer: the worker draws dropout, and whatever else is random, by the step.
func (o *Objective[T]) Draw(step int) { o.step = step }

// Evaluate implements objective.Objective.
func (o *Objective[T]) Evaluate(ctx context.Context, theta []T, batch int, want objective.Want[T]) (objective.Evaluation, error) {
	if len(theta) != o.dim {
		return objective.Evaluation{}, fmt.Errorf("worker: %s: want %d", plural.Count(len(theta), "parameter"), o.dim)
	}
	if batch != objective.Full && (batch < 0 || batch >= o.Batches()) {
		return objective.Evaluation{}, fmt.Errorf("worker: batch %d: there are %d, counted from 0", batch, o.Batches())
	}
	if err := want.Check(o.dim); err != nil {
		return objective.Evaluation{}, err
	}
	if o.p.lost != nil { // with its memory
		return objective.Evaluation{}, o.p.lost
	}
	at, gradient := o.lay(atTheta, theta), o.room(want)
	left := len(want.Vectors) + len(want.Lines)
	if want.HField != nil {
		left++
	}
	e, err := o.evaluate(ctx, theta, at, batch, gradient, left > 0)
	if err != nil {
		return e, err
	}
	if want.Gradient != nil {
		copy(want.Gradient, gradient)
	}
	field, err := o.direct(want, gradient, theta)
	if err != nil {
		return e, err
	}
	along := func(do string, vector, result []T) error {
		left--
		return o.along(ctx, request{Do: do, Theta: at, Batch: &batch, Step: &o.step, More: left > 0}, vector, result, finite(T(e.Loss)))
	}
	if want.HField != nil {
		if err := along(doProduct, field, want.HField); err != nil {
			return e, err
		}
	}
	for i, v := range want.Vectors {
		if err := along(doProduct, v, want.Products[i]); err != nil {
			return e, err
		}
	}
	for i, u := range want.Lines {
		if err := along(doBend, u, want.Bends[i]); err != nil {
			return e, err
		}
	}
	return e, nil
}

// Vector implements objective.Host.
func (o *Objective[T]) Vector() []T {
	if o.p.lost == nil { // else the memory is gone
		if v := guest[T](o.p.shared); v != nil {
			return v
		}
	}
	return make([]T, o.dim)
}

// Release implements objective.Host.
func (o *Objective[T]) Release(v []T) {
	if o.p.lost == nil && o.p.answered == o.p.id { // else the memory is gone, or an answer that nobody waits for may yet be written there
		giveBack(o.p.shared, v)
	}
}

// lay makes a vector one that the worker can read, and returns where: its own place, or that of the name, where it is copied to.
func (o *Objective[T]) lay(name string, v []T) *int {
	if at, ok := placeOf(o.p.shared, v); ok {
		return &at
	}
	copy(o.vector(name), v)
	return o.p.shared.at(name)
}

// into returns a vector that the worker can write, and where it is: that of the result, or that of the name.
func (o *Objective[T]) into(name string, result []T) ([]T, *int) {
	if at, ok := placeOf(o.p.shared, result); ok {
		return result, &at
	}
	return o.vector(name), o.p.shared.at(name)
}

// room returns where the worker writes the gradient; nil if none is needed.
func (o *Objective[T]) room(want objective.Want[T]) []T {
	if want.Gradient == nil && want.Direction == nil {
		return nil
	}
	v, _ := o.into(atGradient, want.Gradient)
	return v
}

// evaluate asks for the loss of a batch at a theta, where that is shared, and its gradient if there is room for one.
func (o *Objective[T]) evaluate(ctx context.Context, theta []T, at *int, batch int, gradient []T, more bool) (objective.Evaluation, error) {
	ask := request{Do: doEvaluate, Theta: at, Batch: &batch, Step: &o.step, More: more}
	what := "the loss"
	if gradient != nil {
		what = "the gradient"
		_, ask.Gradient = o.into(atGradient, gradient)
	}
	what += " of " + nameOf(batch)
	r, err := o.p.call(ctx, what, ask)
	if err != nil {
		return objective.Evaluation{}, err
	}
	e, err := o.evaluation(what, r, theta)
	if err != nil || gradient == nil {
		return e, err
	}
	if o.seen = r.Averaged; o.seen < 0 {
		return e, o.p.fault(what, "averaged: %s: want 0 or more", plural.Count(o.seen, "batch"))
	}
	return e, o.numbers(what, gradient, finite(T(e.Loss)))
}

// farAway is how far a parameter is out, over the largest that the worker starts with or 1, where a loss that is no number is what its formulas make of
// parameters that have run away.
const farAway = 1e6

// isFarAway reports whether any parameter has run away.
func (o *Objective[T]) isFarAway(theta []T) bool {
	bound := 1.0
	for _, v := range o.p.theta {
		bound = max(bound, math.Abs(v))
	}
	return slices.ContainsFunc(theta, func(v T) bool { return !(math.Abs(float64(v)) <= farAway*bound) })
}

// evaluation returns what an answer says of a batch at a theta. A loss that is no number is the worker's fault, but where the parameters have run away,
// which is for the run to say, as that of an infinite loss.
func (o *Objective[T]) evaluation(what string, r *reply, theta []T) (objective.Evaluation, error) {
	switch {
	case !r.Loss.given:
		return objective.Evaluation{}, o.p.fault(what, "its answer has no loss")
	case math.IsNaN(r.Loss.value) && !o.isFarAway(theta):
		return objective.Evaluation{}, o.p.fault(what, "its loss is NaN: want a number")
	case r.Examples < 1 || r.Examples > mostNumber:
		return objective.Evaluation{}, o.p.fault(what, "examples: %d: want the number of examples that the loss is the mean of", r.Examples)
	}
	return objective.Evaluation{Loss: r.Loss.value, Correct: r.Correct.or(), R2: r.R2.or(), Examples: r.Examples}, nil
}

// numbers refuses results that are none where the loss is one. A loss that is none has run away, which is for the run to say.
func (o *Objective[T]) numbers(what string, result []T, regular bool) error {
	if !regular {
		return nil
	}
	for i, v := range result {
		if math.IsNaN(float64(v)) {
			b := o.blockOf(i)
			return o.p.fault(what, "element %d of %s is NaN, where the loss is a number", i-b.Offset, b.Name)
		}
	}
	return nil
}

func (o *Objective[T]) blockOf(i int) graph.Block {
	for _, b := range o.Blocks() {
		if i < b.Offset+b.Size() {
			return b
		}
	}
	return graph.Block{}
}

// direct returns the direction made from the gradient, in the caller's room if there is any; nil if none is wanted.
func (o *Objective[T]) direct(want objective.Want[T], gradient, theta []T) ([]T, error) {
	d := want.Direction
	if d == nil {
		return nil, nil
	}
	compiled := o.directions[d]
	if compiled == nil {
		var err error
		if compiled, err = objective.CompileDirection[T](d, o.dim, o.threads); err != nil {
			return nil, err
		}
		o.directions[d] = compiled
	}
	field := want.Field
	if field == nil {
		if o.field == nil {
			o.field = make([]T, o.dim)
		}
		field = o.field
	}
	return field, compiled(gradient, theta, field)
}

// along asks for a derivative of a batch's loss along a vector.
func (o *Objective[T]) along(ctx context.Context, ask request, v, result []T, regular bool) error {
	what := "a Hessian-vector product of " + nameOf(*ask.Batch)
	if ask.Do == doBend {
		what = "a third derivative of " + nameOf(*ask.Batch)
	}
	var written []T
	ask.Vector = o.lay(atVector, v)
	written, ask.Product = o.into(atProduct, result)
	if _, err := o.p.call(ctx, what, ask); err != nil {
		return err
	}
	if err := o.numbers(what, written, regular); err != nil {
		return err
	}
	copy(result, written)
	return nil
}

func nameOf(batch int) string {
	if batch == objective.Full {
		return "all examples"
	}
	return fmt.Sprintf("batch %d", batch)
}

// Test implements objective.Tester: the loss of the worker's test examples, with the running averages.
func (o *Objective[T]) Test(ctx context.Context, theta []T) (objective.Evaluation, error) {
	if o.p.lost != nil {
		return objective.Evaluation{}, o.p.lost
	}
	what := "the loss of the test examples"
	r, err := o.p.call(ctx, what, request{Do: doTest, Theta: o.lay(atTheta, theta)})
	if err != nil {
		return objective.Evaluation{}, err
	}
	return o.evaluation(what, r, theta)
}

// Running implements objective.Averager.
func (o *Objective[T]) Running() ([]T, int64) { return o.vector(atRunning), o.batches }

// SetRunning implements objective.Averager.
func (o *Objective[T]) SetRunning(running []float64, batches int64) {
	for i, to := 0, o.vector(atRunning); i < len(to) && i < len(running); i++ {
		to[i] = T(running[i])
	}
	o.batches = batches
}

// UpdateRunning implements objective.Averager: the averages as the last gradient's pass left them.
func (o *Objective[T]) UpdateRunning() {
	copy(o.vector(atRunning), o.vector(atAveraged))
	o.batches += o.seen
}

var (
	_ objective.Objective[float32] = (*Objective[float32])(nil)
	_ objective.Host[float32]      = (*Objective[float32])(nil)
	_ objective.Starter            = (*Objective[float32])(nil)
	_ objective.Tester[float32]    = (*Objective[float32])(nil)
	_ objective.Drawer             = (*Objective[float32])(nil)
	_ objective.Averager[float32]  = (*Objective[float32])(nil)
)
