package reproduce

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"shadowflow/internal/stats"
	"shadowflow/report"
)

// An Outcome says what became of a claim.
type Outcome string

// The outcomes.
const (
	Holds     Outcome = "holds"
	Fails     Outcome = "fails"
	Undecided Outcome = "undecided"
)

// all returns what becomes of a claim that has several parts.
func all(parts ...Outcome) Outcome {
	switch {
	case len(parts) == 0, slices.Contains(parts, Undecided) && !slices.Contains(parts, Fails):
		return Undecided
	case slices.Contains(parts, Fails):
		return Fails
	}
	return Holds
}

func said(o Outcome) string {
	if o == Undecided {
		return "is undecided"
	}
	return string(o)
}

// level is the probability of error at which the tests of a reproduction decide, all of them together.
const level = 0.05

// evidence is the probability of evidence as strong for a part of a claim, and of such against it, if there were nothing to find.
type evidence struct{ with, against float64 }

// nothing is the evidence of no runs.
var nothing = evidence{1, 1}

// p is the smaller of both.
func (e evidence) p() float64 { return math.Min(e.with, e.against) }

// judged says what becomes of the parts of a claim, by Holm's correction (Scand. J. Statist. 6, 1979): the probability that it decides any of
// them wrongly is at most level, however many there are.
func judged(parts ...evidence) []Outcome {
	order := make([]int, len(parts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(parts[a].p(), parts[b].p()) })
	out := slices.Repeat([]Outcome{Undecided}, len(parts))
	for k, i := range order {
		switch e := parts[i]; {
		case !(e.p()*float64(len(parts)-k) < level):
			return out
		case e.with < e.against:
			out[i] = Holds
		default:
			out[i] = Fails
		}
	}
	return out
}

// sayCorrected says how the outcomes of several tests were decided.
func (f *Result) sayCorrected(tests int) {
	if tests > 1 {
		f.say("The outcomes of the %d tests are after Holm's correction for so many, the probabilities as they are.", tests)
	}
}

// direction is that of a claimed trend.
type direction int

const (
	rising  direction = 1
	falling direction = -1
)

func (d direction) String() string {
	if d == rising {
		return "rises"
	}
	return "falls"
}

// of is the evidence of a trend that goes in the direction.
func (d direction) of(t stats.Trend) evidence {
	if d == falling {
		return evidence{t.Down, t.Up}
	}
	return evidence{t.Up, t.Down}
}

// differs is the evidence of a mean that has the direction's sign, by a two-sided test.
func (d direction) differs(from stats.Difference) evidence {
	switch {
	case math.IsNaN(from.P):
		return nothing
	case from.Mean*float64(d) > 0:
		return evidence{from.P, 1}
	}
	return evidence{1, from.P}
}

// seedwise is the sign test over seeds of what most runs of a seed do: runs of one seed have examples and weights in common, and are no independent
// evidence.
type seedwise struct {
	evidence
	runs, of              int // how many runs do it, of how many
	agreeing, disagreeing int // seeds
}

// bySeeds asks of every run whether it does something, and whether it counts.
func bySeeds(ts trials, does func(*trial) (yes, counts bool)) seedwise {
	var out seedwise
	balance := map[any]int{}
	for _, t := range ts {
		yes, counts := does(t)
		if !counts {
			continue
		}
		out.of++
		out.runs += count(yes)
		balance[t.Run.Config.Get("seed")] += 2*count(yes) - 1
	}
	for _, b := range balance {
		out.agreeing += count(b > 0)
		out.disagreeing += count(b < 0)
	}
	out.evidence = nothing
	if n := out.agreeing + out.disagreeing; n > 0 {
		out.with, out.against = stats.SignTest(out.agreeing, n)
	}
	return out
}

// String gives the numbers and the test.
func (s seedwise) String() string {
	n := s.agreeing + s.disagreeing
	text := fmt.Sprintf("%d of %d runs, most runs of %d of %d seeds (sign test over seeds, p = %s)", s.runs, s.of, s.agreeing, n, stats.Probability(s.p()))
	if most, _ := stats.SignTest(n, n); n > 0 && most >= level {
		text += fmt.Sprintf("; %d seeds are too few to decide anything", n)
	}
	return text
}

// growth says by how much a measurement that is positive grows from the first to the last column within rows, which are seeds.
func growth(rows [][]float64) string {
	var logs []float64
	for _, row := range rows {
		logs = append(logs, math.Log(row[len(row)-1]/row[0]))
	}
	d := stats.PairedT(logs)
	percent := func(log float64) float64 { return 100 * math.Expm1(log) }
	if math.IsNaN(d.Half) {
		return fmt.Sprintf("by %+.3g%% from the first to the last", percent(d.Mean))
	}
	return fmt.Sprintf("by %+.3g%% from the first to the last, 95%% interval [%+.3g%%, %+.3g%%]", percent(d.Mean), percent(d.Mean-d.Half), percent(d.Mean+d.Half))
}

// judgeSlope says whether slopes show an order: all of their mean's interval, or none of it, above the order less a margin.
func judgeSlope(slopes []float64, order int) Outcome {
	mean, half := stats.Interval(slopes)
	bound := float64(order) - report.SlopeMargin
	switch {
	case mean-half > bound:
		return Holds
	case mean+half < bound:
		return Fails
	}
	return Undecided
}
