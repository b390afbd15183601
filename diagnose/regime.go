package diagnose

import (
	"math"

	"shadowflow/internal/stats"
)

// A Regime is the kind of a run, after its curves of loss and gradient norm (Ma, Wu, E 2022 tell spikes, oscillation and
// divergence of adaptive methods apart).
type Regime string

// The regimes, by the rules of Classify.
const (
	Monotone    Regime = "monotone"
	Oscillating Regime = "oscillating"
	Spiking     Regime = "spiking"
	Diverged    Regime = "diverged"
	// Unknown is the regime of a run whose curves say nothing of it, being those of another mini-batch each step.
	Unknown Regime = "unknown"
)

// The thresholds of Classify.
const (
	divergedFactor  = 2    // of the first loss, if that is positive
	spikeWidth      = 20   // steps on either side of a peak
	lossSpike       = 2    // height of a peak above the floors on its sides
	normSpike       = 4    // the same; norms vary more
	spikeShare      = 0.25 // of all records: more in peaks is an oscillation
	spikeScatter    = 6    // height of a peak, in logs, over how much the change between records scatters: less is noise
	oscillatingRise = 0.05 // of the fall
	normTurn        = 0.05 // of the log of the norm
	normTurns       = 0.1  // of all steps
)

// Classify returns the regime of a run from the losses and the norms of its records, which were made at these steps, by the first of these
// rules that holds.
//
//   - Diverged: the last loss or norm is not finite, or the last loss is above the first by more than the first is from 0: more than twice the first,
//     where that is positive.
//   - Spiking: there are peaks, in less than a quarter of the records: a loss at least 2 times (a norm at least 4 times) the
//     smallest of the 20 steps before it, and of the 20 behind it. A slow hill is no peak, nor is a rise to where the loss stays, nor what stands out by
//     less, in logs, than 6 times the median by which changes between neighbouring records are off their median: the noise of mini-batches.
//   - Oscillating: the log of the loss rises, in all, by at least a twentieth of what it falls in all; or the norm turns between
//     rise and fall, each of at least 5%, more than once, and at one step in ten or more. A hill is one turn.
//   - Monotone otherwise.
//
// What happens between records is not seen, so all but Diverged is then as far as they tell; see [Apart]. They show no turn, rise or peak that records
// of every step would not. Without records a run is Monotone.
func Classify(steps []int, losses, norms []float64) Regime {
	if diverged(losses) || diverged(norms) && !finite(norms[len(norms)-1]) {
		return Diverged
	}
	if peaks := peaks(steps, losses, lossSpike); peaks > 0 && float64(peaks) < spikeShare*float64(len(losses)) {
		return Spiking
	}
	if peaks := peaks(steps, norms, normSpike); peaks > 0 && float64(peaks) < spikeShare*float64(len(norms)) {
		return Spiking
	}
	if up, down := logVariation(losses); up > 0 && up >= oscillatingRise*down {
		return Oscillating
	}
	if n := turns(norms); n > 1 && float64(n) >= normTurns*float64(steps[len(steps)-1]-steps[0]+1) {
		return Oscillating
	}
	return Monotone
}

// Apart returns the largest number of steps between neighbouring records, 0 if there are less than two.
func Apart(steps []int) int {
	widest := 0
	for i := 1; i < len(steps); i++ {
		widest = max(widest, steps[i]-steps[i-1])
	}
	return widest
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func diverged(x []float64) bool {
	if len(x) == 0 {
		return false
	}
	last := x[len(x)-1]
	return !finite(last) || last-x[0] > (divergedFactor-1)*math.Abs(x[0])
}

// peaks counts the records that stand out by a factor from both their sides.
func peaks(steps []int, x []float64, factor float64) int {
	factor = max(factor, math.Exp(spikeScatter*scatter(x)))
	count, first, behind := 0, 0, 0 // the records within the width
	for i := 1; i < len(x)-1; i++ {
		for steps[i]-steps[first] > spikeWidth {
			first++
		}
		for behind < len(x) && steps[behind]-steps[i] <= spikeWidth {
			behind++
		}
		floor := max(smallest(x[first:i]), smallest(x[i+1:behind])) // infinite on a side without records
		if floor > 0 && x[i] >= factor*floor {
			count++
		}
	}
	return count
}

// scatter returns by how much the changes of the log of x between neighbouring records are off their median, in the median; 0 where there are none.
func scatter(x []float64) float64 {
	var changes []float64
	for i := 1; i < len(x); i++ {
		if d := math.Log(x[i] / x[i-1]); finite(d) {
			changes = append(changes, d)
		}
	}
	if len(changes) == 0 {
		return 0
	}
	usual := stats.Median(changes)
	for i, v := range changes {
		changes[i] = math.Abs(v - usual)
	}
	return stats.Median(changes)
}

func smallest(x []float64) float64 {
	m := math.Inf(1)
	for _, v := range x {
		m = min(m, v)
	}
	return m
}

// logVariation returns how much the log of x rises and falls in all.
func logVariation(x []float64) (up, down float64) {
	for i := 1; i < len(x); i++ {
		if !(x[i] > 0) || !(x[i-1] > 0) {
			continue
		}
		d := math.Log(x[i] / x[i-1])
		up += max(0, d)
		down += max(0, -d)
	}
	return up, down
}

// turns counts the changes between rise and fall of the log of x that are larger than normTurn each.
func turns(x []float64) int {
	count, direction := 0, 0
	extreme := math.NaN()
	for _, v := range x {
		l := math.Log(v)
		if !finite(l) {
			continue
		}
		switch {
		case math.IsNaN(extreme), direction > 0 && l > extreme, direction < 0 && l < extreme:
			extreme = l
		case direction <= 0 && l-extreme >= normTurn:
			if direction < 0 {
				count++
			}
			direction, extreme = 1, l
		case direction >= 0 && extreme-l >= normTurn:
			if direction > 0 {
				count++
			}
			direction, extreme = -1, l
		}
	}
	return count
}
