package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/internal/visible"
	"shadowflow/report"
)

// runFlags are the flags of the command run.
type runFlags struct {
	given       *settings
	out, resume string
	changed     bool // accept what changed
	quiet, json bool
	figures     bool
}

func newRun() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run [config.yaml]",
		Short: "Train, and measure the realized and the predicted implicit bias on the way",
		Long: `run carries out a config, or the default one: full-batch Adam, a tanh network, the handwritten digits.
Its directory is the record: the config as resolved, history.csv, checkpoints, a log, result.json, figures.
It is safe to kill: run --resume DIR goes on where the newest checkpoint stands, and ends with the same bits. A run that has ended goes on
where settings let it: run --resume DIR --set steps=2000 ends with the bits of a run of 2000 steps. What else changed, be it config, data, files
or program, is named and refused.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.given = bindSettings(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "run directory (default a new one in runs/)")
	flags.StringVar(&f.resume, "resume", "", "continue the run in this directory; --set may give it more steps, and files another place")
	flags.BoolVar(&f.changed, "accept-changed", false, "with --resume: go on though config, data or program changed, and record that they did")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress, no sentences")
	bindJSON(cmd, &f.json)
	flags.BoolVar(&f.figures, "figures", true, "draw the figures and the page at the end")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	dir, start, err := f.prepare(args)
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	bar := newProgress(stderr, f.quiet || f.json)
	bar.page = &pageLine{kind: "run", dir: dir}
	opt := run.Options{
		Progress: bar.show,
		Notice:   func(text string) { bar.clear(); fmt.Fprintln(stderr, text) },
	}
	if !f.quiet && !f.json {
		opt.Introduce = opt.Notice
	}
	result, err := start(cmd, dir, opt)
	bar.clear()
	if err != nil {
		return err
	}
	if result.Status == run.Interrupted {
		fmt.Fprintf(stderr, "interrupted at step %d; go on with: shadowflow run --resume %s\n", result.Step, dir)
		return nil
	}
	if err := f.present(cmd.Context(), cmd.OutOrStdout(), dir, result); err != nil {
		return err
	}
	return diverged(result)
}

// runOutput is a run for JSON.
type runOutput struct {
	Dir  string `json:"dir"`
	Page string `json:"page,omitempty"`
	*run.Result
}

// diverged returns an error if a run did.
func diverged(r *run.Result) error {
	switch {
	case r.Status == run.Diverged:
		return against{fmt.Errorf("the run diverged after step %d", r.Step)}
	case r.Diverged():
		return against{fmt.Errorf("the run diverged: its last loss, after step %d, is more than twice the first", r.Step)}
	}
	return nil
}

// starter begins or continues a run in a directory.
type starter func(cmd *cobra.Command, dir string, opt run.Options) (*run.Result, error)

func (f *runFlags) prepare(args []string) (string, starter, error) {
	if f.resume != "" {
		if len(args) > 0 || f.out != "" {
			return "", nil, misuse("--resume takes the config in the run directory: leave out the config and --out")
		}
		_, settings, err := f.given.given(nil)
		if err != nil {
			return "", nil, err
		}
		return f.resume, func(cmd *cobra.Command, dir string, opt run.Options) (*run.Result, error) {
			opt.Settings, opt.AcceptChanged = settings, f.changed
			if c, err := run.ReadConfig(dir); err == nil { // what is wrong with it Resume says
				f.sayBeginning(cmd, c, dir)
			}
			return run.Resume(cmd.Context(), dir, opt)
		}, nil
	}
	if f.changed {
		return "", nil, misuse("--accept-changed: of no use without --resume")
	}
	c, err := f.given.config(args)
	if err != nil {
		return "", nil, err
	}
	dir := f.out
	if dir == "" {
		dir = newRunName(c)
	}
	return dir, func(cmd *cobra.Command, dir string, opt run.Options) (*run.Result, error) {
		f.sayBeginning(cmd, c, dir)
		return run.Run(cmd.Context(), c, dir, opt)
	}, nil
}

// sayBeginning says, before data are read and programs compiled, which may take a while, what is set up, and which conventions are in force, and how to get the others.
func (f *runFlags) sayBeginning(cmd *cobra.Command, c *config.Config, dir string) {
	if f.quiet || f.json {
		return
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "setting up %s, %s, in %s\n", c.Optimizer.Name, c.Trained(), visible.Line(dir))
	if text := c.Optimizer.Conventions(); text != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), text)
	}
}

// newRunName returns the name of a new run's directory, which says what it holds.
func newRunName(c *config.Config) string {
	loss := c.Objective.Name
	if loss == config.Network {
		loss = c.Data.Name + "-" + c.Model.Name
	}
	name := fmt.Sprintf("%s-%s-%s", loss, c.Optimizer.Name, time.Now().Format("20060102-150405"))
	dir := filepath.Join("runs", name)
	for i := 2; ; i++ {
		if _, err := os.Stat(dir); err != nil {
			return dir
		}
		dir = filepath.Join("runs", fmt.Sprintf("%s-%d", name, i))
	}
}

// present draws the figures and says what the run found.
func (f *runFlags) present(ctx context.Context, w io.Writer, dir string, result *run.Result) error {
	r, err := report.Read(dir)
	if err != nil {
		return err
	}
	var page string
	if f.figures {
		page, err = r.Write(ctx, report.PageStyle)
		if ctx.Err() != nil {
			return fmt.Errorf("%w: the run has ended, and only its page is not there; draw it with: shadowflow report %s", context.Cause(ctx), dir)
		}
		if err != nil {
			return err
		}
	}
	if f.json {
		return printJSON(w, runOutput{dir, page, result})
	}
	if f.quiet {
		return nil
	}
	for _, s := range r.Sentences() {
		fmt.Fprintln(w, s)
	}
	fmt.Fprintln(w)
	for _, c := range result.Costs {
		fmt.Fprintf(w, "  %v\n", c)
	}
	fmt.Fprintf(w, "\nrecord: %s\n", visible.Line(record.HistoryPath(dir)))
	if page != "" {
		fmt.Fprintf(w, "figures: %s\n", page)
	}
	return nil
}
