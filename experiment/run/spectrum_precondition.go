package run

import (
	"context"
	"fmt"
	"math"

	"shadowflow/diagnose"
	"shadowflow/diagnose/spectrum"
	"shadowflow/engine"
	"shadowflow/experiment/record"
	"shadowflow/internal/memory"
	"shadowflow/objective"
	"shadowflow/rule"
)

// refuseRoom refuses a spectrum that would take more bytes than there are.
func refuseRoom(bytes int64, dim int) error {
	if err := memory.Check(bytes); err != nil {
		return fmt.Errorf("the spectrum of %d parameters %w: want fewer of --top and --bottom, no --density, dtype float32, or less of batch.physical", dim, err)
	}
	return nil
}

// precondition finds out about P^-1/2 H P^-1/2, coupled decay counting to H as it does for the step.
func (f *finder[T]) precondition(ctx context.Context, out *Spectrum) error {
	root, stability, memory, err := f.preconditioner(ctx)
	if err != nil {
		return err
	}
	found := &Preconditioned{PeriodTwo: record.Number(stability.PeriodTwo), Memory: memory}
	var traced spectrum.Traced
	if f.matrix != nil {
		a, err := f.decayed(root)
		if err != nil {
			return err
		}
		if f.scaled, err = spectrum.ExtremesOf[T](a, f.opt.Top, f.opt.Bottom); err != nil {
			return err
		}
		traced = a.Trace()
	} else {
		if traced, err = f.estimate(len(root), scaledBy(f.p.Rule.Conditioning(), root, f.hessian), "preconditioned eigenvalues", nil, &f.scaled); err != nil {
			return err
		}
		out.Products += f.scaled.Products + traced.Products
	}
	found.Eigenvalues = f.eigenvalues(f.scaled, traced)
	for _, v := range f.scaled.Top.Values {
		if v > stability.PeriodTwo {
			found.Beyond++
		}
	}
	if math.IsNaN(stability.PeriodTwo) {
		out.Notes = append(out.Notes, "elements of the optimizer answer to past gradients differently: there is no single threshold of P^-1 H")
	}
	out.Preconditioned = found
	return nil
}

// decayed returns the matrix P^-1/2 H P^-1/2.
func (f *finder[T]) decayed(root []T) (*spectrum.Matrix, error) {
	decay, ones := make([]T, len(root)), make([]T, len(root))
	for i := range ones {
		ones[i] = 1
	}
	rule.AddDecay(f.p.Rule.Conditioning(), decay, ones)
	return spectrum.Scaled(f.matrix, decay, root)
}

// preconditioner returns the roots of 1/P at the start, the thresholds of the coming step there, and what memory P is made of.
func (f *finder[T]) preconditioner(ctx context.Context) (root []T, s diagnose.Stability, memory string, err error) {
	r, dim := f.p.Rule, len(f.g)
	if r.Memory == nil {
		return nil, s, "", noPreconditioner(r, "has no memory form")
	}
	with := r.Conditioning()
	if clipped := rule.Clip(with, f.g); clipped != (rule.Clipped{Factor: 1}) {
		return nil, s, "", noPreconditioner(r, "clips the gradient here, whose step changes by another matrix than the Hessian")
	}
	g := f.g
	if with.Active() {
		condition, err := objective.CompileDirection[T](&objective.Direction{Make: with.Of}, dim, f.p.Threads)
		if err != nil {
			return nil, s, "", err
		}
		g = make([]T, dim)
		if err := condition(f.g, f.p.Theta, g); err != nil {
			return nil, s, "", err
		}
	}
	state, steps, memory := [][]T(nil), full, "full, of the gradient here"
	if m := f.p.Moments; m != nil {
		state, steps, memory = m.State, m.Steps, "optimizer.moments"
	} else if state, err = f.settle(ctx, r, g); err != nil {
		return nil, s, "", err
	}
	p, err := diagnose.NewPreconditioner[T](r.Unconditioned(), dim, f.p.Threads)
	if err != nil {
		return nil, s, "", err
	}
	root = make([]T, dim)
	if s, err = p.At(steps, f.p.StepSize(f.p.Moments.steps()), f.p.Theta, g, state, root); err != nil {
		return nil, s, "", err
	}
	for _, x := range root {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, s, "", noPreconditioner(r, "has an element of P that is not above 0")
		}
	}
	return root, s, memory, nil
}

// full is a number of steps after which no correction of a memory's bias is left.
const full = 1 << 30

// settle returns what the optimizer remembers behind many steps of one gradient: where its memory goes to, which is known from three steps where each number
// of it moves like a x + b.
func (f *finder[T]) settle(ctx context.Context, r *rule.Rule, g []T) ([][]T, error) {
	stepper, err := rule.NewStepper[float64](r.Unconditioned(), f.p.Objective.Blocks(), engine.Options{Threads: f.p.Threads})
	if err != nil {
		return nil, err
	}
	wide, theta := widen(g), widen(f.p.Theta)
	var seen [4][][]float64 // the memory before steps 0 to 3
	for k := range seen {
		for _, array := range stepper.State() {
			seen[k] = append(seen[k], append([]float64{}, array...))
		}
		if err := stepper.StepContext(ctx, f.p.LR, append([]float64{}, theta...), wide); err != nil {
			return nil, err
		}
	}
	out := make([][]T, len(seen[0]))
	for i := range out {
		out[i] = make([]T, len(seen[0][i]))
		for j := range out[i] {
			limit, ok := limitOf([4]float64{seen[0][i][j], seen[1][i][j], seen[2][i][j], seen[3][i][j]})
			if !ok {
				return nil, noPreconditioner(r, fmt.Sprintf("has a memory, %s, that is not known of the gradient here alone, and optimizer.moments are not given", r.State[i]))
			}
			out[i][j] = T(limit)
		}
	}
	return out, nil
}

// limitOf returns where a sequence goes to whose differences shrink by one factor, and reports whether they do.
func limitOf(x [4]float64) (float64, bool) {
	a, b, c := x[1]-x[0], x[2]-x[1], x[3]-x[2]
	size := max(math.Abs(x[1]), math.Abs(x[2]), math.Abs(x[3]))
	switch {
	case math.Abs(b) <= 1e-12*size:
		return x[3], math.Abs(c) <= 1e-12*size
	case math.Abs(b*b-a*c) > 1e-6*b*b || math.Abs(b) >= math.Abs(a):
		return 0, false
	}
	return x[0] + a*a/(a-b), true
}
