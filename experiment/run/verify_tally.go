package run

import (
	"fmt"
	"math"
)

// stepsOf returns the number of steps of a size that are compared.
func (opt *VerifyOptions) stepsOf(lr float64) int { return int(math.Round(opt.Time / lr)) }

// tally counts the steps that are compared, of all step sizes and so many rounds of them.
func (opt *VerifyOptions) tally(rounds int) *tally {
	t := &tally{show: opt.Progress}
	for _, lr := range opt.LR {
		t.all += rounds * opt.stepsOf(lr)
	}
	return t
}

// A tally counts steps towards a number of them.
type tally struct {
	done, all int
	show      func(done, of int, last string)
}

// of returns what counts a step of something.
func (t *tally) of(format string, args ...any) (count func()) {
	if t.show == nil {
		return func() {}
	}
	what := fmt.Sprintf(format, args...)
	return func() {
		t.done++
		t.show(t.done, t.all, what)
	}
}
