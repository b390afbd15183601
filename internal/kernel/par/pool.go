// Package par runs the independent chunks of one numerical task on a fixed set of workers.
//
// A task states how many chunks it has; that number must depend on the task alone, never on the number of workers, so
// that the same work gives the same bits on any number of threads. Workers claim chunks in order; a short spin between
// tasks keeps the cost of a fork and join near a microsecond, which matters because a program is thousands of small tasks.
package par

import (
	"runtime"
	"sync/atomic"
)

// Task is work cut into chunks that may run at the same time, in any order.
type Task interface {
	// Chunk does the i-th chunk. Worker, in [0, Pool.Workers()), selects scratch memory: no two chunks that run at
	// the same time see the same worker.
	Chunk(i, worker int)
}

// spinRounds bounds how often an idle worker looks for work before it sleeps.
const spinRounds = 200

// Pool is a set of workers. One task runs at a time: Run is not for concurrent use.
type Pool struct {
	workers int
	task    Task
	chunks  int
	// state holds the epoch in its high and the number of unclaimed chunks in its low 32 bits: a claim is one
	// compare-and-swap, and a worker that was late by a whole task can never claim a chunk of the next one.
	state    atomic.Uint64
	finished atomic.Int64
	sleepers atomic.Int64
	wake     chan struct{}
	closed   chan struct{}
}

// New starts a pool of the given number of workers, the caller of Run counted; less than one means GOMAXPROCS.
func New(workers int) *Pool {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := &Pool{workers: workers, wake: make(chan struct{}, workers), closed: make(chan struct{})}
	for w := 1; w < workers; w++ {
		go p.serve(w)
	}
	return p
}

// Workers returns the number of workers, the caller of Run counted.
func (p *Pool) Workers() int { return p.workers }

// Close ends the pool's goroutines. The pool must be idle.
func (p *Pool) Close() { close(p.closed) }

// Run does all chunks of t and returns when the last is done. The calling goroutine is worker 0.
func (p *Pool) Run(chunks int, t Task) {
	if p.workers == 1 || chunks <= 1 {
		for i := range chunks {
			t.Chunk(i, 0)
		}
		return
	}
	p.task, p.chunks = t, chunks
	p.finished.Store(0)
	epoch := p.state.Load()>>32 + 1
	p.state.Store(epoch<<32 | uint64(chunks))
	for n := min(p.sleepers.Load(), int64(chunks-1)); n > 0; n-- {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	for p.claim(0) {
	}
	for spins := 0; p.finished.Load() < int64(chunks); spins++ {
		if spins > 64 {
			runtime.Gosched()
		}
	}
	p.task = nil
}

// claim does one chunk, if one is left.
func (p *Pool) claim(worker int) bool {
	for {
		s := p.state.Load()
		left := s & (1<<32 - 1)
		if left == 0 {
			return false
		}
		if p.state.CompareAndSwap(s, s-1) {
			p.task.Chunk(p.chunks-int(left), worker)
			p.finished.Add(1)
			return true
		}
	}
}

func (p *Pool) serve(worker int) {
	for spins := 0; ; spins++ {
		if p.claim(worker) {
			spins = 0
			continue
		}
		if spins < spinRounds {
			runtime.Gosched()
			continue
		}
		spins = 0
		p.sleepers.Add(1)
		if p.state.Load()&(1<<32-1) == 0 {
			select {
			case <-p.wake:
			case <-p.closed:
				return
			}
		}
		p.sleepers.Add(-1)
	}
}
