package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// A Pool keeps workers that have served one run for the runs that follow: to start one, which imports a framework and compiles a model, may take longer
// than a run. A worker serves again where its options are the same and the files of its command are what they were; it begins where it began. A nil *Pool
// keeps none. It is for concurrent use.
type Pool struct {
	mu     sync.Mutex
	idle   []*Process
	closed bool
}

// Start returns a worker that is kept, or a new one. Where none that is kept fits, the one that has waited longest is ended, so that there are never more
// than were at work at one time.
func (k *Pool) Start(ctx context.Context, opt Options) (*Process, error) {
	if p := k.take(opt); p != nil {
		return p, nil
	}
	if err := k.endOldest(); err != nil {
		return nil, err
	}
	return Start(ctx, opt)
}

// Release keeps a worker for another run, or closes it if it is of no more use.
func (k *Pool) Release(p *Process) error {
	if k == nil || p == nil || !p.rewind() {
		return p.Close()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return p.Close()
	}
	k.idle = append(k.idle, p)
	return nil
}

// Close ends all workers that are kept. Those released later are closed at once.
func (k *Pool) Close() error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	var errs []error
	for _, p := range k.idle {
		errs = append(errs, p.Close())
	}
	k.idle = nil
	return errors.Join(errs...)
}

// take returns a worker that is kept and fits; nil without one.
func (k *Pool) take(opt Options) *Process {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.idle, func(p *Process) bool { return p.serves(opt) })
	if i < 0 {
		return nil
	}
	p := k.idle[i]
	k.idle = slices.Delete(k.idle, i, i+1)
	p.opt.Timeout = opt.Timeout
	return p
}

func (k *Pool) endOldest() error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.idle) == 0 {
		return nil
	}
	p := k.idle[0]
	k.idle = slices.Delete(k.idle, 0, 1)
	return p.Close()
}

// serves reports whether a worker is what would be started with these options, and at work.
func (p *Process) serves(opt Options) bool {
	select {
	case <-p.gone:
		return false
	default:
	}
	same := slices.Equal(p.opt.Command, opt.Command) && p.opt.DType == opt.DType && p.opt.Threads == opt.Threads && p.opt.Seed == opt.Seed
	return same && p.sum == sumOf(opt.Command)
}

// rewind makes a worker what it was behind its start, and reports whether that can be: not of one that is lost, or of which an answer is outstanding that
// it may yet write to the memory. Nobody may hold vectors of it any more.
func (p *Process) rewind() bool {
	if p.lost != nil || p.answered != p.id {
		return false
	}
	p.shared.rewind(p.running)
	p.words.forget()
	return true
}
