package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/graph"
	"shadowflow/internal/bench"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
	"shadowflow/objective"
)

// newBench makes the command that measures the heaviest work on this machine.
func newBench() *cobra.Command {
	var (
		asJSON       bool
		python, only string
		peers        []string
		budget       time.Duration
		threads      int
		scaling      bool
		figure       figureFile
		force        *bool
		given        *settings
	)
	cmd := &cobra.Command{
		Use:   "bench [config.yaml]",
		Short: "Measure the heaviest work: fraction of the machine's peak, cost in gradients, speed beside PyTorch and JAX",
		Long: `bench times matrix products, convolutions, and the gradients and Hessian-vector products of networks in float32. Each line
gives the fastest run, as a fraction of the peak of fused multiply-adds measured next to it. The multiplications counted are
those of the definition; 3 by 3 convolutions do with a quarter of them, so they may exceed the peak, and products of causal attention (gpt)
with half. The bound is what a run would take if it did nothing but those that are left and the operations of transforms, at the peak, and read and wrote the arrays that no cache holds at the
bandwidth of a copy; its column has the share of the time that this is, and a miss of a peer's speed says
which share of it the speed asked for would be. With --peers torch,jax the same work runs there too, turn by turn with this program, gradients and pairs in
PyTorch eager, by torch.func, and both by torch.compile (in its default mode), with images in both layouts, in JAX by jit; products by jvp, linearize, vjp; the fastest counts, and is named. Compiling them
takes minutes a work, most of an hour for the pair of the largest; lines on the standard error say how far it is. Beside the fastest setting stands what a process of its own that does nothing else has resident while it runs, and what this one had (on Linux): all
of each, interpreter and libraries too. Of cnn-top-10, the ten largest eigenvalues of a Hessian, beside curvlinops, runs take minutes: it is
measured only where --only matches it, in one turn. The column of memory is what a program of ours holds beside its inputs and outputs.

With a config, or flags for one, it times what a run of it does instead: loss, gradient, Hessian-vector product, the optimizer's step, an
evaluation of its state equation, each beside the gradient.

With --scaling it times how the gradient of a network of tanh layers, alone and with a Hessian-vector product, grows with parameters, examples, depth and
threads, and a step of Adam and the gradient's norms at 10^3 to 10^8 parameters, these as fractions of the bandwidth of a copy beside them.`,
		Example: "  shadowflow bench\n  shadowflow bench --scaling --plot scaling.svg\n  shadowflow bench --peers torch,jax --only gpt\n  shadowflow bench --objective rosenbrock\n  shadowflow bench --set model.name=cnn,data.subset=500,dtype=float64",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if threads < 0 || budget <= 0 {
				return misuse("--threads %d, --budget %v: want at least 0, and more than 0", threads, budget)
			}
			if python != "" && len(peers) == 0 {
				return misuse("--python %s: it is the interpreter of --peers, of which there are none", python)
			}
			if len(args) > 0 || given.any() {
				if scaling || figure.path != "" {
					return misuse("--scaling and --plot are for networks of bench itself: leave them out with a config")
				}
				if len(peers) > 0 || only != "" {
					return misuse("--peers and --only are for the works of bench itself: leave them out with a config")
				}
				return benchConfig(cmd, given, args, bench.Options{Threads: threads, Budget: budget}, asJSON)
			}
			if err := figure.check(*force); err != nil {
				return err
			}
			if scaling {
				if len(peers) > 0 || only != "" {
					return misuse("--peers and --only are for the works of bench itself: leave them out with --scaling")
				}
				return benchScaling(cmd, bench.Options{Threads: threads, Budget: budget}, &figure, asJSON)
			}
			if figure.path != "" {
				return misuse("--plot draws what --scaling measures: say both")
			}
			keep, works, err := worksMatching(only)
			if err != nil {
				return err
			}
			if threads < 1 {
				threads = runtime.GOMAXPROCS(0)
			}
			out, ctx := cmd.OutOrStdout(), cmd.Context()
			opt := bench.Options{Threads: threads, Budget: budget, Only: keep}
			opt.Progress = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			for _, name := range peers {
				p, err := bench.StartPeer(ctx, name, python, threads)
				if errors.Is(err, bench.ErrNoPeer) {
					return misuse("--peers: %w", err)
				}
				if err != nil {
					return err
				}
				defer p.Close()
				opt.Peers = append(opt.Peers, p)
				fmt.Fprintf(cmd.ErrOrStderr(), "%s %s on %s\n", p.Name, p.Version, p.Device)
			}
			results := []bench.Result{}
			if !asJSON {
				set, err := isa.Best()
				if err != nil {
					return err
				}
				fmt.Fprintf(out, "%s, %s\n", set, plural.Count(par.Shared(threads).Workers(), "thread"))
				fmt.Fprintf(out, "%-24s %12s %9s %7s %8s %9s %8s %8s  %s\n", "work", "time", "GFLOP/s", "% peak", "% bound", "gradients", "memory", "x peers", "fastest peer; misses")
			}
			start := time.Now()
			err = bench.Run(ctx, opt, func(r bench.Result) {
				results = append(results, r)
				if asJSON {
					fmt.Fprintln(cmd.ErrOrStderr(), benchProgress(r.Name, len(results), works, time.Since(start)))
				} else {
					printResult(out, r)
				}
			})
			if asJSON && (err == nil || len(results) > 0) { // stopped, what was measured until then
				err = errors.Join(err, printIndented(out, results))
			}
			return err
		},
	}
	given = bindSettings(cmd)
	f := cmd.Flags()
	bindJSON(cmd, &asJSON)
	f.StringSliceVar(&peers, "peers", nil, "do the same work in other frameworks and print the ratio to the fastest: "+strings.Join(bench.PeerNames, ", "))
	f.StringVar(&python, "python", "", "the interpreter that has the peers; by default the first python3 that does")
	f.StringVar(&only, "only", "", "measure the works whose name matches this regular expression")
	f.DurationVar(&budget, "budget", 2*time.Second, "time for each work, and for it in each setting of a peer, compiling aside")
	f.IntVar(&threads, "threads", 0, "threads; 0 for all cores")
	f.BoolVar(&scaling, "scaling", false, "measure how time grows with parameters, examples, depth and threads")
	figure.bind(cmd, "what --scaling measures")
	force = bindForce(cmd)
	return cmd
}

// worksMatching returns which works of bench a regular expression chooses, as Options.Only says it, and how many these are, of which there must be one.
func worksMatching(only string) (keep func(name string) bool, n int, err error) {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return nil, 0, misuse("--only %q: %w", only, err)
	}
	if only != "" {
		keep = chosen.MatchString
	}
	var names []string
	for _, w := range bench.Works() {
		names = append(names, w.Name)
		if (bench.Options{Only: keep}).Chooses(w) {
			n++
		}
	}
	if n == 0 {
		return nil, 0, misuse("--only %q matches no work; there are %s", only, strings.Join(names, ", "))
	}
	return keep, n, nil
}

// benchProgress says how far a bench is whose results are printed at its end. Works differ, so the time left is a guess by their mean.
func benchProgress(name string, done, of int, elapsed time.Duration) string {
	line := fmt.Sprintf("%s: %d of %d", name, done, of)
	if done == of {
		return line
	}
	left := time.Duration(float64(elapsed) / float64(done) * float64(of-done))
	return line + fmt.Sprintf(", about %v left", left.Round(time.Second))
}

// benchConfig times what a run of a config does.
func benchConfig(cmd *cobra.Command, given *settings, args []string, opt bench.Options, asJSON bool) error {
	c, err := given.config(args)
	if err != nil {
		return err
	}
	if opt.Threads == 0 {
		opt.Threads = c.Threads
	}
	var costs []bench.Cost
	if c.DType == "float64" {
		costs, err = costsOf[float64](cmd.Context(), c, opt)
	} else {
		costs, err = costsOf[float32](cmd.Context(), c, opt)
	}
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if asJSON {
		return printJSON(out, costs)
	}
	fmt.Fprintf(out, "%-36s %12s %10s\n", "work", "time", "gradients")
	for _, cost := range costs {
		fmt.Fprintf(out, "%-36s %12s %10.2f\n", cost.Name, duration(cost.Seconds), cost.Gradients)
	}
	return nil
}

func costsOf[T graph.Float](ctx context.Context, c *config.Config, opt bench.Options) (costs []bench.Cost, err error) {
	p, err := run.NewProblem[T](ctx, c)
	if err != nil {
		return nil, err
	}
	defer closing(p, &err)
	batch := objective.Full
	if p.Order != nil {
		batch = p.Order(0)
	}
	return bench.Objective(ctx, p.Objective, p.Rule, p.Theta, batch, p.LR, opt)
}

func printResult(out io.Writer, r bench.Result) {
	gradients, ratio := "", ""
	if r.Gradients > 0 {
		gradients = fmt.Sprintf("%.2f", r.Gradients)
	}
	remarks := r.Misses()
	if p := r.Fastest(); p != nil {
		ratio = fmt.Sprintf("%.2f", r.PeerRatio)
		fastest := fmt.Sprintf("%s, %s: %s", p.Peer, p.Best, duration(p.Seconds))
		if peak := p.PeakBytes; peak > 0 && r.ResidentBytes > 0 {
			fastest += fmt.Sprintf(", %s resident to our %s", memory.Format(peak), memory.Format(r.ResidentBytes))
		}
		remarks = append([]string{fastest}, remarks...)
	}
	for _, p := range r.Peers {
		switch {
		case p.Ended != "":
			remarks = append(remarks, fmt.Sprintf("%s ended: %s", p.Peer, p.Ended))
		case p.Seconds == 0 && len(p.Settings) > 0:
			remarks = append(remarks, fmt.Sprintf("%s, %s: %s", p.Peer, p.Settings[0].Name, p.Settings[0].Error))
		}
	}
	flops, peak, bound := "", "", ""
	if r.Gflops > 0 {
		flops, peak, bound = fmt.Sprintf("%.0f", r.Gflops), fmt.Sprintf("%.0f", 100*r.Peak), fmt.Sprintf("%.0f", 100*r.Bound/r.Seconds)
	}
	fmt.Fprintf(out, "%-24s %12s %9s %7s %8s %9s %8s %8s  %s\n", r.Name, duration(r.Seconds), flops, peak, bound, gradients, memory.Format(r.MemoryBytes), ratio,
		strings.Join(remarks, "; "))
}

// duration prints seconds with three figures.
func duration(s float64) string {
	switch {
	case s < 1e-6:
		return fmt.Sprintf("%.3g ns", s*1e9)
	case s < 1e-3:
		return fmt.Sprintf("%.3g us", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	}
	return fmt.Sprintf("%.3g s", s)
}
