package reproduce

import (
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

// level is the probability of error at which a test decides.
const level = 0.05

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

// p is the probability of a trend as strong in the direction, if there were none.
func (d direction) p(t stats.Trend) float64 {
	if d == falling {
		return t.Down
	}
	return t.Up
}

// judge says whether a trend goes in the direction.
func (d direction) judge(t stats.Trend) Outcome { return decide(d.p(t), (-d).p(t)) }

// judgeSigns says whether more, or less, than half of n succeed.
func judgeSigns(successes, n int) Outcome {
	if n == 0 {
		return Undecided
	}
	return decide(stats.SignTest(successes, n))
}

// decide judges a claim by the probabilities of evidence as strong for it, and against it, if there were nothing to find.
func decide(with, against float64) Outcome {
	switch {
	case with < level:
		return Holds
	case against < level:
		return Fails
	}
	return Undecided
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
