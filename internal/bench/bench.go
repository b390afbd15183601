// Package bench measures how fast this machine runs the program's heaviest work, as ratios: to the machine's peak of fused
// multiply-adds measured beside it, to a gradient, and to PyTorch on the same work.
package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/kernel/gemm"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
	"shadowflow/nn"
)

// Work is one line of the table: a program, and what is expected of it on two AVX-512 cores.
type Work struct {
	Name string
	// PeakFloor is the fraction of the peak to reach, TorchFloor the speed relative to PyTorch's, GradientCap the cost relative to
	// the gradient in the line before, SecondsCap the time of a run; 0 where nothing is asked.
	PeakFloor, TorchFloor, GradientCap, SecondsCap float64

	build func() (in, out []graph.Value, err error)
}

// Result is the measurement of one Work.
type Result struct {
	Name        string  `json:"name"`
	Seconds     float64 `json:"seconds"`                 // of the fastest run
	Gflops      float64 `json:"gflops"`                  // products alone, per second
	Peak        float64 `json:"peak_fraction"`           // of the multiply-add peak measured next to the runs
	PeakGflops  float64 `json:"peak_gflops"`             // that peak
	Gradients   float64 `json:"gradients,omitempty"`     // cost relative to the gradient alone
	Torch       float64 `json:"torch_seconds,omitempty"` // PyTorch's fastest run
	TorchRatio  float64 `json:"torch_ratio,omitempty"`   // PyTorch's time over this
	MemoryBytes int64   `json:"memory_bytes"`            // what the program holds beside its inputs and outputs
	PeakFloor   float64 `json:"peak_floor,omitempty"`
	TorchFloor  float64 `json:"torch_floor,omitempty"`
	GradientCap float64 `json:"gradient_cap,omitempty"`
	SecondsCap  float64 `json:"seconds_cap,omitempty"`
}

// Misses lists the floors that the result does not reach.
func (r Result) Misses() []string {
	var out []string
	if r.PeakFloor > 0 && r.Peak < r.PeakFloor {
		out = append(out, fmt.Sprintf("%.0f%% of peak, want %.0f%%", 100*r.Peak, 100*r.PeakFloor))
	}
	if r.TorchFloor > 0 && r.Torch > 0 && r.TorchRatio < r.TorchFloor {
		out = append(out, fmt.Sprintf("%.2f times PyTorch's speed, want %.1f", r.TorchRatio, r.TorchFloor))
	}
	if r.GradientCap > 0 && r.Gradients > r.GradientCap {
		out = append(out, fmt.Sprintf("%.2f gradients, want at most %.1f", r.Gradients, r.GradientCap))
	}
	if r.SecondsCap > 0 && r.Seconds > r.SecondsCap {
		out = append(out, fmt.Sprintf("%.0f ns, want at most %.0f", 1e9*r.Seconds, 1e9*r.SecondsCap))
	}
	return out
}

// Options say what to measure.
type Options struct {
	Threads int           // 0: GOMAXPROCS
	Budget  time.Duration // per work; 0: two seconds
	// Torch, if not nil, returns another program's time for a work in seconds, PyTorch's, or zero where it has none. It is called
	// just before the work runs here, so that what else the machine does hits both alike.
	Torch func(ctx context.Context, work string) (float64, error)
	// Only, if not nil, chooses works by name.
	Only func(name string) bool
}

// Run measures the works one after the other and hands each result to report.
func Run(ctx context.Context, opt Options, report func(Result)) error {
	set, err := isa.Best()
	if err != nil {
		return err
	}
	pool := par.Shared(opt.Threads)
	if opt.Budget <= 0 {
		opt.Budget = 2 * time.Second
	}
	gradient := 0.0
	for _, w := range Works() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if opt.Only != nil && !opt.Only(w.Name) {
			continue
		}
		torch := 0.0
		if opt.Torch != nil {
			if torch, err = opt.Torch(ctx, w.Name); err != nil {
				return fmt.Errorf("%s: %w", w.Name, err)
			}
		}
		r, err := measure(ctx, w, opt, set, pool)
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		if w.GradientCap > 0 && gradient > 0 {
			r.Gradients = r.Seconds / gradient
		}
		gradient = r.Seconds
		if torch > 0 {
			r.Torch, r.TorchRatio = torch, torch/r.Seconds
		}
		report(r)
	}
	return nil
}

// minRuns is how often a work runs at least: on a shared machine the fastest run says most.
const minRuns = 6

func measure(ctx context.Context, w Work, opt Options, set isa.Set, pool *par.Pool) (Result, error) {
	r := Result{Name: w.Name, PeakFloor: w.PeakFloor, TorchFloor: w.TorchFloor, GradientCap: w.GradientCap, SecondsCap: w.SecondsCap}
	in, out, err := w.build()
	if err != nil {
		return r, err
	}
	p, err := engine.Compile(in, out, engine.Options{Threads: opt.Threads})
	if err != nil {
		return r, err
	}
	ins, outs := buffers(p.Inputs(), true), buffers(p.Outputs(), false)
	peak := gemm.PeakFlops[float32](pool, set, 50*time.Millisecond)
	if err := p.RunContext(ctx, ins, outs); err != nil {
		return r, err
	}
	batch := repeats(ctx, p, ins, outs)
	best := math.Inf(1)
	start := time.Now()
	for n := 0; n < minRuns || time.Since(start) < opt.Budget; n++ {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		t := time.Now()
		for range batch {
			if err := p.RunContext(ctx, ins, outs); err != nil {
				return r, err
			}
		}
		best = min(best, time.Since(t).Seconds()/float64(batch))
	}
	peak = max(peak, gemm.PeakFlops[float32](pool, set, 50*time.Millisecond))
	r.Seconds, r.MemoryBytes = best, p.PeakBytes()
	r.Gflops, r.PeakGflops = float64(p.Flops())/best/1e9, peak/1e9
	r.Peak = float64(p.Flops()) / best / peak
	return r, nil
}

// repeats returns how many runs one reading of the clock should cover.
func repeats(ctx context.Context, p *engine.Program, in, out []engine.Buffer) int {
	t := time.Now()
	if p.RunContext(ctx, in, out) != nil {
		return 1
	}
	return max(1, int(time.Millisecond/max(time.Since(t), 1)))
}

// buffers makes arrays for a program: numbers like a trained network's, or room for results.
func buffers(specs []engine.Spec, filled bool) []engine.Buffer {
	r := rand.New(rand.NewPCG(1, 2))
	var out []engine.Buffer
	for _, s := range specs {
		b := engine.NewBuffer(s.DType, s.Size())
		if filled {
			scale := 1.0
			if s.Name == "theta" {
				scale = 0.03
			}
			for i := range b.Float32s() {
				b.Float32s()[i] = float32(scale * r.NormFloat64())
			}
			for i := range b.Float64s() {
				b.Float64s()[i] = r.NormFloat64()
			}
			for i := range b.Int32s() {
				b.Int32s()[i] = int32(r.IntN(10))
			}
		}
		out = append(out, b)
	}
	return out
}

// Works returns the table's lines in order. A gradient's line stands right before that of its pair with a Hessian-vector product.
func Works() []Work {
	cnn := network(&nn.CNN{Channels: []int{32, 64, 128}, Dense: 512}, []int{32, 32, 3}, 10, 500)
	resnet := network(&nn.ResNet{Blocks: []int{3, 4, 6, 3}, Width: 64, Bottleneck: true}, []int{32, 32, 3}, 10, 32)
	dense := network(&nn.MLP{Hidden: []int{200, 200}, Activation: "gelu"}, []int{3072}, 10, 1000)
	digits := network(&nn.MLP{Hidden: []int{64, 64}, Activation: "tanh"}, []int{64}, 10, 1297)
	gpt := network(&nn.GPT{Depth: 6, Heads: 6, Dim: 384, Context: 256, Tied: true}, []int{256}, 256, 12)
	return []Work{
		{Name: "matmul-1024", PeakFloor: 0.7, build: square(1024)},
		{Name: "matmul-2048", PeakFloor: 0.7, build: square(2048)},
		{Name: "conv3x3-forward", PeakFloor: 0.55, build: convolution(0)},
		{Name: "conv3x3-input-gradient", PeakFloor: 0.55, build: convolution(1)},
		{Name: "conv3x3-kernel-gradient", PeakFloor: 0.55, build: convolution(2)},
		{Name: "depthwise3x3-gradients", build: grouped(3, 128)},
		{Name: "depthwise7x7-gradients", build: grouped(7, 128)},
		{Name: "groups-of-4-gradients", build: grouped(3, 32)},
		{Name: "cnn-gradient", PeakFloor: 0.45, TorchFloor: 3, build: cnn(false)},
		{Name: "cnn-gradient-hvp", TorchFloor: 4, GradientCap: 4.5, build: cnn(true)},
		{Name: "resnet50-gradient", TorchFloor: 1.3, build: resnet(false)},
		{Name: "resnet50-gradient-hvp", TorchFloor: 4, build: resnet(true)},
		{Name: "dense-gradient", TorchFloor: 1.5, build: dense(false)},
		{Name: "gpt-gradient", TorchFloor: 1.2, build: gpt(false)},
		{Name: "gpt-gradient-hvp", TorchFloor: 1.8, GradientCap: 4.5, build: gpt(true)},
		{Name: "digits-gradient", build: digits(false)},
		{Name: "digits-gradient-hvp", GradientCap: 4.5, build: digits(true)},
		{Name: "two-parameter-gradient", SecondsCap: 300e-9, build: bilinear},
	}
}

func square(n int) func() (in, out []graph.Value, err error) {
	return func() (in, out []graph.Value, err error) {
		b := graph.NewBuilder()
		x, y := b.Param("x", graph.Float32, n, n), b.Param("y", graph.Float32, n, n)
		return []graph.Value{x, y}, []graph.Value{x.MatMul(y)}, b.Err()
	}
}

// convolution is 3x3, 64 to 64 channels, on 64 images of 32x32: forward, or the gradient by an operand.
func convolution(which int) func() (in, out []graph.Value, err error) {
	return func() (in, out []graph.Value, err error) {
		b := graph.NewBuilder()
		x, w := b.Param("x", graph.Float32, 64, 32, 32, 64), b.Param("w", graph.Float32, 3, 3, 64, 64)
		y := x.Conv2D(w, graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}})
		if which == 0 {
			return []graph.Value{x, w}, []graph.Value{y}, b.Err()
		}
		operands := []graph.Value{x, w}
		dy := b.Param("dy", graph.Float32, y.Shape()...)
		d := graph.VJP([]graph.Value{y}, []graph.Value{dy}, operands[which-1:which])
		return []graph.Value{operands[2-which], dy}, d, b.Err()
	}
}

// grouped is a convolution of 128 channels in groups, on 32 images of 16x16, with both its gradients.
func grouped(side, groups int) func() (in, out []graph.Value, err error) {
	return func() (in, out []graph.Value, err error) {
		b := graph.NewBuilder()
		x, w := b.Param("x", graph.Float32, 32, 16, 16, 128), b.Param("w", graph.Float32, side, side, 128/groups, 128)
		pad := side / 2
		y := x.Conv2D(w, graph.ConvSpec{Pad: [4]int{pad, pad, pad, pad}, Groups: groups})
		dy := b.Param("dy", graph.Float32, y.Shape()...)
		d := graph.VJP([]graph.Value{y}, []graph.Value{dy}, []graph.Value{x, w})
		return []graph.Value{x, w, dy}, append(d, y), b.Err()
	}
}

// network is the gradient of a model's training loss on n examples, alone or with the Hessian-vector product in the direction
// g / sqrt(g^2 + eps): Adam's bias.
func network(a nn.Architecture, input []int, classes, n int) func(pair bool) func() (in, out []graph.Value, err error) {
	return func(pair bool) func() (in, out []graph.Value, err error) {
		return func() (in, out []graph.Value, err error) {
			m, err := a.Build(input, classes)
			if err != nil {
				return nil, nil, err
			}
			b := graph.NewBuilder()
			inputs := m.Inputs(b, graph.Float32, n)
			res, err := m.TrainLoss(inputs, nn.CrossEntropy)
			if err != nil {
				return nil, nil, err
			}
			g := graph.Grad(res.Loss, inputs.Theta)[0]
			in, out = []graph.Value{inputs.Theta, inputs.X, inputs.Labels}, []graph.Value{res.Loss, g}
			if pair {
				f := g.Div(g.Square().Add(g.Like(1e-8)).Sqrt())
				out = append(out, graph.JVP([]graph.Value{g}, []graph.Value{inputs.Theta}, []graph.Value{f})[0])
			}
			return in, out, b.Err()
		}
	}
}

// bilinear is the gradient of (1/2)(1.5 - 2 theta_1 theta_2)^2.
func bilinear() (in, out []graph.Value, err error) {
	b := graph.NewBuilder()
	theta := b.Param("theta", graph.Float64, 2)
	residual := theta.Like(1.5).Sub(theta.At(0).Mul(theta.At(1)).Mul(theta.Like(2)))
	loss := residual.Square().Mul(theta.Like(0.5))
	return []graph.Value{theta}, []graph.Value{loss, graph.Grad(loss, theta)[0]}, b.Err()
}
