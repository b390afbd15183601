package par

import (
	"sync"
	"sync/atomic"
	"testing"
)

type counter struct{ hits []atomic.Int32 }

func (c *counter) Chunk(i, _ int) { c.hits[i].Add(1) }

func TestEveryChunkRunsExactlyOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 8} {
		p := New(workers)
		for round := range 500 {
			c := &counter{hits: make([]atomic.Int32, round%37)}
			p.Run(len(c.hits), c)
			for i := range c.hits {
				if n := c.hits[i].Load(); n != 1 {
					t.Fatalf("workers %d, round %d: chunk %d ran %d times", workers, round, i, n)
				}
			}
		}
		p.Close()
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
	if Shared(3) != p {
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
