package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"shadowflow/engine"
	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Start says where the comparison begins.
type Start string

const (
	// Manifold fills the memory with the gradients along the equation of highest order, run backwards: full memory, any order.
	Manifold Start = "manifold"
	// Cold begins with an empty memory, and compares with the equations exact in n: orders 1 and 2.
	Cold Start = "cold"
)

// Batches says which batch a step takes.
type Batches string

// The orders of batches. With mini-batches a comparison starts cold.
const (
	FullBatch Batches = "full"
	Cyclic    Batches = "cyclic"
	Shuffled  Batches = "shuffled"
)

// Problem is an optimizer at work on a loss.
type Problem struct {
	Objective objective.Objective
	Rule      *rule.Rule
	Theta     []float64 // where both start
	Batches   Batches   // empty: FullBatch
	Seed      uint64    // of Shuffled
	// BiasScale is the s of the intervention theta - lr U - s lr^2 C(theta): 0 is the rule as it is, -1 has no second-order bias. C
	// is that of the full batch with the memory full.
	BiasScale float64
}

// Options say what to compare.
type Options struct {
	Orders []int     // of the modified equations
	LR     []float64 // step sizes
	Time   float64   // span of time, lr times the number of steps
	Start  Start     // empty: Manifold
	// RelTol is the integrator's relative tolerance; if 0, 1e-12, or 1e-10 with a cold start, where the orders are low.
	RelTol  float64
	Threads int
}

// Result is what a comparison found.
type Result struct {
	LR     []float64     `json:"lr"`
	Steps  []int         `json:"steps"`
	Orders []OrderResult `json:"orders"`
}

// OrderResult is the comparison with one modified equation.
type OrderResult struct {
	Order int `json:"order"`
	// Errors are, for each step size, the largest distance of a coordinate of the iterates from the solution.
	Errors []float64 `json:"errors"`
	// Slopes are log(error ratio)/log(step size ratio) of neighbouring step sizes; NaN where an error is 0.
	Slopes []float64 `json:"slopes"`
}

// check fills in defaults and refuses what cannot be compared.
func (p *Problem) check(opt *Options) error {
	if err := p.Rule.Validate(); err != nil {
		return err
	}
	if p.Batches == "" {
		p.Batches = FullBatch
	}
	if opt.Start == "" {
		opt.Start = Manifold
	}
	if opt.RelTol == 0 {
		if opt.RelTol = 1e-12; opt.Start == Cold {
			opt.RelTol = 1e-10
		}
	}
	switch {
	case len(p.Theta) != p.Objective.Dim():
		return fmt.Errorf("theta has %d numbers: the objective has %d parameters", len(p.Theta), p.Objective.Dim())
	case !slices.Contains([]Batches{FullBatch, Cyclic, Shuffled}, p.Batches):
		return fmt.Errorf("batches %q: want %s, %s or %s", p.Batches, FullBatch, Cyclic, Shuffled)
	case opt.Start != Manifold && opt.Start != Cold:
		return fmt.Errorf("start %q: want %s or %s", opt.Start, Manifold, Cold)
	case len(opt.LR) == 0 || len(opt.Orders) == 0:
		return errors.New("nothing to compare: want at least one order and one lr")
	case !(opt.Time > 0) || math.IsInf(opt.Time, 1):
		return fmt.Errorf("time %v: want a number above 0", opt.Time)
	case math.IsNaN(p.BiasScale) || math.IsInf(p.BiasScale, 0):
		return fmt.Errorf("bias scale %v: want a finite number", p.BiasScale)
	case p.BiasScale != 0 && (opt.Start == Cold || p.Batches != FullBatch):
		return errors.New("a bias scale needs the full batch and a start on the manifold: C is that of the full memory")
	case p.Batches != FullBatch && opt.Start == Manifold:
		return errors.New("mini-batches have no slow manifold to start on: want start " + string(Cold))
	}
	for _, lr := range opt.LR {
		if !(lr > 0) || math.IsInf(lr, 1) {
			return fmt.Errorf("lr %v: want numbers above 0", lr)
		}
		if steps := math.Round(opt.Time / lr); steps < 1 || steps > 1e8 {
			return fmt.Errorf("time %g takes %g steps of lr %g: want from 1 to 1e8", opt.Time, steps, lr)
		}
	}
	highest := modeq.MaxOrder
	if opt.Start == Cold {
		highest = 2
	}
	for _, order := range opt.Orders {
		if order < 1 || order > highest {
			return fmt.Errorf("order %d: want 1 to %d with start %s", order, highest, opt.Start)
		}
	}
	return nil
}

// Run compares iterates and modified equations, for every step size and order.
func Run(ctx context.Context, p Problem, opt Options) (*Result, error) {
	if err := p.check(&opt); err != nil {
		return nil, err
	}
	result := &Result{LR: opt.LR}
	for _, order := range opt.Orders {
		result.Orders = append(result.Orders, OrderResult{Order: order, Errors: make([]float64, len(opt.LR))})
	}
	equations, err := newEquations(&p, opt)
	if err != nil {
		return nil, err
	}
	iterates, err := newIterates(&p, opt.Threads)
	if err != nil {
		return nil, err
	}
	for i, lr := range opt.LR {
		steps := int(math.Round(opt.Time / lr))
		result.Steps = append(result.Steps, steps)
		if err := iterates.begin(ctx, lr, equations, opt); err != nil {
			return nil, err
		}
		path, err := iterates.run(ctx, steps)
		if err != nil {
			return nil, err
		}
		for k := range result.Orders {
			o := &result.Orders[k]
			if o.Errors[i], err = equations.distance(ctx, o.Order, lr, path, opt); err != nil {
				return nil, fmt.Errorf("order %d, lr %g: %w", o.Order, lr, err)
			}
		}
	}
	for k := range result.Orders {
		result.Orders[k].Slopes = slopes(opt.LR, result.Orders[k].Errors)
	}
	return result, nil
}

func slopes(lr, errs []float64) []float64 {
	out := []float64{}
	for i := 1; i < len(lr); i++ {
		out = append(out, math.Log(errs[i-1]/errs[i])/math.Log(lr[i-1]/lr[i]))
	}
	return out
}

// equations are the modified equations compared with.
type equations struct {
	p      *Problem
	fields map[int]*modeq.Fields // by order, on the manifold
	second *modeq.SecondOrder[float64]
}

func newEquations(p *Problem, opt Options) (*equations, error) {
	e := &equations{p: p, fields: map[int]*modeq.Fields{}}
	if opt.Start == Cold {
		var err error
		loss := objective.Compile[float64](p.Objective, engine.Options{Threads: opt.Threads})
		e.second, err = modeq.NewSecondOrder(p.Rule, loss, modeq.SecondOptions{Order: p.order(), Threads: opt.Threads})
		return e, err
	}
	for _, order := range opt.Orders {
		if e.fields[order] != nil {
			continue
		}
		f, err := modeq.CompileFields(p.Rule, p.loss(), p.Objective.Dim(), order, modeq.FieldOptions{BiasScale: p.BiasScale, Threads: opt.Threads})
		if err != nil {
			return nil, err
		}
		e.fields[order] = f
	}
	return e, nil
}

// loss is the full batch's.
func (p *Problem) loss() rule.Loss {
	return func(b *graph.Builder, theta graph.Value) graph.Value {
		return objective.Loss(p.Objective, b, theta, objective.Full)
	}
}

// order is the schedule of batches, nil for the full batch.
func (p *Problem) order() func(step int) int {
	switch p.Batches {
	case Cyclic:
		return modeq.Cyclic(p.Objective.Batches())
	case Shuffled:
		return modeq.Shuffled(p.Objective.Batches(), p.Seed)
	}
	return nil
}

func (e *equations) flow(order int, lr float64) (flow.Field, error) {
	if e.second != nil {
		return e.second.Flow(lr, order)
	}
	return e.fields[order].Flow(lr), nil
}

// distance returns the largest distance of a coordinate of the path of iterates, one a step, from the equation's solution.
func (e *equations) distance(ctx context.Context, order int, lr float64, path [][]float64, opt Options) (float64, error) {
	solution, err := e.solve(ctx, order, lr, len(path)-1, opt)
	if err != nil {
		return 0, err
	}
	worst := 0.0
	for n, want := range path {
		for i, v := range want {
			worst = math.Max(worst, math.Abs(v-solution[n][i]))
		}
	}
	return worst, nil
}

// solve returns the equation's solution at the times of the steps, the start included; with an error, as far as it came.
func (e *equations) solve(ctx context.Context, order int, lr float64, steps int, opt Options) ([][]float64, error) {
	field, err := e.flow(order, lr)
	if err != nil {
		return nil, err
	}
	times := make([]float64, steps+1)
	for n := range times {
		times[n] = float64(n) * lr
	}
	o := flow.Options{RelTol: opt.RelTol, AbsTol: opt.RelTol / 10, Times: times}
	method := flow.DormandPrince8
	if e.second != nil { // a break every step leaves a high order nothing to gain
		o.Spacing, method = lr, flow.DormandPrince5
	}
	solution, err := flow.Integrate(ctx, method, field, 0, times[steps], e.p.Theta, o)
	if solution == nil {
		return nil, err
	}
	return solution.Rows, err
}
