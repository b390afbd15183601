package run

import (
	"fmt"
	"math"
	"slices"
)

const (
	sameTime = 1e-9 // relative difference of times that counts as none
	nearTime = 0.01 // largest that is compared at all: slopes are off by about that over the log of the lr's ratio
)

// shareTime chooses the time that is nearest to the given one, within a factor of two, and a whole number of steps of each lr: errors at different
// times have no order. Where there is none, times that differ by a hundredth at most are compared, and said to; others are refused.
func (opt *VerifyOptions) shareTime() error {
	given := opt.Time
	if opt.apart(given) <= sameTime {
		return nil
	}
	near := math.Round(given / opt.LR[0])
	for d := 0.0; d <= near; d++ {
		for _, k := range []float64{near + d, near - d} {
			if k >= 1 && 2*k >= near && opt.apart(k*opt.LR[0]) <= sameTime {
				opt.Time = k * opt.LR[0]
				opt.timed = append(slices.Clip(opt.timed), fmt.Sprintf("time %.6g in the place of %g: there each lr has taken whole steps.", opt.Time, given))
				return nil
			}
		}
	}
	apart := opt.apart(given)
	if apart > nearTime {
		return fmt.Errorf("time %g: after whole steps the times of lr %v differ by up to %.2g%%, and no time from half to twice that is a whole number of steps of each; "+
			"want a time that is, as there is where each lr is the one before over a whole number", given, opt.LR, 100*apart)
	}
	opt.timed = append(slices.Clip(opt.timed), fmt.Sprintf("Each lr takes whole steps, to times that are up to %.2g%% from %g.", 100*apart, given))
	return nil
}

// apart returns how far from a time the whole steps of the step sizes end, over that time.
func (opt *VerifyOptions) apart(time float64) float64 {
	far := 0.0
	for _, lr := range opt.LR {
		far = max(far, math.Abs(math.Round(time/lr)*lr-time)/time)
	}
	return far
}
