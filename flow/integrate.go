package flow

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// A Field writes dy/dt at time t and state y into dydt. n is the number of the
// interval between breaks that t belongs to, 0 if there are none; at a break itself the
// field is asked on either side of it, with the n of that side. It must not keep or change y,
// and must overwrite dydt. An error ends the integration.
type Field func(n int, t float64, y, dydt []float64) error

// Integrate solves dy/dt = field(n, t, y), y(t0) = y0, from t0 to t1, which may
// lie before t0. It does not change y0.
//
// The error is a *TooManyStepsError, a *StepUnderflowError, a *NonFiniteError or a
// *FieldError, each with the time t it happened at; an *OptionError if an argument
// cannot be used; that of Options.Output; or it wraps ctx.Err(). Except for an
// *OptionError, the solution up to that time is returned with it.
//
// Beyond the buffers made at the start (four states for a method of fixed steps each of whose stages reads one other, as those of RK4 do, if nothing is
// asked at Times; for others of s stages, s + 2, with the derivative at the end s + 3) it allocates what Times need: dense output and rows.
func Integrate(ctx context.Context, m *Method, field Field, t0, t1 float64, y0 []float64, opt Options) (*Solution, error) {
	if err := opt.prepare(m, t0, t1, y0); err != nil {
		return nil, err
	}
	segments, err := newBreaks(t0, t1, &opt)
	if err != nil {
		return nil, err
	}
	in := &integration{
		stepper:  newStepper(m, field, t0, y0, &opt),
		ctx:      ctx,
		opt:      &opt,
		t1:       t1,
		solution: &Solution{},
	}
	in.controller.control = m.control
	in.controller.restart()
	err = in.run(segments)
	in.solution.T, in.solution.Y, in.solution.Evaluations = in.t, in.y, in.evaluations
	return in.solution, err
}

// integration is one call of Integrate.
type integration struct {
	*stepper
	ctx        context.Context
	opt        *Options
	t1         float64
	controller controller
	h          float64 // size of the next step, positive; 0 if not yet chosen
	row        []float64
	solution   *Solution
}

func (in *integration) run(segments *breaks) error {
	if err := in.outputStart(); err != nil {
		return err
	}
	for in.t != in.t1 {
		s := segments.next()
		in.enter(s.n)
		cross := in.crossAdaptive
		if in.opt.fixed(in.Method) {
			cross = in.crossFixed
		}
		if err := cross(s.end); err != nil {
			return err
		}
	}
	return nil
}

// crossFixed integrates to end, where the segment ends, in equal steps.
func (in *integration) crossFixed(end float64) error {
	begin := in.t
	steps := 1.0
	if in.opt.Step > 0 {
		steps = max(1, math.Ceil(math.Abs(end-begin)/in.opt.Step*(1-timeUlps*0x1p-52)))
	}
	for i := 1.0; i <= steps; i++ {
		if err := in.mayStep(); err != nil {
			return err
		}
		tNew := end
		if i < steps {
			tNew = begin + (end-begin)*(i/steps)
		}
		if err := in.start(); err != nil {
			return err
		}
		if err := in.try(tNew); err != nil {
			return err
		}
		if err := in.accept(); err != nil {
			return err
		}
	}
	return nil
}

// crossAdaptive integrates to end, where the segment ends, with step control.
func (in *integration) crossAdaptive(end float64) error {
	in.controller.restart()
	for in.t != end {
		if err := in.start(); err != nil {
			return err
		}
		if err := in.chooseFirst(end); err != nil {
			return err
		}
		if err := in.mayStep(); err != nil {
			return err
		}
		tNew, cut := in.aim(end)
		tried := in.try(tNew)
		if err := ignoreNonFinite(tried); err != nil {
			return err
		}
		scaled := math.NaN()
		if tried == nil {
			scaled = in.scaledError(in.opt.RelTol, in.opt.AbsTol)
		}
		size := math.Abs(tNew - in.t)
		if !(scaled <= 1) {
			if err := in.reject(size, scaled, tried); err != nil {
				return err
			}
			continue
		}
		factor := in.controller.accept(scaled)
		if !cut || factor < 1 {
			in.h = size * factor
		} else { // that the break cut the step short says nothing against the larger one
			in.h = max(size*factor, in.h)
		}
		if err := in.accept(); err != nil {
			return err
		}
	}
	return nil
}

// chooseFirst sets the size of the very first step.
func (in *integration) chooseFirst(end float64) error {
	if in.h > 0 {
		return nil
	}
	if in.opt.InitialStep > 0 {
		in.h = in.opt.InitialStep
		return nil
	}
	h, err := in.initialStep(end-in.t, math.Abs(end-in.t), in.opt.RelTol, in.opt.AbsTol)
	if err != nil {
		return err
	}
	in.h = h
	return nil
}

// aim returns the next step's end, and whether it lies nearer than the step control
// would go. What is left of the segment is never split into a step and a sliver.
func (in *integration) aim(end float64) (tNew float64, cut bool) {
	h := in.h
	if in.opt.MaxStep > 0 {
		h = min(h, in.opt.MaxStep)
	}
	left := math.Abs(end - in.t)
	switch {
	case left <= 1.01*h:
		return end, left < h
	case left < 2*h:
		h, cut = left/2, true
	}
	return in.t + math.Copysign(h, end-in.t), cut
}

// reject chooses a smaller step after one of the given size had the scaled error
// err, or failed because the field was not finite.
func (in *integration) reject(size, scaled float64, tried error) error {
	in.solution.Rejected++
	in.h = size * in.controller.reject(scaled)
	ulp := math.Nextafter(math.Abs(in.t), math.Inf(1)) - math.Abs(in.t)
	if in.h > 10*ulp {
		return nil
	}
	if tried != nil {
		return tried
	}
	return &StepUnderflowError{T: in.t, Step: size}
}

// mayStep returns an error if there must be no further step.
func (in *integration) mayStep() error {
	if err := in.ctx.Err(); err != nil {
		return fmt.Errorf("flow: stopped at t = %g: %w", in.t, err)
	}
	tried := in.solution.Steps + in.solution.Rejected
	if in.opt.MaxSteps > 0 && tried >= in.opt.MaxSteps {
		return &TooManyStepsError{T: in.t, Steps: tried}
	}
	return nil
}

// accept takes the step that was tried: its outputs, then on to the next.
func (in *integration) accept() error {
	in.solution.Steps++
	if err := in.outputStep(); err != nil {
		return err
	}
	in.advance()
	return nil
}

// outputStart gives out the times that are t0.
func (in *integration) outputStart() error {
	if len(in.opt.Times) > 0 {
		in.row = make([]float64, len(in.y))
	}
	for len(in.opt.Times) > in.solution.outputs && in.opt.Times[in.solution.outputs] == in.t {
		if err := in.output(in.y); err != nil {
			return err
		}
	}
	return nil
}

// outputStep gives out the times that the step has passed.
func (in *integration) outputStep() error {
	for i := in.solution.outputs; i < len(in.opt.Times); i++ {
		t := in.opt.Times[i]
		if t == in.tNew {
			if err := in.output(in.yNew); err != nil {
				return err
			}
			continue
		}
		if (t > in.tNew) == (in.tNew > in.t) {
			return nil
		}
		if err := in.interpolate(); err != nil {
			return err
		}
		evaluateDense(in.row, in.r, (t-in.t)/(in.tNew-in.t))
		if err := in.output(in.row); err != nil {
			return err
		}
	}
	return nil
}

func (in *integration) output(y []float64) error {
	i := in.solution.outputs
	in.solution.outputs++
	if in.opt.Output != nil {
		return in.opt.Output(i, in.opt.Times[i], y)
	}
	in.solution.Rows = append(in.solution.Rows, append([]float64(nil), y...))
	return nil
}

// ignoreNonFinite drops the error that a smaller step may avoid.
func ignoreNonFinite(err error) error {
	if err == nil {
		return nil
	}
	var bad *NonFiniteError
	if errors.As(err, &bad) {
		return nil
	}
	return err
}
