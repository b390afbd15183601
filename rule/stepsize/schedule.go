// Package stepsize says how the step size of an optimizer changes from step to step: a factor of its lr for each step n = 0, 1, .., as the
// schedulers of PyTorch count. A [Schedule] is a value; nothing in it remembers where a run stands.
package stepsize

import (
	"fmt"
	"math"

	"shadowflow/internal/plural"
)

// Shape is how a schedule goes on behind its warmup.
type Shape string

// The shapes. With n the step from 0, W Warmup, S Steps, f Final, and u = (n-W)/(S-W), at most 1:
const (
	Constant Shape = "constant" // 1
	Linear   Shape = "linear"   // 1 + (f-1) u
	Cosine   Shape = "cosine"   // f + (1-f) (1 + cos(pi u))/2
	Step     Shape = "step"     // Factor^floor(n/Every)
	// WSD is warmup, stable, decay: 1 for Stable steps, then 1 + (f-1)(n-W-Stable)/(S-W-Stable), from S on f.
	WSD  Shape = "wsd"
	File Shape = "file" // Factors[n], the last of them for ever
)

// shapes are all of them.
var shapes = []Shape{Constant, Linear, Cosine, Step, WSD, File}

// Schedule is the factor of lr in each step. During the first Warmup steps that is (n+1)/Warmup, so that no step is empty, whatever the shape.
// The zero Schedule is constant.
type Schedule struct {
	Shape Shape
	// Warmup is W, in steps.
	Warmup int
	// Steps is S, the step at which linear, cosine and wsd have come to Final, a factor.
	Steps int
	Final float64
	// Every is the number of steps after which Step multiplies by Factor once more.
	Every  int
	Factor float64
	// Stable is the number of steps between warmup and decay of WSD.
	Stable int
	// Factors are those of File.
	Factors []float64
}

// Varies reports whether the factor is not the same in all steps.
func (s Schedule) Varies() bool {
	return s.Warmup > 1 || s.Shape != "" && s.Shape != Constant
}

// KeyError says what is wrong with a key of a schedule.
type KeyError struct{ Key, Problem string }

func (e *KeyError) Error() string { return "schedule." + e.Key + ": " + e.Problem }

// Validate says what is wrong with a schedule: a *KeyError.
func (s Schedule) Validate() error {
	wrong := func(key, format string, args ...any) error { return &KeyError{key, fmt.Sprintf(format, args...)} }
	for key, steps := range map[string]int{"warmup": s.Warmup, "every": s.Every, "stable": s.Stable} {
		if steps < 0 {
			return wrong(key, "%d: want a number of steps, at least 0", steps)
		}
	}
	switch s.Shape {
	case "", Constant:
	case Linear, Cosine:
		if s.Steps <= s.Warmup {
			return wrong("steps", "%d, with a warmup of %s: want more, for %s to come to its final value in", s.Steps, plural.Count(s.Warmup, "step"), s.Shape)
		}
	case WSD:
		if s.Steps < s.Warmup+s.Stable {
			return wrong("steps", "%d, with %s of warmup and %d stable ones: want at least as many", s.Steps, plural.Count(s.Warmup, "step"), s.Stable)
		}
	case Step:
		if s.Every < 1 {
			return wrong("every", "%d: want at least 1 step", s.Every)
		}
		if !(s.Factor > 0) || math.IsInf(s.Factor, 1) {
			return wrong("factor", "%v: want a number above 0", s.Factor)
		}
	case File:
		if len(s.Factors) == 0 {
			return wrong("path", "no factors: want a file with one a step")
		}
	default:
		return wrong("shape", "%q: want one of %v", s.Shape, shapes)
	}
	if !(s.Final >= 0) || math.IsInf(s.Final, 1) {
		return wrong("final", "%v: want a number of at least 0", s.Final)
	}
	return nil
}

// At returns the factor of lr in step n, counted from 0.
func (s Schedule) At(n int) float64 {
	if n < s.Warmup {
		return float64(n+1) / float64(s.Warmup)
	}
	switch s.Shape {
	case Linear:
		return s.line(n, s.Warmup)
	case Cosine:
		u := math.Min(1, float64(n-s.Warmup)/float64(s.Steps-s.Warmup))
		return s.Final + (1-s.Final)*(1+math.Cos(math.Pi*u))/2
	case Step:
		return math.Pow(s.Factor, float64(n/s.Every))
	case WSD:
		return s.line(n, s.Warmup+s.Stable)
	case File:
		return s.Factors[min(n, len(s.Factors)-1)]
	}
	return 1
}

// line goes from 1 at a step to Final at Steps, with a jump where that is no later.
func (s Schedule) line(n, from int) float64 {
	switch {
	case n >= from && s.Steps <= from:
		return s.Final
	case n <= from:
		return 1
	}
	u := math.Min(1, float64(n-from)/float64(s.Steps-from))
	return 1 + (s.Final-1)*u
}

// Stretched returns the schedule by times as long: that of steps of the size 1/by over the same time. Numbers of steps are rounded.
func (s Schedule) Stretched(by float64) Schedule {
	if by == 1 {
		return s
	}
	for _, steps := range []*int{&s.Warmup, &s.Steps, &s.Every, &s.Stable} {
		*steps = int(math.Round(float64(*steps) * by))
	}
	if s.Shape == Step {
		s.Every = max(1, s.Every)
	}
	factors := make([]float64, 0, len(s.Factors))
	for n := range int(math.Round(float64(len(s.Factors)) * by)) {
		factors = append(factors, s.Factors[min(int(float64(n)/by), len(s.Factors)-1)])
	}
	s.Factors = factors
	return s
}
