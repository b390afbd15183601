package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
)

// coldBytes is more than the caches hold.
const coldBytes = 96 << 20

// measure times a plan and reports its best speed, and what part that is of the best peak in the same seconds: the two
// take turns, so that what else the machine does hits both alike. As in a network, the operands come from main memory:
// there are so many of them, in turn, that no cache holds them until they are used again.
func measure[T Float](b *testing.B, plan *Plan[T], set isa.Set) {
	pool := par.New(0)
	defer pool.Close()
	r := rand.New(rand.NewPCG(1, 1))
	type operands struct{ dst, x, y []T }
	turns := make([]operands, 1+min(31, coldBytes/(size[T]()*(plan.sizes[0]+plan.sizes[1]+plan.sizes[2]))))
	for i := range turns {
		turns[i] = operands{make([]T, plan.sizes[0]), make([]T, plan.sizes[1]), make([]T, plan.sizes[2])}
		randomize(r, turns[i].x)
		randomize(r, turns[i].y)
	}
	work := make([]T, plan.Workspace())
	peak, best := 0.0, time.Duration(1<<62)
	sincePeak := time.Second
	for turn := 0; b.Loop(); turn++ {
		o := turns[turn%len(turns)]
		start := time.Now()
		plan.Run(pool, o.dst, work, false, Pair[T]{o.x, o.y})
		took := time.Since(start)
		best = min(best, took)
		if sincePeak += took; sincePeak > 2*time.Millisecond {
			b.StopTimer()
			peak = max(peak, PeakFlops[T](pool, set, time.Millisecond))
			sincePeak = 0
			b.StartTimer()
		}
	}
	b.ReportMetric(plan.Flops()/best.Seconds()/1e9, "GFLOPS")
	b.ReportMetric(100*plan.Flops()/best.Seconds()/peak, "%peak")
}

// bestSet is the instruction set to measure.
func bestSet(b *testing.B) isa.Set {
	set, err := isa.Best()
	if err != nil {
		b.Fatal(err)
	}
	return set
}

// The products of causal attention, whole and without the half that the mask hides: GFLOPS and the fraction of the peak count the whole.
func BenchmarkAttention(b *testing.B) {
	set := bestSet(b)
	for _, s := range []MatMul{
		{Batch: 72, M: 256, N: 256, K: 64, TransB: true, C: Lower},
		{Batch: 72, M: 256, N: 64, K: 256, A: Lower},
		{Batch: 72, M: 256, N: 64, K: 256, TransA: true, A: Upper},
	} {
		whole := s
		whole.A, whole.C = Full, Full
		b.Run(fmt.Sprintf("%+v", whole), func(b *testing.B) { measure(b, NewMatMul[float32](whole, set, 0), set) })
		b.Run(fmt.Sprintf("%+v", s), func(b *testing.B) { measure(b, NewMatMul[float32](s, set, 0), set) })
	}
}

func BenchmarkMatMul(b *testing.B) {
	set := bestSet(b)
	for _, s := range []MatMul{
		{Batch: 1, M: 1024, N: 1024, K: 1024},
		{Batch: 1, M: 1024, N: 1024, K: 1024, TransA: true},
		{Batch: 1, M: 1024, N: 1024, K: 1024, TransB: true},
		{Batch: 1, M: 2048, N: 2048, K: 2048},
		{Batch: 1, M: 1297, N: 64, K: 64},
		{Batch: 1, M: 64, N: 64, K: 1297},
		{Batch: 1, M: 64, N: 64, K: 1297, TransA: true},
		{Batch: 256, M: 64, N: 64, K: 32, TransB: true},
		{Batch: 256, M: 64, N: 32, K: 64},
		{Batch: 1, M: 1297, N: 10, K: 64},
		{Batch: 1, M: 2, N: 3, K: 4},
		{Batch: 1, M: 1297, N: 1, K: 64},
		{Batch: 1, M: 1, N: 1297, K: 64, TransB: true},
	} {
		name := fmt.Sprintf("%dx%dx%dx%d", s.Batch, s.M, s.N, s.K)
		if s.TransA {
			name += "/tA"
		}
		if s.TransB {
			name += "/tB"
		}
		b.Run("f32/"+name, func(b *testing.B) { measure(b, NewMatMul[float32](s, set, 0), set) })
		if s.M == 1024 {
			b.Run("f64/"+name, func(b *testing.B) { measure(b, NewMatMul[float64](s, set, 0), set) })
		}
	}
}

// square is a convolution with padding that keeps the size of the image, but for the stride.
func square(n, hw, c, o, k, stride int) Conv {
	s := Conv{N: n, H: hw, W: hw, C: c, O: o, KH: k, KW: k, StrideH: stride, StrideW: stride, Groups: 1}
	s.PadTop, s.PadLeft = (k-1)/2, (k-1)/2
	s.PadBottom, s.PadRight = s.PadTop, s.PadLeft
	return s
}

// grouped is the convolution with its channels in groups.
func grouped(s Conv, groups int) Conv {
	s.Groups = groups
	return s
}

func BenchmarkConv(b *testing.B) {
	set := bestSet(b)
	for _, c := range []struct {
		name string
		s    Conv
	}{
		{"target", square(64, 32, 64, 64, 3, 1)},
		{"cnn1", square(500, 32, 3, 32, 3, 1)},
		{"cnn2", square(500, 32, 32, 32, 3, 1)},
		{"cnn3", square(500, 16, 32, 64, 3, 1)},
		{"cnn4", square(500, 16, 64, 64, 3, 1)},
		{"cnn5", square(500, 8, 64, 128, 3, 1)},
		{"cnn6", square(500, 8, 128, 128, 3, 1)},
		{"res_stem", square(32, 32, 3, 64, 3, 1)},
		{"res1a", square(32, 32, 64, 64, 1, 1)},
		{"res1c", square(32, 32, 64, 256, 1, 1)},
		{"res1e", square(32, 32, 256, 64, 1, 1)},
		{"res2b", square(32, 32, 128, 128, 3, 2)},
		{"res2s", square(32, 32, 256, 512, 1, 2)},
		{"res2c", square(32, 16, 128, 128, 3, 1)},
		{"res2d", square(32, 16, 128, 512, 1, 1)},
		{"res2e", square(32, 16, 512, 128, 1, 1)},
		{"res3b", square(32, 8, 256, 256, 3, 1)},
		{"res3c", square(32, 8, 256, 1024, 1, 1)},
		{"res3e", square(32, 8, 1024, 256, 1, 1)},
		{"res4a", square(32, 8, 512, 512, 3, 2)},
		{"res4b", square(32, 4, 512, 512, 3, 1)},
		{"res4c", square(32, 4, 2048, 512, 1, 1)},
		{"res4d", square(32, 4, 512, 2048, 1, 1)},
		{"imagenet", square(2, 224, 3, 64, 7, 2)},
		{"depthwise", grouped(square(32, 16, 128, 128, 3, 1), 128)},
		{"depthwise_large", grouped(square(16, 112, 96, 96, 3, 1), 96)},
		{"depthwise7", grouped(square(32, 16, 128, 128, 7, 1), 128)},
		{"depthwise_s2", grouped(square(32, 32, 64, 64, 3, 2), 64)},
		{"resnext8", grouped(square(32, 16, 256, 256, 3, 1), 32)},
		{"resnext", grouped(square(32, 16, 128, 128, 3, 1), 32)},
	} {
		b.Run(c.name+"/forward", func(b *testing.B) { measure(b, NewConv[float32](c.s, set, 0), set) })
		b.Run(c.name+"/input", func(b *testing.B) { measure(b, NewConvInputGrad[float32](c.s, set, 0), set) })
		b.Run(c.name+"/kernel", func(b *testing.B) { measure(b, NewConvKernelGrad[float32](c.s, set, 0), set) })
		if c.name == "target" {
			b.Run(c.name+"/forward64", func(b *testing.B) { measure(b, NewConv[float64](c.s, set, 0), set) })
		}
	}
}

// What packing the operand that several products may have in common, or transforming it, takes of one product: of the dense layers and the convolutions of the
// paper's CNN on 500 images.
func BenchmarkPacking(b *testing.B) {
	set := bestSet(b)
	for _, c := range []struct {
		name string
		plan *Plan[float32]
	}{
		{"dense-2048x512", NewMatMul[float32](MatMul{Batch: 1, M: 500, N: 512, K: 2048}, set, 0)},
		{"conv-32", NewConv[float32](square(500, 32, 32, 32, 3, 1), set, 0)},
		{"conv-64", NewConv[float32](square(500, 16, 64, 64, 3, 1), set, 0)},
		{"conv-128", NewConv[float32](square(500, 8, 128, 128, 3, 1), set, 0)},
	} {
		b.Run(c.name, func(b *testing.B) {
			plan := c.plan
			if len(plan.stages) < 2 {
				b.Fatal("it packs nothing ahead")
			}
			pool := par.New(0)
			defer pool.Close()
			r := rand.New(rand.NewPCG(1, 1))
			dst, x, y, work := make([]float32, plan.sizes[0]), make([]float32, plan.sizes[1]), make([]float32, plan.sizes[2]), make([]float32, plan.Workspace())
			randomize(r, x)
			randomize(r, y)
			whole, packing := time.Duration(1<<62), time.Duration(1<<62)
			for b.Loop() {
				start := time.Now()
				plan.Run(pool, dst, work, false, Pair[float32]{x, y})
				whole = min(whole, time.Since(start))
				*plan.call = call[float32]{dst: dst, a: x, b: y, terms: []Pair[float32]{{x, y}}, work: align(work)}
				start = time.Now()
				pool.Run(plan.stages[0].chunks, plan.stages[0].task)
				packing = min(packing, time.Since(start))
			}
			b.ReportMetric(100*packing.Seconds()/whole.Seconds(), "%packing")
		})
	}
}
