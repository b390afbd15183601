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

// progress shows where a run stands, with the loss, the norm, the sign of the bias and the time left: a bar in a terminal, now and
// then a line elsewhere.
type progress struct {
	quiet    bool
	terminal bool
	w        io.Writer
	bar      *progressbar.ProgressBar
	started  time.Time
	first    int // the step that the run was at when it was first shown
	shown    time.Time
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

// show updates the bar, or prints a line if the last is old enough.
func (p *progress) show(at run.Progress) {
	if p.started.IsZero() {
		p.started, p.first = time.Now(), at.Step
	}
	if !p.terminal {
		p.line(at)
		return
	}
	if p.quiet || time.Since(p.shown) < refresh && at.Step < at.Steps {
		return
	}
	p.shown = time.Now()
	if p.bar == nil {
		p.bar = progressbar.NewOptions(at.Steps,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetWidth(24),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(),
		)
	}
	_ = p.bar.Set(at.Step) // a bar that cannot be drawn is no reason to stop
	p.bar.Describe(report.Standing(at))
}

// line prints where the run stands: at once, and then now and then.
func (p *progress) line(at run.Progress) {
	now := time.Now()
	if p.quiet || now.Sub(p.shown) < lineEvery {
		return
	}
	p.shown = now
	left := "unknown"
	if done := at.Step - p.first; done > 0 {
		left = (now.Sub(p.started) / time.Duration(done) * time.Duration(at.Steps-at.Step)).Round(time.Second).String()
	}
	fmt.Fprintf(p.w, "step %d of %d  %s  time left %s\n", at.Step, at.Steps, report.Standing(at), left)
}

// clear takes the bar away, before something else is printed.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
