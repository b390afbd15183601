package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/internal/atomicfile"
	"shadowflow/internal/memory"
	"shadowflow/internal/patience"
	"shadowflow/objective/worker"
)

// A Runner makes one run in a directory, or continues it there. It returns the context's error if it was interrupted.
type Runner func(ctx context.Context, c *config.Config, dir string) error

// execute makes a run, or goes on with it where there is one: also with one that another process began after this one had looked.
func execute(ctx context.Context, c *config.Config, dir string, opt run.Options) error {
	var result *run.Result
	err := record.ErrExists
	if _, none := os.Stat(record.ConfigPath(dir)); none != nil {
		result, err = run.Run(ctx, c, dir, opt)
	}
	if errors.Is(err, record.ErrExists) {
		result, err = run.Resume(ctx, dir, opt)
	}
	if err == nil && result.Status == run.Interrupted {
		err = context.Cause(ctx)
		if err == nil && opt.Pause == 0 {
			err = context.Canceled
		}
	}
	return err
}

// Options say how the runs of a sweep are made. Nothing in them changes a result.
type Options struct {
	// Parallel is the largest number of runs at once; 0 stands for one a processor.
	Parallel int
	// Memory is what all runs together may take, in bytes; 0 stands for what is free.
	Memory int64
	// RetryFailed makes runs again that failed earlier.
	RetryFailed bool
	// AcceptChanged lets Execute go on with a run whose data or program changed, and make runs that differ in these from those that have ended.
	AcceptChanged bool
	// Wait is for how long RunOne waits for a run that another process makes: one that was just taken from it may still write its checkpoint.
	Wait time.Duration
	// Run makes a run; nil stands for Execute.
	Run Runner
	// Size says what a run takes, in bytes; nil stands for what its programs, vectors and data take. It is asked for one run at a time. A run
	// whose size is an error is made alone, as if it took all of the memory, and fails there if that was its own.
	Size func(ctx context.Context, c *config.Config) (int64, error)
	// Progress, if not nil, is told of each run that starts or stops, from one goroutine.
	Progress func(Event)

	peers   *run.Peers
	workers *worker.Pool
}

// runner returns what makes a run as far as a step, 0 for its end. A Runner that was given knows of no step.
func (o Options) runner(pause int) Runner {
	if o.Run != nil {
		return o.Run
	}
	return func(ctx context.Context, c *config.Config, dir string) error {
		return execute(ctx, c, dir, run.Options{AcceptChanged: o.AcceptChanged, Peers: o.peers, Workers: o.workers, Pause: pause})
	}
}

// An Event is a run that starts or stops.
type Event struct {
	Run  Run
	Dir  string
	Done bool // it stopped
	Err  error
	// Interrupted says that it stopped because the sweep did, and will go on from its checkpoint.
	Interrupted bool
	// Stopped and All count the runs of this call.
	Stopped, All int
}

// Execute makes all runs of the sweep in its directory that are not there yet: as many at once as processors and memory
// allow, each then with its share of the threads. Runs that fail are recorded and stop nothing; the error is of the sweep as a whole: an
// interruption, a directory that cannot be written, or a *[run.ChangedError] where a run would be made of other data, or by another program, than those
// that have ended: then no further run is begun. Runs that another process makes at the moment are left to it.
func (s *Sweep) Execute(ctx context.Context, dir string, opt Options) (err error) {
	if err := s.Prepare(dir); err != nil {
		return err
	}
	if err := atomicfile.Sweep(dir, time.Minute); err != nil {
		return err
	}
	held, err := os.Stat(dir)
	if err != nil {
		return err
	}
	opt.workers = &worker.Pool{}
	defer func() { err = errors.Join(err, opt.workers.Close()) }()
	for before := []Status(nil); ; { // once for each rung of halving, and once without
		statuses, err := s.Status(ctx, dir)
		if err != nil {
			return err
		}
		todo := toMake(statuses, opt.RetryFailed)
		if before != nil && (len(todo) == 0 || slices.EqualFunc(todo, before, Status.asFar)) {
			return nil
		}
		opt.peers = peersOf(statuses)
		sched := newScheduler(todo, opt)
		sched.dir, sched.held = dir, held
		if err := sched.run(ctx); err != nil || s.halving == nil {
			return err
		}
		before, opt.RetryFailed = append([]Status{}, todo...), false
	}
}

// toMake returns the runs that can go on.
func toMake(statuses []Status, retryFailed bool) []Status {
	var out []Status
	for _, st := range statuses {
		if st.Missing(retryFailed) && !st.waits {
			out = append(out, st)
		}
	}
	return out
}

// asFar reports whether two statuses are of a run that has come no further.
func (s Status) asFar(other Status) bool {
	return s.Run.Index == other.Run.Index && s.State == other.State && s.Step == other.Step && s.pause == other.pause
}

// CheckIndex returns an error if there is no run of an index.
func (s *Sweep) CheckIndex(index int) error {
	if index < 0 || index >= len(s.Runs) {
		return fmt.Errorf("run %d: the sweep %s has %d, counted from 0", index, s.Name, len(s.Runs))
	}
	return nil
}

// RunOne makes one run of the sweep in its directory with all processors, unless it has ended. This is what a cluster's scheduler
// calls, for each index once; with halving once for each rung and once more, as far as the runs of the rung allow.
func (s *Sweep) RunOne(ctx context.Context, dir string, index int, opt Options) error {
	if err := s.CheckIndex(index); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, record.SweepFile)); err != nil {
		if err := s.Prepare(dir); err != nil {
			return err
		}
	}
	for until := time.Now().Add(opt.Wait); ; {
		err := s.makeOne(ctx, dir, index, opt)
		var inUse *record.InUseError
		if !errors.As(err, &inUse) || time.Now().After(until) {
			return err
		}
		// Only the lock is asked for: to look where the sweep stands reads every run's directory, and with halving every history.
		for waited := false; !waited || record.InUse(inUse.Dir) && time.Now().Before(until); waited = true {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(time.Second):
			}
		}
	}
}

func (s *Sweep) makeOne(ctx context.Context, dir string, index int, opt Options) error {
	st, err := s.standing(dir, index)
	if err != nil {
		return err
	}
	switch {
	case st.over() || st.waits:
		return nil
	case st.Damaged:
		return errors.New(st.Reason)
	case st.State == Failed && s.halving != nil && !opt.RetryFailed: // as the worst at its rung, which others may have passed since
		return fmt.Errorf("it failed, and with halving is made again only with --retry-failed: %s", st.Reason)
	}
	opt.peers = peersOf(s.withResults(dir))
	return newScheduler([]Status{st}, opt).make(ctx, st)
}

// standing returns where a run stands, which with halving depends on where the others do.
func (s *Sweep) standing(dir string, index int) (Status, error) {
	if s.halving != nil {
		statuses, err := s.states(dir)
		if err != nil {
			return Status{}, err
		}
		return statuses[index], nil
	}
	dirs, err := s.runDirs(dir)
	if err != nil {
		return Status{}, err
	}
	return statusOf(s.Runs[index], dirs[index]), nil
}

// withResults returns the runs that have ended, by their results alone: to read their configs too would take more than a short run does where there are thousands.
func (s *Sweep) withResults(dir string) []Status {
	var out []Status
	for i, runDir := range s.RunDirs(dir) {
		if result, err := run.ReadResult(runDir); err == nil {
			out = append(out, Status{Run: s.Runs[i], Dir: runDir, State: Ended, Result: result})
		}
	}
	return out
}

// peersOf returns the runs that have ended, for others to be compared with.
func peersOf(statuses []Status) *run.Peers {
	p := &run.Peers{}
	for _, st := range statuses {
		if st.State == Ended {
			p.Add(st.Run.Config, st.Dir, st.Result)
		}
	}
	return p
}

// scheduler makes runs side by side.
type scheduler struct {
	todo    []Status
	opt     Options
	threads int // of each run; 0 leaves what its config says
	sizes   []int64
	sizing  chan struct{} // has room for the one measurement that may go on
	dir     string        // of the sweep
	held    fs.FileInfo   // what it was at the start
}

func newScheduler(todo []Status, opt Options) *scheduler {
	if opt.Parallel <= 0 {
		opt.Parallel = runtime.GOMAXPROCS(0)
	}
	if opt.Size == nil {
		opt.Size = (&sizer{}).of
	}
	if opt.Memory <= 0 {
		opt.Memory = memory.Available()
	}
	opt.Parallel = min(opt.Parallel, max(1, len(todo)))
	return &scheduler{todo: todo, opt: opt, sizing: make(chan struct{}, 1)}
}

// shareThreads gives the runs that may be made side by side, the smallest ones, the threads that there are for each: they change no bit of a run.
func (s *scheduler) shareThreads() {
	sizes := slices.Sorted(slices.Values(s.sizes))
	together, used := 0, int64(0)
	for together < min(s.opt.Parallel, len(sizes)) && (together == 0 || s.fits(used+sizes[together])) {
		used += sizes[together]
		together++
	}
	if together > 1 {
		s.threads = max(1, runtime.GOMAXPROCS(0)/together)
	}
}

type outcome struct {
	index int
	err   error
}

func (s *scheduler) run(ctx context.Context) error {
	s.measure(ctx)
	s.shareThreads()
	done := make(chan outcome)
	next, running, stopped, used := 0, 0, 0, int64(0)
	var errs []error
	lost, mixed := false, false
	for {
		for ctx.Err() == nil && !lost && !mixed && next < len(s.todo) && running < s.opt.Parallel && (running == 0 || s.fits(used+s.sizes[next])) {
			if there, err := os.Stat(s.dir); err != nil || !os.SameFile(there, s.held) {
				lost = true
				errs = append(errs, fmt.Errorf("the directory %s of the sweep was moved or deleted while it went on: "+
					"no run is begun; go on where it is now", s.dir))
				break
			}
			i := next
			s.tell(Event{Run: s.todo[i].Run, Dir: s.todo[i].Dir, Stopped: stopped, All: len(s.todo)})
			go func() { done <- outcome{i, s.make(ctx, s.todo[i])} }()
			next, running, used = next+1, running+1, used+s.sizes[i]
		}
		if running == 0 {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		o := <-done
		running, stopped, used = running-1, stopped+1, used-s.sizes[o.index]
		st := s.todo[o.index]
		s.tell(Event{
			Run: st.Run, Dir: st.Dir, Done: true, Err: o.err, Interrupted: o.err != nil && ctx.Err() != nil, Stopped: stopped, All: len(s.todo),
		})
		var unwritten *recordError
		switch {
		case errors.As(o.err, &unwritten):
			errs = append(errs, o.err)
		case unlikePeers(o.err):
			if !mixed { // the others would say the same
				errs = append(errs, o.err)
			}
			mixed = true
		}
	}
}

// measure finds the memory of each run, where it matters.
func (s *scheduler) measure(ctx context.Context) {
	s.sizes = make([]int64, len(s.todo))
	if s.opt.Parallel < 2 || s.opt.Memory <= 0 {
		return
	}
	var size needed
	for i, st := range s.todo {
		if i == 0 || st.Run.alike != s.todo[i-1].Run.alike {
			if size = s.size(ctx, st.Run.Config); size.err != nil {
				size.bytes = s.opt.Memory
			}
		}
		s.sizes[i] = size.bytes
	}
}

// needed is what a run takes, in bytes; 0 with an error.
type needed struct {
	bytes int64
	err   error
}

// size tells what a run takes. What cannot even be measured, as a file that its reader was not made for, is the run's own error. A measurement that is
// no longer waited for goes on by itself, and the next begins when it has ended.
func (s *scheduler) size(ctx context.Context, c *config.Config) needed {
	ctx, cancel := context.WithTimeoutCause(ctx, askedFor, errAskedFor)
	defer cancel()
	select {
	case s.sizing <- struct{}{}:
	case <-ctx.Done():
		return needed{err: context.Cause(ctx)}
	}
	var n needed
	n.err = guarded(func() (err error) {
		n.bytes, err = patience.Wait(ctx, func() (int64, error) {
			defer func() { <-s.sizing }()
			return s.opt.Size(ctx, c)
		})
		return err
	})
	return n
}

// askedFor is how long what one run takes is asked for, its programs planned and its data read, before the sweep goes on without an answer.
const askedFor = 20 * time.Second

var errAskedFor = fmt.Errorf("it is not known after %v", askedFor)

func (s *scheduler) fits(bytes int64) bool { return s.opt.Memory <= 0 || bytes <= s.opt.Memory }

func (s *scheduler) tell(e Event) {
	if s.opt.Progress != nil {
		s.opt.Progress(e)
	}
}

// recordError says that the reason of a failed run could not be written down.
type recordError struct{ err error }

func (e *recordError) Error() string { return e.err.Error() }
func (e *recordError) Unwrap() error { return e.err }

// make makes a run, and records why if it fails.
func (s *scheduler) make(ctx context.Context, st Status) error {
	c := *st.Run.Config
	if s.threads > 0 {
		c.Threads = s.threads
	}
	err := guarded(func() error { return s.opt.runner(st.pause)(ctx, &c, st.Dir) })
	var inUse *record.InUseError
	var lost *record.LostError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &lost): // where it was nothing is to be written
		return &recordError{err}
	case ctx.Err() != nil, errors.As(err, &inUse), unlikePeers(err):
		return err
	}
	if failed := record.WriteFailure(st.Dir, err); failed != nil {
		return &recordError{errors.Join(err, failed)}
	}
	return err
}

// unlikePeers reports whether an error says that a run would differ from those of the sweep that have ended, which is no fault of its own.
func unlikePeers(err error) bool {
	var changed *run.ChangedError
	return errors.As(err, &changed) && changed.Peers
}

// guarded turns a panic, which would end all runs, into the error of one.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			what, _, _ := strings.Cut(fmt.Sprint(r), "\n") // a stack may follow
			err = fmt.Errorf("internal error: %s", what)
		}
	}()
	return f()
}
