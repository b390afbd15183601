package reproduce

import (
	"math"
	"slices"
)

// An Outcome says what became of a hypothesis, or of a claim.
type Outcome string

// The outcomes.
const (
	Supported Outcome = "supported"
	Against   Outcome = "against"
	Undecided Outcome = "undecided"
)

// all returns what becomes of a claim that has several parts.
func all(parts ...Outcome) Outcome {
	switch {
	case slices.Contains(parts, Against):
		return Against
	case len(parts) == 0, slices.Contains(parts, Undecided):
		return Undecided
	}
	return Supported
}

// said makes a sentence of what the numbers say: the claim, or what is claimed of something.
func (o Outcome) said() string {
	switch o {
	case Supported:
		return "is supported"
	case Against:
		return "is not borne out: there is evidence against it"
	}
	return "is undecided"
}

// level is the probability of error at which the tests of a family decide, all of them together: for their hypotheses, and as much again against them where
// tests are one-sided.
const level = 0.05

// evidence is the probability of evidence as strong for a hypothesis, and of such against it, if there were nothing to find.
type evidence struct{ with, against float64 }

// nothing is the evidence of no runs.
var nothing = evidence{1, 1}

// towards turns evidence of a rise, and of a fall, into that of a direction.
func (e evidence) towards(d Direction) evidence {
	if d == Down {
		return evidence{e.against, e.with}
	}
	return e
}

// and is the weaker of two on either side.
func (e evidence) and(o evidence) evidence {
	return evidence{math.Max(e.with, o.with), math.Max(e.against, o.against)}
}

// p is the smaller of both, 1 where they are no numbers.
func (e evidence) p() float64 {
	if p := math.Min(e.with, e.against); !math.IsNaN(p) {
		return p
	}
	return 1
}
