package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"shadowflow/experiment/run"
	"shadowflow/internal/visible"
	"shadowflow/report"
)

// progress shows where long work stands, with the time left: a bar in a terminal, now and then a line elsewhere. Of a run it says the loss, the norm and the
// sign of the bias.
type progress struct {
	quiet    bool
	terminal bool
	w        io.Writer
	bar      *progressbar.ProgressBar
	started  time.Time
	first    int // the step that the work was at when it was first shown
	shown    time.Time
	page     *pageLine // nil where the work has none
}

// The time between two looks at a bar, and between two lines.
const (
	refresh   = 100 * time.Millisecond
	lineEvery = 10 * time.Second
)

func newProgress(w io.Writer, quiet bool) *progress {
	// A bar steers the terminal, and shows numbers alone.
	return &progress{quiet: quiet, w: visible.Raw(w), terminal: isTerminal(w)}
}

// newLateProgress returns one that says nothing of work that is done before it would print its second line.
func newLateProgress(w io.Writer, quiet bool) *progress {
	p := newProgress(w, quiet)
	p.shown = time.Now()
	return p
}

// show shows where a run stands.
func (p *progress) show(at run.Progress) {
	p.at(at.Step, at.Steps, func() string { return report.Standing(at) })
}

// at updates the bar, or prints a line if the last is old enough.
func (p *progress) at(step, steps int, standing func() string) {
	if p.started.IsZero() {
		p.started, p.first = time.Now(), step
	}
	if line := p.page.due(); line != "" && !p.quiet {
		p.clear()
		fmt.Fprintln(p.w, line)
	}
	if !p.terminal {
		p.line(step, steps, standing)
		return
	}
	if p.quiet || time.Since(p.shown) < refresh && step < steps {
		return
	}
	p.shown = time.Now()
	if p.bar == nil {
		p.bar = progressbar.NewOptions(steps,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetWidth(24),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(),
		)
	}
	_ = p.bar.Set(step) // a bar that cannot be drawn is no reason to stop
	p.bar.Describe(standing())
}

// line prints where the work stands: at once, and then now and then.
func (p *progress) line(step, steps int, standing func() string) {
	now := time.Now()
	if p.quiet || now.Sub(p.shown) < lineEvery {
		return
	}
	p.shown = now
	left := "unknown"
	if done := step - p.first; done > 0 {
		left = (now.Sub(p.started) / time.Duration(done) * time.Duration(steps-step)).Round(time.Second).String()
	}
	fmt.Fprintf(p.w, "step %d of %d  %s  time left %s\n", step, steps, standing(), left)
}

// clear takes the bar away, before something else is printed.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
