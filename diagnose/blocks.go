package diagnose

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"shadowflow/graph"
)

// blockSize is the number of elements that one partial sum covers. Where the blocks lie, and so every bit of a sum, does not
// depend on the number of threads.
const blockSize = 1 << 14

// SumBlocks adds up what f gives for each block of n elements.
func SumBlocks[S any](n int, f func(from, to int) S, add func(total *S, part S)) S {
	blocks := (n + blockSize - 1) / blockSize
	parts := make([]S, blocks)
	block := func(i int) { parts[i] = f(i*blockSize, min((i+1)*blockSize, n)) }
	workers := min(runtime.GOMAXPROCS(0), blocks/2)
	if workers < 2 {
		for i := range parts {
			block(i)
		}
	} else {
		inParallel(workers, blocks, block)
	}
	var total S
	for _, p := range parts {
		add(&total, p)
	}
	return total
}

func inParallel(workers, tasks int, task func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < tasks; i = int(next.Add(1)) - 1 {
				task(i)
			}
		})
	}
	wg.Wait()
}

// Dot returns the inner product of x and y, summed in float64.
func Dot[T graph.Float](x, y []T) float64 {
	return SumBlocks(len(x), func(from, to int) float64 {
		var s [4]float64
		a, b := x[from:to], y[from:to]
		i := 0
		for ; i+4 <= len(a); i += 4 {
			s[0] += float64(a[i]) * float64(b[i])
			s[1] += float64(a[i+1]) * float64(b[i+1])
			s[2] += float64(a[i+2]) * float64(b[i+2])
			s[3] += float64(a[i+3]) * float64(b[i+3])
		}
		for ; i < len(a); i++ {
			s[0] += float64(a[i]) * float64(b[i])
		}
		return (s[0] + s[1]) + (s[2] + s[3])
	}, func(total *float64, part float64) { *total += part })
}

// Norm returns the two-norm of x, summed in float64.
func Norm[T graph.Float](x []T) float64 { return math.Sqrt(Dot(x, x)) }

// Distance returns the two-norm of x - y, summed in float64.
func Distance[T, U graph.Float](x []T, y []U) float64 {
	return math.Sqrt(SumBlocks(len(x), func(from, to int) float64 {
		s := 0.0
		for i := from; i < to; i++ {
			d := float64(x[i]) - float64(y[i])
			s += d * d
		}
		return s
	}, func(total *float64, part float64) { *total += part }))
}

// LargestDifference returns the largest |x_i - y_i|, NaN if one is.
func LargestDifference[T, U graph.Float](x []T, y []U) float64 {
	return SumBlocks(len(x), func(from, to int) float64 {
		largest := 0.0
		for i := from; i < to; i++ {
			largest = max(largest, math.Abs(float64(x[i])-float64(y[i])))
		}
		return largest
	}, func(total *float64, part float64) { *total = max(*total, part) })
}
