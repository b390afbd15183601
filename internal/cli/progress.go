package cli

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/schollz/progressbar/v3"

	"shadowflow/experiment"
)

// progress shows where a run stands: a bar with the time left, the loss, the norm, and the sign of the bias.
type progress struct {
	quiet bool
	w     io.Writer
	bar   *progressbar.ProgressBar
	shown time.Time
}

// refresh is the time between two looks at the bar.
const refresh = 100 * time.Millisecond

func newProgress(w io.Writer, quiet bool) *progress { return &progress{quiet: quiet, w: w} }

// show updates the bar.
func (p *progress) show(at experiment.Progress) {
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
	p.bar.Describe(fmt.Sprintf("loss %.3g  norm %.3g  bias %s", at.Loss, at.Excess, signOf(at.BiasDrive)))
	_ = p.bar.Set(at.Step) // a bar that cannot be drawn is no reason to stop
}

// signOf says what the bias does to the norm.
func signOf(drive float64) string {
	switch {
	case math.IsNaN(drive):
		return "not measured"
	case drive < 0:
		return "- lowers"
	default:
		return "+ hinders"
	}
}

// clear takes the bar away, before something else is printed.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
