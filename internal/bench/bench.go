// Package bench measures how fast this machine runs the program's heaviest work, as ratios: to the machine's peak of fused
// multiply-adds measured beside it, to a gradient, and to other frameworks on the same work.
package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/kernel/gemm"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/memory"
)

// Work is one line of the table: a program, and what is expected of it on two AVX-512 cores.
type Work struct {
	Name string
	// PeakFloor is the fraction of the peak to reach, PeerFloor the speed relative to the best peer's best setting, GradientCap the cost
	// relative to the gradient in the line before, SecondsCap the time of a run; 0 where nothing is asked.
	PeakFloor, PeerFloor, GradientCap, SecondsCap float64
	// Asked says that it takes minutes, and is measured where it is asked for by name alone.
	Asked bool

	pair  bool // of the gradient in the line before, with a Hessian-vector product
	build func() (in, out []graph.Value, err error)
	// top is the number of largest eigenvalues that a run searches for, of the Hessian that the program multiplies its last input by; 0: a run is one of the program.
	top int
	// start, if not nil, sets the inputs but the last: the point of that Hessian, and the examples.
	start func(ctx context.Context, fixed []engine.Buffer, opt engine.Options) error
}

// task is a work that is ready to run. Flops and bound are those of the last run.
type task interface {
	run(ctx context.Context) error
	flops() float64
	bound(peak, bandwidth float64) float64
	memory() int64
}

// runnable is a program with its arrays.
type runnable struct {
	program *engine.Program
	in, out []engine.Buffer
}

func compile(ctx context.Context, in, out []graph.Value, opt engine.Options) (*runnable, error) {
	p, err := engine.CompileContext(ctx, in, out, opt)
	if err != nil {
		return nil, err
	}
	return &runnable{p, buffers(p.Inputs(), true), buffers(p.Outputs(), false)}, nil
}

// prepare makes a work ready to run.
func (w Work) prepare(ctx context.Context, threads int) (task, error) {
	in, out, err := w.build()
	if err != nil {
		return nil, err
	}
	opt := engine.Options{Threads: threads}
	if w.top > 0 {
		return newSearch(ctx, in, out, w.top, w.start, opt)
	}
	return compile(ctx, in, out, opt)
}

func (r *runnable) run(ctx context.Context) error         { return r.program.RunContext(ctx, r.in, r.out) }
func (r *runnable) flops() float64                        { return float64(r.program.Flops()) }
func (r *runnable) bound(peak, bandwidth float64) float64 { return r.program.Bound(peak, bandwidth) }
func (r *runnable) memory() int64                         { return r.program.PeakBytes() }

// Result is the measurement of one Work.
type Result struct {
	Name        string  `json:"name"`
	Seconds     float64 `json:"seconds"`              // of the fastest run
	Gflops      float64 `json:"gflops"`               // products alone, per second, as their definitions have them: see engine.Program.Flops
	Peak        float64 `json:"peak_fraction"`        // of the multiply-add peak measured between the runs; above 1 where multiplications are spared, see engine.Program.Flops
	PeakGflops  float64 `json:"peak_gflops"`          // that peak
	Bound       float64 `json:"bound_seconds"`        // what a run takes at least at that peak and a copy's bandwidth: see engine.Program.Bound
	Gradients   float64 `json:"gradients,omitempty"`  // cost relative to the gradient alone
	PeerRatio   float64 `json:"peer_ratio,omitempty"` // time of the fastest peer's best setting over this
	MemoryBytes int64   `json:"memory_bytes"`         // what the program holds beside its inputs and outputs
	// ResidentBytes is the most that this process had resident while the work ran, as of peers: all of it, the program's text and what it
	// multiplies too. It is measured beside peers alone.
	ResidentBytes int64 `json:"resident_bytes,omitempty"`

	PeakFloor   float64 `json:"peak_floor,omitempty"`
	PeerFloor   float64 `json:"peer_floor,omitempty"`
	GradientCap float64 `json:"gradient_cap,omitempty"`
	SecondsCap  float64 `json:"seconds_cap,omitempty"`

	Peers []PeerResult `json:"peers,omitempty"` // those that have the work
}

// Fastest returns the peer with the fastest setting, or nil.
func (r Result) Fastest() *PeerResult {
	var best *PeerResult
	for i := range r.Peers {
		if p := &r.Peers[i]; p.Seconds > 0 && (best == nil || p.Seconds < best.Seconds) {
			best = p
		}
	}
	return best
}

// memoryCap is how many times a peer's memory a work may take.
const memoryCap = 1.2

// Misses lists the floors that the result does not reach, that of a peer's speed with the share of the bound that this would be.
func (r Result) Misses() []string {
	var out []string
	if r.PeakFloor > 0 && r.Peak < r.PeakFloor {
		out = append(out, fmt.Sprintf("%.0f%% of peak, want %.0f%%", 100*r.Peak, 100*r.PeakFloor))
	}
	if r.PeerFloor > 0 && r.PeerRatio > 0 && r.PeerRatio < r.PeerFloor {
		asked := r.PeerRatio * r.Seconds / r.PeerFloor
		out = append(out, fmt.Sprintf("%.2f times the best peer's speed, want %.1f, %.0f%% of the bound", r.PeerRatio, r.PeerFloor, 100*r.Bound/asked))
	}
	if p := r.Fastest(); p != nil && r.ResidentBytes > 0 && p.PeakBytes > 0 && float64(r.ResidentBytes) > memoryCap*float64(p.PeakBytes) {
		out = append(out, fmt.Sprintf("%.2f times the memory of the fastest peer, want at most %.1f", float64(r.ResidentBytes)/float64(p.PeakBytes), memoryCap))
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
	// Peers do the same works in turn with this program.
	Peers []*Peer
	// Progress, if not nil, is told what the peers are at, which may take minutes to compile a work.
	Progress func(line string)
	// Only, if not nil, chooses works by name; nil stands for all that are not Asked.
	Only func(name string) bool
}

// Chooses reports whether a work is measured.
func (o Options) Chooses(w Work) bool {
	if o.Only == nil {
		return !w.Asked
	}
	return o.Only(w.Name)
}

func (o Options) say(line string) {
	if o.Progress != nil {
		o.Progress(line)
	}
}

// budget returns the time for a work.
func (o Options) budget() time.Duration {
	if o.Budget <= 0 {
		return 2 * time.Second
	}
	return o.Budget
}

// Run measures the works one after the other and hands each result to report.
func Run(ctx context.Context, opt Options, report func(Result)) error {
	set, err := isa.Best()
	if err != nil {
		return err
	}
	pool := par.Shared(opt.Threads)
	bandwidth := copyBandwidth(pool)
	gradient := 0.0
	for _, w := range Works() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !opt.Chooses(w) {
			gradient = 0 // of another work
			continue
		}
		r, err := measure(ctx, w, opt, set, pool, bandwidth)
		if w.pair && gradient > 0 {
			r.Gradients = r.Seconds / gradient
		}
		gradient = r.Seconds
		if p := r.Fastest(); p != nil && r.Seconds > 0 {
			r.PeerRatio = p.Seconds / r.Seconds
		}
		if r.Seconds > 0 {
			report(r)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
	}
	return nil
}

// On a shared machine the fastest run says most: a work has so many turns, and runs at least so often in each, a peer's too. One that takes minutes has one, and runs once.
const rounds, minRuns = 3, 2

func (w Work) turns() (turns, runs int) {
	if w.Asked {
		return 1, 1
	}
	return rounds, minRuns
}

// peakTime is how long the peak is measured for at a time.
const peakTime = 5 * time.Millisecond

// measure returns what it has with an error, if there is a round to compare by.
func measure(ctx context.Context, w Work, opt Options, set isa.Set, pool *par.Pool, bandwidth float64) (Result, error) {
	r := Result{Name: w.Name, PeakFloor: w.PeakFloor, PeerFloor: w.PeerFloor, GradientCap: w.GradientCap, SecondsCap: w.SecondsCap}
	does, err := w.prepare(ctx, opt.Threads)
	if err != nil {
		return r, err
	}
	batch, err := repeats(ctx, does)
	if err != nil {
		return r, err
	}
	best, peak := math.Inf(1), 0.0
	count, runs := w.turns()
	own := func(turn turnOf) error {
		counted := len(opt.Peers) > 0
		if counted {
			debug.FreeOSMemory() // of works before this one
			counted = memory.ResetPeak()
		}
		start := time.Now()
		looked := time.Time{}
		for n := 0; n < turn.runs || time.Since(start) < turn.budget; n++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if time.Since(looked) > 20*peakTime { // now and then: others on the machine get in the way of both alike
				peak = max(peak, gemm.PeakFlops[float32](pool, set, peakTime))
				looked = time.Now()
			}
			t := time.Now()
			for range batch {
				if err := does.run(ctx); err != nil {
					return err
				}
			}
			best = min(best, time.Since(t).Seconds()/float64(batch))
		}
		if counted {
			r.ResidentBytes = max(r.ResidentBytes, memory.Peak())
		}
		return nil
	}
	if r.Peers, err = turns(ctx, w.Name, opt.Peers, count, turnOf{opt.budget() / time.Duration(count), runs}, opt.say, own); err != nil && len(r.Peers) == 0 {
		return r, err // broken off before there was anything to compare
	}
	r.Seconds, r.MemoryBytes = best, does.memory()
	flops := does.flops()
	r.Gflops, r.PeakGflops = flops/best/1e9, peak/1e9
	r.Peak = flops / best / peak
	r.Bound = does.bound(peak, bandwidth)
	if err != nil || r.ResidentBytes == 0 {
		return r, err
	}
	if p := r.Fastest(); p != nil {
		err = p.remember(ctx, opt.Peers, w.Name, runs, opt.say)
	}
	return r, err
}

// repeats returns how many runs one reading of the clock should cover, after one that is not counted and, if it is short, another.
func repeats(ctx context.Context, does task) (int, error) {
	var took time.Duration
	for range 2 {
		t := time.Now()
		if err := does.run(ctx); err != nil {
			return 0, err
		}
		if took = max(time.Since(t), 1); took > time.Second {
			break
		}
	}
	return max(1, int(time.Millisecond/took)), nil
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
