// Package par runs the independent chunks of one numerical task on a fixed set of workers.
//
// A task states how many chunks it has; that number must depend on the task alone, never on the number of workers, so
// that the same work gives the same bits on any number of threads. A worker claims its own share of the chunks in order, then
// what is left of the others': of tasks with as many chunks each does the same ones, so what the chunks before have left in its caches
// serves it. A short spin between tasks keeps the cost of a fork and join near a microsecond, which matters because a program is
// thousands of small tasks.
package par

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Task is work cut into chunks that may run at the same time, in any order.
type Task interface {
	// Chunk does the i-th chunk. Worker, in [0, Pool.Workers()), selects scratch memory: no two chunks that run at
	// the same time see the same worker.
	Chunk(i, worker int)
}

// An idle worker looks for work spinRounds times, pausing in between, less than a millisecond in all, before it sleeps: to wake a
// thread of an idle processor takes longer than most tasks. The scheduler is left alone meanwhile, because it would move the workers
// between threads.
const (
	spinRounds = 5000
	pauses     = 4
)

// Pool is one user's hold on a set of workers, and what breaks its tasks off. A pool is not for concurrent use, its workers are.
type Pool struct {
	*crew
	until  <-chan struct{}
	broken atomic.Bool
}

// crew is a set of workers. It does one task at a time; a task that comes while another runs is done by its caller alone.
type crew struct {
	workers int
	task    Task
	by      *Pool // whose task it is
	chunks  int
	epoch   uint64
	shares  []share // by worker
	wake    chan struct{}
	closed  chan struct{}
	busy    atomic.Bool
	_       line
	// What workers write has lines of its own: processors far apart take a third of a microsecond to hand one over.
	finished atomic.Int64
	_        line
	sleepers atomic.Int64
	_        line
}

// line keeps what is before it and what is behind it in different cache lines.
type line [64]byte

// share is what is left of a worker's part of the chunks: the epoch in the high and the number of unclaimed chunks in the low 32
// bits. A claim is one compare-and-swap, and a worker that was late by a whole task can never claim a chunk of the next one.
type share struct {
	state atomic.Uint64
	_     line
}

const unclaimed = 1<<32 - 1 // the bits of a state

// end returns the chunk behind the last of a worker's share.
func (p *crew) end(worker int) int { return p.chunks * (worker + 1) / p.workers }

// The threads of a processor are shared by everyone in the process, and so are the workers on them: two pools would take turns at
// keeping each other's workers waiting.
var (
	sharing sync.Mutex
	shared  = map[int]*crew{}
)

// fewWorkers may be had on any machine, for the sake of tests; a processor has nothing from more workers than it runs at once, which only
// wait for each other.
const fewWorkers = 8

// Shared returns a pool of the process's workers: as many as asked for, the caller of Run counted, but no more than GOMAXPROCS or eight; less
// than one means GOMAXPROCS. It is never closed.
func Shared(workers int) *Pool {
	most := runtime.GOMAXPROCS(0)
	if workers < 1 {
		workers = most
	}
	workers = min(workers, max(most, fewWorkers))
	sharing.Lock()
	defer sharing.Unlock()
	c, ok := shared[workers]
	if !ok {
		c = newCrew(workers)
		shared[workers] = c
	}
	return &Pool{crew: c}
}

// New starts a pool of the given number of workers, the caller of Run counted; less than one means GOMAXPROCS.
func New(workers int) *Pool {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	return &Pool{crew: newCrew(workers)}
}

func newCrew(workers int) *crew {
	p := &crew{workers: workers, shares: make([]share, workers), wake: make(chan struct{}, workers), closed: make(chan struct{})}
	for w := 1; w < workers; w++ {
		go p.serve(w)
	}
	return p
}

// Workers returns the number of workers, the caller of Run counted.
func (p *crew) Workers() int { return p.workers }

// Close ends the pool's goroutines. The pool must be idle.
func (p *crew) Close() { close(p.closed) }

// Until has the coming tasks broken off once a channel is closed, if it is not nil: chunks that no worker has claimed by then are left out.
func (p *Pool) Until(closed <-chan struct{}) {
	p.until = closed
	p.broken.Store(false)
}

// Broken reports whether chunks were left out since [Pool.Until], or would be from now on.
func (p *Pool) Broken() bool { return p.broken.Load() || p.stopped() }

// stopped reports whether a chunk is to be left out, and notes that.
func (p *Pool) stopped() bool {
	select {
	case <-p.until:
		p.broken.Store(true)
		return true
	default:
		return false
	}
}

// Run does all chunks of t, unless it is broken off, and returns when the last is done. The calling goroutine is worker 0.
func (p *Pool) Run(chunks int, t Task) {
	if p.workers == 1 || chunks <= 1 || !p.busy.CompareAndSwap(false, true) {
		for i := 0; i < chunks && !p.stopped(); i++ {
			t.Chunk(i, 0)
		}
		return
	}
	defer p.busy.Store(false)
	p.offer(chunks, t, p)
	for n := min(p.sleepers.Load(), int64(chunks-1)); n > 0; n-- {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	p.work(0)
	for spins := 0; p.finished.Load() < int64(chunks); spins++ {
		if spins < spinRounds {
			pause(pauses)
		} else {
			runtime.Gosched()
		}
	}
	p.task, p.by = nil, nil
}

// offer gives each worker its share of the chunks of t.
func (p *crew) offer(chunks int, t Task, by *Pool) {
	p.task, p.chunks, p.by = t, chunks, by
	p.finished.Store(0)
	p.epoch++
	first := 0
	for w := range p.shares {
		end := p.end(w)
		p.shares[w].state.Store(p.epoch<<32 | uint64(end-first))
		first = end
	}
}

// work does chunks until none is left, and reports whether it did any.
func (p *crew) work(worker int) bool {
	done := 0
	for p.claim(worker) {
		done++
	}
	if done > 0 {
		p.finished.Add(int64(done))
	}
	return done > 0
}

// claim does one chunk, if one is left: of the worker's own share, or else of another's.
func (p *crew) claim(worker int) bool {
	for i := range p.shares {
		owner := (worker + i) % p.workers
		state := &p.shares[owner].state
		for s := state.Load(); s&unclaimed > 0; s = state.Load() {
			if state.CompareAndSwap(s, s-1) {
				if !p.by.stopped() {
					p.task.Chunk(p.end(owner)-int(s&unclaimed), worker)
				}
				return true
			}
		}
	}
	return false
}

// idle reports whether no chunk is left to claim.
func (p *crew) idle() bool {
	for i := range p.shares {
		if p.shares[i].state.Load()&unclaimed > 0 {
			return false
		}
	}
	return true
}

func (p *crew) serve(worker int) {
	for spins := 0; ; spins++ {
		if p.work(worker) {
			spins = 0
			continue
		}
		if spins < spinRounds {
			pause(pauses)
			continue
		}
		spins = 0
		p.sleepers.Add(1)
		if p.idle() {
			select {
			case <-p.wake:
			case <-p.closed:
				return
			}
		}
		p.sleepers.Add(-1)
	}
}
