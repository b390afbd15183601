package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
	"shadowflow/rule"
)

// together returns the values of columns, in the rows that have a finite number in each of them.
func (r *Report) together(columns ...string) [][]float64 {
	all := make([][]float64, len(columns))
	out := make([][]float64, len(columns))
	for i, c := range columns {
		if all[i] = r.History.Floats(c); all[i] == nil {
			return out
		}
	}
	for row := range all[0] {
		if slices.ContainsFunc(all, func(v []float64) bool { return math.IsNaN(v[row]) || math.IsInf(v[row], 0) }) {
			continue
		}
		for i := range columns {
			out[i] = append(out[i], all[i][row])
		}
	}
	return out
}

// of returns the values of a column, so far as they are numbers, in the rows of a verdict.
func (r *Report) of(v run.Verdict, column string) []float64 {
	var out []float64
	verdicts := run.Verdicts(r.History)
	for i, x := range r.History.Floats(column) {
		if verdicts[i] == v && !math.IsNaN(x) {
			out = append(out, x)
		}
	}
	return out
}

// sayPrediction says where the second-order equation without memory may be spoken of, and only there what it predicts.
func (r *Report) sayPrediction() string {
	counts, verdicts := map[run.Verdict]int{}, run.Verdicts(r.History)
	for _, v := range verdicts {
		counts[v]++
	}
	bornOut, n := run.CountBornOut(verdicts)
	ratios := r.History.Floats("monitor.second_over_first")
	known, hidden, monitored := 0, 0, ratios != nil
	for i, rounding := range r.History.Floats("step_rounding") {
		switch {
		case monitored && !math.IsNaN(ratios[i]):
			known++
		case !math.IsNaN(rounding):
			hidden++
		}
	}
	switch {
	case r.penalized():
		return fmt.Sprintf("A regularizer, %s of weight %s, moves the optimizer, too: the second-order equation is of the loss without it, what the steps have beyond an optimizer without memory is not the memory's alone, and neither is shown as this run's bias.",
			r.Config.Regularizer.Kind, number(r.Config.Regularizer.Weight))
	case r.whyNoEquation() != "":
		return fmt.Sprintf("No equation of second order without memory predicts a bias here: %s has none, for %s.", r.Config.Optimizer.Name, r.whyNoEquation())
	case known == 0 && hidden > 0 && monitored:
		return fmt.Sprintf("What the second-order equation misses of a step is within what rounding to %s makes: its bias is not shown as this run's bias; dtype float64 tells more.", r.Config.DType)
	case n == 0 && r.remembersNothing():
		return "The second-order equation of an optimizer without memory has its step by construction, up to higher orders of lr: that it predicts steps is no evidence, and its bias is not shown as this run's bias."
	case n == 0:
		return ""
	}
	s := r.sayVerdicts(counts, n) + r.explanation(bornOut, n)
	if hidden > 0 {
		s += fmt.Sprintf(" At %d more, what it misses is within what rounding to %s makes.", hidden, r.Config.DType)
	}
	return s
}

// penalized reports whether an explicit penalty was added to the loss.
func (r *Report) penalized() bool {
	return r.Config.Objective.Name == config.Network && r.Config.Regularizer.Kind != "none"
}

// remembersNothing reports whether the optimizer has no memory, so that its step has the second-order equation by construction.
func (r *Report) remembersNothing() bool {
	return r.History.Index("defect_2") >= 0 && r.History.Index(monitor) < 0 && !r.penalized()
}

// whyNoEquation says, of a run whose bias was measured, what stands against an equation that eliminates the optimizer's memory; nothing where there is one.
func (r *Report) whyNoEquation() string {
	if r.Config.Record.Bias == 0 || r.History.Index("defect_2") >= 0 {
		return ""
	}
	of, err := r.Config.Optimizer.Rule()
	if err != nil {
		return ""
	}
	_, err = of.MemoryForm()
	if lacks := (*rule.NoMemoryError)(nil); errors.As(err, &lacks) {
		return lacks.Lacks
	}
	return ""
}

// sayVerdicts says at how many of n steps the second-order equation predicts what.
func (r *Report) sayVerdicts(counts map[run.Verdict]int, n int) string {
	var parts []string
	for _, part := range []struct {
		of           run.Verdict
		says, behind string
	}{
		{run.Worse, "worse than no correction", " (" + times(stats.Median(r.of(run.Worse, "monitor.second_over_first"))) + ", in the median)"},
		{run.Hardly, "better than no correction", ", but by less than a tenth"},
		{run.Against, "better than no correction", ", but for its term without memory alone: what it says of the memory goes against the realized bias, at a cosine of " +
			number(stats.Median(r.of(run.Against, "bias.cosine"))) + " (median)"},
		{run.BornOut, "better than no correction", ", by a tenth or more and with a bias along the realized one"},
	} {
		k := counts[part.of]
		where := fmt.Sprintf("at %d", k)
		switch {
		case k == 0:
			continue
		case k == n:
			where = "at " + every(n, "measured")
		case len(parts) == 0:
			where += " of " + plural.Of(n, "measured step")
		}
		parts = append(parts, fmt.Sprintf("%s %s%s", part.says, where, part.behind))
	}
	return "The second-order equation predicts steps " + strings.Join(parts, "; ")
}

// times writes the ratio of an error to another that is not larger: small excesses as a percentage.
func times(ratio float64) string {
	if math.IsInf(ratio, 1) {
		return "beyond all bounds"
	}
	if ratio < 2 {
		return "by " + percent(ratio-1)
	}
	return number(ratio) + " times"
}

// every names all of n steps that were measured, or what was done to them.
func every(n int, did string) string {
	if n == 1 {
		return "the one " + did + " step"
	}
	return "all " + plural.Of(n, did+" step")
}

// explanation says how much of what the second-order equation predicts is realized at the k of n steps where it may be spoken of.
func (r *Report) explanation(k, n int) string {
	if k == 0 {
		return ": its bias is not shown as this run's bias."
	}
	start := ""
	if k < n {
		start = ": its bias is shown as this run's at these last ones alone"
	}
	explained, cosine := r.of(run.BornOut, "bias.explained"), r.of(run.BornOut, "bias.cosine")
	if len(cosine) == 0 {
		return start + "."
	}
	s := fmt.Sprintf("%s; of its bias %s is realized", start, percent(stats.Median(explained)))
	if size := stats.Median(explained); size > 2 {
		s = fmt.Sprintf("%s; along its bias the realized one is %s times as large", start, number(size))
	}
	s += fmt.Sprintf(", at a cosine of %s with the realized one", number(stats.Median(cosine)))
	if n > 1 {
		s += fmt.Sprintf(" (medians of %d of %s)", len(cosine), plural.Of(n, "step"))
	}
	return s + r.sayCritical() + "."
}

// sayCritical says where elements change sides, if the last step at which that is known bears the equation out.
func (r *Report) sayCritical() string {
	verdicts := run.Verdicts(r.History)
	critical := r.History.Floats("critical_gradient")
	for i := len(critical) - 1; i >= 0; i-- {
		if math.IsNaN(critical[i]) || !verdicts[i].Judged() {
			continue
		}
		if verdicts[i] != run.BornOut {
			return ""
		}
		return fmt.Sprintf("; elements change sides at the critical gradient size g* = %s at step %s", number(critical[i]), number(r.History.Floats("step")[i]))
	}
	return ""
}

// sayState says whether the equation with the memory as state holds, of all the steps that it was asked of.
func (r *Report) sayState() string {
	const subject = "With the memory as state the equation of order 2 "
	var asked, followed []float64
	holds := 0
	for _, v := range r.History.Floats("monitor.state_defect") {
		if math.IsNaN(v) {
			continue
		}
		if asked = append(asked, v); !math.IsInf(v, 0) {
			followed = append(followed, v)
		}
		if v < run.StateHolds {
			holds++
		}
	}
	n, k := len(asked), len(followed)
	hidden := r.stateHidden()
	more := ""
	if hidden > 0 {
		more = fmt.Sprintf(" At %d more, rounding to %s hides what it misses.", hidden, r.Config.DType)
	}
	switch {
	case n == 0 && hidden > 0:
		return fmt.Sprintf("What the equation of order 2 with the memory as state misses of a step is within what rounding to %s makes: whether it holds is not told; dtype float64 tells more.", r.Config.DType)
	case n == 0:
		return ""
	case k == 0:
		return fmt.Sprintf("%scould not be followed through a step at %s: it does not hold.", subject, every(n, "measured")) + more
	case n == 1:
		return fmt.Sprintf("%smissed the one step that was measured by %s of its length.", subject, percent(followed[0])) + more
	}
	s := fmt.Sprintf("%smisses a step by %s of its length (median of %d)", subject, percent(stats.Median(followed)), n)
	if k < n {
		s = fmt.Sprintf("%scould not be followed through %d of %s, and misses the others by %s of their length (median of %d)", subject, n-k, plural.Of(n, "measured step"), percent(stats.Median(followed)), k)
	}
	switch holds {
	case n:
		return s + ": it holds." + more
	case 0:
		return s + ": it does not hold." + more
	}
	return s + fmt.Sprintf(": it holds at %d of %d, to %s.", holds, n, percent(run.StateHolds)) + more
}

// stateHidden counts the steps at which whether it holds was asked, and rounding hides it.
func (r *Report) stateHidden() int {
	n, defects := 0, r.History.Floats("monitor.state_defect")
	for i, rounding := range r.History.Floats("monitor.state_rounding") {
		if defects != nil && math.IsNaN(defects[i]) && rounding > run.StateHolds {
			n++
		}
	}
	return n
}

// Standing says in a few words where a run stands that goes on.
func Standing(at run.Progress) string {
	bias := "+ raises"
	switch {
	case math.IsNaN(at.RealizedDrive):
		bias = "not known"
	case at.RealizedDrive < 0:
		bias = "- lowers"
	case at.RealizedDrive == 0:
		bias = "none"
	}
	s := fmt.Sprintf("loss %.3g  norm %.3g  realized bias %s", at.Loss, at.Excess, bias)
	var holds, not []string
	judge := func(name string, known, does bool) {
		switch {
		case known && does:
			holds = append(holds, name)
		case known:
			not = append(not, name)
		}
	}
	judge("state-2", !math.IsNaN(at.StateDefect), at.StateDefect < run.StateHolds)
	judge("memoryless-2", at.Verdict.Judged(), at.Verdict == run.BornOut)
	for _, part := range []struct {
		word  string
		names []string
	}{{"holds", holds}, {"does not hold", not}} {
		if len(part.names) > 0 {
			s += "  " + part.word + ": " + strings.Join(part.names, ", ")
		}
	}
	return s
}
