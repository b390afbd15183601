package bench

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"shadowflow/diagnose"
	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/kernel/gemm"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
	"shadowflow/nn"
	"shadowflow/rule"
)

// Size is one point of a scaling: a network at one size, or the optimizer's update and the norms over so many parameters.
type Size struct {
	// Axis says what differs between the points that belong together, At its value.
	Axis string `json:"axis"`
	At   int    `json:"at"`

	Parameters int `json:"parameters"`
	Examples   int `json:"examples,omitempty"`
	Threads    int `json:"threads"`

	// Of a network: the fastest gradient in seconds, its products as a fraction of the peak measured between the runs, as of Result, and the cost of the pair
	// with a Hessian-vector product in gradients.
	Gradient  float64 `json:"gradient_seconds,omitempty"`
	Peak      float64 `json:"peak_fraction,omitempty"`
	Gradients float64 `json:"pair_gradients,omitempty"`

	// Of parameters alone: the fastest step of Adam and measurement of the gradient's norms in seconds, and the bytes that each reads and writes a second over those of
	// a copy of as many elements beside it.
	Step        float64 `json:"adam_seconds,omitempty"`
	StepOfCopy  float64 `json:"adam_of_copy,omitempty"`
	Norms       float64 `json:"norms_seconds,omitempty"`
	NormsOfCopy float64 `json:"norms_of_copy,omitempty"`
}

// The axes of a scaling.
const (
	AxisParameters = "parameters"
	AxisBatch      = "batch"
	AxisDepth      = "depth"
	AxisThreads    = "threads"
	AxisUpdate     = "update" // parameters, of the optimizer's update and the norms alone
)

// Axes are the axes of a scaling in order.
var Axes = []string{AxisParameters, AxisBatch, AxisDepth, AxisThreads, AxisUpdate}

// Scaling measures how time grows along each axis and hands each axis' points to report, in order. The points of an axis take turns for the budget of
// each, so that what else the machine does hits all alike.
func Scaling(ctx context.Context, opt Options, report func([]Size)) error {
	set, err := isa.Best()
	if err != nil {
		return err
	}
	for _, axis := range Axes {
		var points []Size
		if axis == AxisUpdate {
			points, err = updates(ctx, opt)
		} else {
			points, err = networks(ctx, axis, opt, set)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", axis, err)
		}
		report(points)
	}
	return nil
}

// sized is a network to measure: tanh layers on 64 inputs, of 10 classes.
type sized struct {
	at, width, depth, examples, threads int
}

// along returns the networks of an axis. The middle one of each is about that of the digits.
func along(axis string, threads int) []sized {
	var out []sized
	switch axis {
	case AxisParameters:
		for _, width := range []int{8, 64, 270, 960, 3120} { // 10^3 to 10^7 parameters
			out = append(out, sized{width, width, 2, 256, threads})
		}
	case AxisBatch:
		for n := 16; n <= 1<<14; n *= 4 {
			out = append(out, sized{n, 64, 2, n, threads})
		}
	case AxisDepth:
		for depth := 1; depth <= 64; depth *= 2 {
			out = append(out, sized{depth, 64, depth, 1024, threads})
		}
	case AxisThreads:
		for n := 1; n < threads; n *= 2 {
			out = append(out, sized{n, 512, 2, 1024, n})
		}
		out = append(out, sized{threads, 512, 2, 1024, threads})
	}
	return out
}

func (s sized) compile(ctx context.Context, pair bool) (*runnable, error) {
	a := &nn.MLP{Hidden: slices.Repeat([]int{s.width}, s.depth), Activation: "tanh"}
	in, out, err := network(a, []int{64}, 10, s.examples)(pair)()
	if err != nil {
		return nil, err
	}
	return compile(ctx, in, out, engine.Options{Threads: s.threads})
}

// shorten lowers fastest to the time of one run of a work, in seconds, of as many between two looks at the clock as fill a millisecond.
func shorten(fastest *float64, work func() error) error {
	for n := 1; ; n *= 2 {
		start := time.Now()
		for range n {
			if err := work(); err != nil {
				return err
			}
		}
		took := time.Since(start)
		*fastest = min(*fastest, took.Seconds()/float64(n))
		if took >= time.Millisecond {
			return nil
		}
	}
}

func networks(ctx context.Context, axis string, opt Options, set isa.Set) ([]Size, error) {
	sizes := along(axis, par.Shared(opt.Threads).Workers())
	points, works := make([]Size, len(sizes)), make([][2]*runnable, len(sizes))
	pairs, peaks := make([]float64, len(sizes)), make([]float64, len(sizes))
	for i, s := range sizes {
		for j := range works[i] {
			w, err := s.compile(ctx, j == 1)
			if err != nil {
				return nil, err
			}
			works[i][j] = w
		}
		points[i] = Size{Axis: axis, At: s.at, Parameters: len(works[i][0].in[0].Float32s()), Examples: s.examples, Threads: s.threads, Gradient: math.Inf(1)}
		pairs[i] = math.Inf(1)
	}
	err := inTurns(len(sizes), opt.budget(), func(i int) error {
		peaks[i] = max(peaks[i], gemm.PeakFlops[float32](par.Shared(sizes[i].threads), set, peakTime))
		if err := shorten(&points[i].Gradient, func() error { return works[i][0].run(ctx) }); err != nil {
			return err
		}
		return shorten(&pairs[i], func() error { return works[i][1].run(ctx) })
	})
	for i := range points {
		points[i].Peak = float64(works[i][0].program.Flops()) / points[i].Gradient / peaks[i]
		points[i].Gradients = pairs[i] / points[i].Gradient
		if axis == AxisParameters {
			points[i].At = points[i].Parameters
		}
	}
	return points, err
}

// The arrays of float32 that each work reads or writes once.
const (
	stepStreams = 7 // theta, the gradient and two moments are read, theta and the moments written
	normStreams = 1
	copyStreams = 2
)

// updates measures the optimizer's update and the norms.
func updates(ctx context.Context, opt Options) ([]Size, error) {
	var points []Size
	for dim := 1000; dim <= 1e8; dim *= 10 {
		p, err := update(ctx, dim, opt)
		if err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	return points, nil
}

func update(ctx context.Context, dim int, opt Options) (Size, error) {
	s := Size{Axis: AxisUpdate, At: dim, Parameters: dim, Threads: par.Shared(opt.Threads).Workers()}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(s.Threads)) // the norms take as many
	step, err := adam(dim, nil, engine.Options{Threads: opt.Threads})
	if err != nil {
		return s, err
	}
	theta, g := make([]float32, dim), make([]float32, dim)
	for i := range g {
		theta[i], g[i] = float32(i%7), float32(i%11)-5
	}
	works := []func() error{
		func() error { return step(ctx, theta, g) },
		func() error { diagnose.GradientNorms(g, 1e-8); return nil },
		func() error { copyAll(par.Shared(opt.Threads), theta, g); return nil },
	}
	fastest := []float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	err = inTurns(len(works), opt.budget()/time.Duration(len(works)), func(i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return shorten(&fastest[i], works[i])
	})
	s.Step, s.Norms = fastest[0], fastest[1]
	s.StepOfCopy = fastest[2] / fastest[0] * stepStreams / copyStreams
	s.NormsOfCopy = fastest[2] / fastest[1] * normStreams / copyStreams
	return s, err
}

// adam returns the step of Adam on so many parameters, with other values than its defaults.
func adam(dim int, values map[string]any, opt engine.Options) (func(ctx context.Context, theta, g []float32) error, error) {
	c, err := rule.New("adam", values)
	if err != nil {
		return nil, err
	}
	r, err := c.Rule()
	if err != nil {
		return nil, err
	}
	stepper, err := rule.NewStepper[float32](r, []graph.Block{{Name: "theta", Shape: []int{dim}}}, opt)
	return func(ctx context.Context, theta, g []float32) error { return stepper.StepContext(ctx, c.LR, theta, g) }, err
}

// copyTask copies a part for each worker.
type copyTask struct {
	dst, src []float32
	parts    int
}

func (c *copyTask) Chunk(i, _ int) {
	lo, hi := i*len(c.src)/c.parts, (i+1)*len(c.src)/c.parts
	copy(c.dst[lo:hi], c.src[lo:hi])
}

// copyAll copies with all workers, or with one where handing over costs more than it saves.
func copyAll(pool *par.Pool, dst, src []float32) {
	const few = 1 << 16
	if len(src) < few {
		copy(dst, src)
		return
	}
	pool.Run(pool.Workers(), &copyTask{dst, src, pool.Workers()})
}

// copyBandwidth returns the bytes that a copy of large arrays reads and writes a second.
func copyBandwidth(pool *par.Pool) float64 {
	const dim = 1 << 24
	dst, src := make([]float32, dim), make([]float32, dim)
	for i := range src { // memory that nobody wrote to is one page of zeros, and stays in a cache
		src[i] = 1
	}
	fastest := math.Inf(1)
	for range rounds * minRuns {
		start := time.Now()
		copyAll(pool, dst, src)
		fastest = min(fastest, time.Since(start).Seconds())
	}
	return copyStreams * 4 * dim / fastest
}

// inTurns calls work for each of n in turn, at least rounds times minRuns, until the budget of each is used up.
func inTurns(n int, budget time.Duration, work func(i int) error) error {
	start := time.Now()
	for turn := 0; turn < rounds*minRuns || time.Since(start) < budget*time.Duration(n); turn++ {
		for i := range n {
			if err := work(i); err != nil {
				return err
			}
		}
	}
	return nil
}
