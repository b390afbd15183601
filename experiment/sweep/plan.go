package sweep

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/internal/atomicfile"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
)

// A Plan is what a sweep will take.
type Plan struct {
	Runs []PlannedRun
	// Parallel is the number of runs at once that the processors allow.
	Parallel int
	// Seconds is the estimated wall time of the runs that are not there yet, Unknown how many of them have no estimate. With halving it is the most that they
	// may take.
	Seconds float64
	Unknown int
}

// A PlannedRun is a run with estimates.
type PlannedRun struct {
	Status
	// Bytes is about the memory at its peak, 0 if it could not be told.
	Bytes int64
	// Seconds is the estimated time on one thread, 0 if it is not known; From says what the estimate was made from.
	Seconds float64
	From    string
	// Problem says why there is no estimate.
	Problem string
}

// PlanOptions say how to estimate.
type PlanOptions struct {
	Options
	// Probe is how long, in seconds, a run of each kind that has no finished example is tried out; 0 tries none.
	Probe float64
}

// Plan returns the runs with estimates of memory and time. Time comes from the sweep's ended runs that differ in nothing that
// costs time, or from trying one of each kind for a moment in a temporary directory.
func (s *Sweep) Plan(ctx context.Context, dir string, opt PlanOptions) (*Plan, error) {
	statuses, err := s.Status(ctx, dir)
	if err != nil {
		return nil, err
	}
	todo := 0
	speeds := map[string]speed{}
	for _, st := range statuses {
		if !st.over() && !st.Damaged {
			todo++
		} else if st.State == Ended && st.Result.Taken() > 0 {
			speeds[st.Run.Config.Kind()] = speed{st.Result.Seconds / float64(st.Result.Taken()), "an ended run", ""}
		}
	}
	sched := newScheduler(make([]Status, todo), opt.Options)
	p := &Plan{Parallel: sched.opt.Parallel}
	var size needed
	var kind string
	for i, st := range statuses {
		if i == 0 || st.Run.alike != statuses[i-1].Run.alike { // their size does not depend on the seed
			size, kind = sched.size(ctx, st.Run.Config), st.Run.Config.Kind()
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		r := PlannedRun{Status: st, Bytes: size.bytes}
		switch most := sched.opt.Memory; {
		case st.Damaged:
			r.Problem = st.Reason
		case size.err != nil:
			r.Problem = size.err.Error()
		case opt.Probe > 0 && most > 0 && size.bytes > most && !st.over(): // not to be tried here
			r.Problem = fmt.Sprintf("it needs about %s of memory, and %s are left", memory.Format(size.bytes), memory.Format(most))
		}
		if !st.over() && r.Problem == "" {
			v, known := speeds[kind]
			if !known && opt.Probe > 0 {
				if v = probe(ctx, dir, st.Run.Config, opt.Probe, sched.opt.runner(0)); ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				speeds[kind] = v
			}
			r.Seconds, r.From, r.Problem = v.perStep*float64(st.Run.Config.Steps), v.from, v.problem
		}
		p.add(r)
	}
	p.Seconds /= float64(p.Parallel)
	return p, nil
}

func (p *Plan) add(r PlannedRun) {
	p.Runs = append(p.Runs, r)
	switch {
	case r.over():
	case r.Seconds > 0:
		p.Seconds += r.Seconds
	default:
		p.Unknown++
	}
}

type speed struct {
	perStep       float64 // seconds
	from, problem string
}

// probe tries a config for some seconds, at least one step, in a folder within dir.
func probe(ctx context.Context, dir string, c *config.Config, seconds float64, make Runner) speed {
	aside, remove, err := atomicfile.Folder(dir)
	if err != nil {
		return speed{problem: err.Error()}
	}
	defer func() { _ = remove() }() // what is left of it the next start sweeps
	short := *c
	short.Stop.Seconds, short.Threads = seconds, 1
	ctx, cancel := context.WithTimeoutCause(ctx, askedFor+time.Duration(seconds*float64(time.Second)), errAskedFor)
	defer cancel()
	if err := guarded(func() error { return make(ctx, &short, filepath.Join(aside, "run")) }); err != nil {
		return speed{problem: err.Error()}
	}
	result, err := run.ReadResult(filepath.Join(aside, "run"))
	switch {
	case err != nil:
		return speed{problem: "the probe left no result: " + err.Error()}
	case result.Taken() == 0:
		return speed{problem: fmt.Sprintf("no step in %g seconds", seconds)}
	}
	return speed{perStep: result.Seconds / float64(result.Taken()), from: "a probe of " + plural.Of(result.Taken(), "step")}
}
