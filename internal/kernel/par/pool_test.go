package par

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

type counter struct{ hits []atomic.Int32 }

func (c *counter) Chunk(i, _ int) { c.hits[i].Add(1) }

func TestEveryChunkRunsExactlyOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 8} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			p := New(workers)
			for round := range 500 {
				c := &counter{hits: make([]atomic.Int32, round%37)}
				p.Run(len(c.hits), c)
				for i := range c.hits {
					if n := c.hits[i].Load(); n != 1 {
						t.Fatalf("round %d: chunk %d ran %d times", round, i, n)
					}
				}
			}
			p.Close()
		})
	}
}

// order notes the chunks that run.
type order struct{ chunks []int }

func (o *order) Chunk(i, _ int) { o.chunks = append(o.chunks, i) }

func TestAWorkerDoesItsOwnShareBeforeThoseOfOthers(t *testing.T) {
	for _, c := range []struct {
		chunks, worker int
		want           []int
	}{
		{6, 0, []int{0, 1, 2, 3, 4, 5}},
		{6, 1, []int{2, 3, 4, 5, 0, 1}},
		{6, 2, []int{4, 5, 0, 1, 2, 3}},
		{4, 2, []int{2, 3, 0, 1}},
		{2, 0, []int{0, 1}}, // worker 0 has no share
		{1, 1, []int{0}},
	} {
		t.Run(fmt.Sprintf("worker %d of %d chunks", c.worker, c.chunks), func(t *testing.T) {
			p := &Pool{crew: &crew{workers: 3, shares: make([]share, 3)}} // nobody else works
			o := &order{}
			p.offer(c.chunks, o, p)
			if !p.work(c.worker) || !slices.Equal(o.chunks, c.want) {
				t.Errorf("it does %v, want %v", o.chunks, c.want)
			}
			if p.work(c.worker) || !p.idle() || p.finished.Load() != int64(c.chunks) {
				t.Errorf("%d are finished, idle %v", p.finished.Load(), p.idle())
			}
		})
	}
}

type scratch struct {
	busy  []atomic.Bool
	clash atomic.Bool
}

func (s *scratch) Chunk(_, worker int) {
	if !s.busy[worker].CompareAndSwap(false, true) {
		s.clash.Store(true)
	}
	for range 100 {
	}
	s.busy[worker].Store(false)
}

func TestNoTwoRunningChunksShareAWorker(t *testing.T) {
	p := New(4)
	defer p.Close()
	s := &scratch{busy: make([]atomic.Bool, 4)}
	for range 200 {
		p.Run(64, s)
	}
	if s.clash.Load() {
		t.Error("two chunks ran at the same time under one worker number")
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	p := New(2)
	defer p.Close()
	c := &counter{hits: make([]atomic.Int32, 16)}
	if n := testing.AllocsPerRun(100, func() { p.Run(16, c) }); n > 0 {
		t.Errorf("Run allocates %v times", n)
	}
}

func TestTasksOfSeveralGoroutinesAllFinish(t *testing.T) {
	p := Shared(3)
	if Shared(3).crew != p.crew {
		t.Error("two pools of one size are shared")
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				c := &counter{hits: make([]atomic.Int32, 50)}
				p.Run(len(c.hits), c)
				for i := range c.hits {
					if n := c.hits[i].Load(); n != 1 {
						t.Errorf("chunk %d ran %d times", i, n)
					}
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkForkJoin(b *testing.B) {
	p := New(2)
	defer p.Close()
	c := &counter{hits: make([]atomic.Int32, 8)}
	for b.Loop() {
		p.Run(8, c)
	}
}

// stopper closes a channel in its third chunk.
type stopper struct {
	counter
	once   sync.Once
	closed chan struct{}
}

func (s *stopper) Chunk(i, worker int) {
	s.counter.Chunk(i, worker)
	if i == 2 {
		s.once.Do(func() { close(s.closed) })
	}
}

func TestNoChunkIsBegunOnceTheTaskIsBrokenOff(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			p := New(workers)
			defer p.Close()
			s := &stopper{counter: counter{hits: make([]atomic.Int32, 100_000)}, closed: make(chan struct{})}
			p.Until(s.closed)
			p.Run(len(s.hits), s)
			done := 0
			for i := range s.hits {
				done += int(s.hits[i].Load())
			}
			if !p.Broken() || done == len(s.hits) || workers == 1 && done != 3 {
				t.Errorf("%d chunks done, broken %v", done, p.Broken())
			}
			c := &counter{hits: make([]atomic.Int32, 7)}
			p.Until(nil)
			p.Run(len(c.hits), c)
			for i := range c.hits {
				if n := c.hits[i].Load(); n != 1 || p.Broken() {
					t.Errorf("chunk %d of the next task ran %d times, broken %v", i, n, p.Broken())
				}
			}
		})
	}
}

func TestNoMoreWorkersAreSharedThanProcessorsOrAFew(t *testing.T) {
	if n := Shared(4096).Workers(); n != max(runtime.GOMAXPROCS(0), fewWorkers) {
		t.Errorf("%d workers", n)
	}
}
