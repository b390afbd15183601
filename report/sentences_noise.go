package report

import (
	"fmt"
	"math"

	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
)

// sayNoise says how much of a batch's gradient is noise, and what the expansion in the noise would make of it.
func (r *Report) sayNoise() string {
	steps, scale := r.column("noise_scale")
	n := len(scale)
	if n == 0 || math.IsInf(scale[n-1], 0) {
		return ""
	}
	s := fmt.Sprintf("The gradient noise scale went from %s to %s examples", number(scale[0]), number(scale[n-1]))
	if n == 1 {
		s = fmt.Sprintf("The gradient noise scale was %s examples at step %s", number(scale[0]), number(steps[0]))
	}
	return s + r.sayNoiseError(steps[n-1], n > 1) + "." + r.sayNoiseShare()
}

// sayNoiseError says how the noise scale was estimated and how well that is known at the last step where it was, the end of several.
func (r *Report) sayNoiseError(last float64, several bool) string {
	s := ", by how far batches without common examples scatter"
	if _, sizes := r.column("noise_batch"); len(sizes) > 0 {
		s = fmt.Sprintf(", by how far batches of %s without common examples scatter", number(sizes[len(sizes)-1]))
	}
	at, e := r.column("noise_scale_error")
	if len(e) == 0 || at[len(at)-1] != last {
		return s + ", with no standard error, for which it takes three batches"
	}
	s += fmt.Sprintf(", with a standard error of %s", number(e[len(e)-1]))
	if several {
		s += " at the end"
	}
	return s
}

// sayNoiseShare says how large the noise of a batch's gradient is beside the gradient, as a vector and by coordinates, which need not agree.
func (r *Report) sayNoiseShare() string {
	at := r.together("monitor.noise_over_batch", "noise_batch", "noise_dominated")
	n, above := len(at[0]), 0
	if n == 0 {
		return ""
	}
	for _, v := range at[0] {
		if v > 1 {
			above++
		}
	}
	mostly := "smaller than the gradient: it is larger on"
	share := stats.Median(at[2])
	if share > 0.5 {
		mostly = "larger than the gradient: on"
	}
	s := fmt.Sprintf(" It was above batches of %s at %d of %s. On most coordinates the noise of such a batch is %s %s of them in the median, %s at the start and %s at the end.",
		number(at[1][n-1]), above, plural.Of(n, "measured step"), mostly, percent(share), percent(at[2][0]), percent(at[2][n-1]))
	if !r.Config.Batch.Mini() {
		s += " The run's own batches are full, and have none."
	}
	return s + r.sayNoiseTerms()
}

// mostLeftOut is the fraction of coordinates left out from which the terms of noise are not summed up in words.
const mostLeftOut = 0.5

// sayNoiseTerms compares the terms of noise in dN/dt with that of memory alone, where the expansion has most coordinates. Both are predicted: they say
// something of a run only at steps that bear the second-order equation out.
func (r *Report) sayNoiseTerms() string {
	columns := []string{"noise.left_out", "noise.drive_memory", "noise.drive_1", "noise.drive_2", "noise.drive_3", "noise.drive_4", "noise.drive_5"}
	at := r.together(append(columns, "step")...)
	n := len(at[0])
	if n == 0 {
		return ""
	}
	if left := stats.Median(at[0]); left > mostLeftOut {
		return fmt.Sprintf(" The expansion in the noise leaves out %s of the coordinates (median of %d), whose variance is too large for it: it is not shown as the batches' bias.", percent(left), n)
	}
	verdicts, all := map[float64]run.Verdict{}, r.History.Floats("step")
	for i, v := range run.Verdicts(r.History) {
		verdicts[all[i]] = v
	}
	var ratios []float64
	same, steps := 0, at[len(columns)]
	for row, memory := range at[1] {
		noise := 0.0
		for _, drive := range at[2:len(columns)] {
			noise += drive[row]
		}
		if memory == 0 || at[0][row] > mostLeftOut || verdicts[steps[row]] != run.BornOut {
			continue
		}
		if ratios = append(ratios, math.Abs(noise/memory)); noise*memory > 0 {
			same++
		}
	}
	const from = " The expansion in the noise is one of the second-order equation"
	if len(ratios) == 0 {
		return fmt.Sprintf("%s, which is borne out at none of the %s at which its terms were measured: they are not shown as the batches' bias.", from, plural.Of(n, "step"))
	}
	return fmt.Sprintf("%s. At the %d of %s where that is borne out its terms would be %s times what memory does without noise (median), the same way at %d of them.",
		from, len(ratios), plural.Of(n, "measured step"), number(stats.Median(ratios)), same)
}
