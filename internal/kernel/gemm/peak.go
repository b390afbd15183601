package gemm

import (
	"runtime"
	"time"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
)

// peakChains is how many independent multiply-adds of vectors a round of the peak loop does.
const peakChains = 12

// peakTask runs rounds of the peak loop on every worker.
type peakTask struct {
	ks     *kernels
	rounds int
}

func (p *peakTask) Chunk(int, int) { p.ks.peak(p.rounds) }

// PeakFlops measures how many floating point operations a second the pool's workers do in registers, all together:
// what a perfect kernel would reach. It takes about as long as d, and returns the best of several rounds, short ones, which are rarely disturbed, and
// long ones, beside which the time to wake the workers is nothing.
func PeakFlops[T Float](pool *par.Pool, set isa.Set, d time.Duration) float64 {
	const shortest, lengths = 1 << 15, 4
	p := &peakTask{ks: kernelsFor[T](set)}
	flops := float64(pool.Workers()) * peakChains * 2 * float64(p.ks.lanes)
	best := 0.0
	begin := time.Now()
	for n := 0; best == 0 || time.Since(begin) < d; n++ {
		p.rounds = shortest << (n % lengths)
		start := time.Now()
		pool.Run(pool.Workers(), p)
		best = max(best, flops*float64(p.rounds)/time.Since(start).Seconds())
	}
	return best
}

func peakGo[T Float](rounds int) {
	var s [goLanes]T
	a, b := T(rounds), T(1)
	for range rounds * peakChains {
		for i := range s {
			s[i] += a * b
		}
	}
	runtime.KeepAlive(s)
}
