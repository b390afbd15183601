package reproduce

import (
	"fmt"
	"math"
	"slices"
)

// Sentences says what the map found for the pair of betas at, or for every pair if at is nil.
func (m *Map) Sentences(at []float64) ([]string, error) {
	if at != nil {
		return m.sentencesOf(at[0], at[1])
	}
	var out []string
	for _, beta1 := range m.Beta1 {
		for _, beta2 := range m.Beta2 {
			some, err := m.sentencesOf(beta1, beta2)
			if err != nil {
				return nil, err
			}
			out = append(out, some...)
		}
	}
	return out, nil
}

// sentencesOf says what the map found for a pair of betas on its grid, a sentence a slice.
func (m *Map) sentencesOf(beta1, beta2 float64) ([]string, error) {
	i, j := slices.Index(m.Beta1, beta1), slices.Index(m.Beta2, beta2)
	if i < 0 || j < 0 {
		return nil, fmt.Errorf("betas %g, %g are not on the map: beta1 is one of %v, beta2 one of %v", beta1, beta2, m.Beta1, m.Beta2)
	}
	var out []string
	for _, s := range m.slices() {
		out = append(out, m.sentence(s, i, j))
	}
	return out, nil
}

// tried says over which lr the map speaks.
func (m *Map) tried() string {
	if len(m.LR) == 1 {
		return fmt.Sprintf("lr %g", m.LR[0])
	}
	return fmt.Sprintf("lr %g to %g", m.LR[0], m.LR[len(m.LR)-1])
}

func (m *Map) sentence(s Slice, i, j int) string {
	reach := func(holds, known func(Point) bool, up, none string) string {
		limit := m.reaches(s, i, j, holds)
		if limit == m.LR[len(m.LR)-1] {
			return fmt.Sprintf("%s up to lr %g, the largest that was tried", up, limit)
		}
		unknown := ""
		if next := slices.Index(m.LR, limit) + 1; !known(m.at(s, i, j, next)) { // lr 0 is none, and the first is next
			unknown = fmt.Sprintf("; at lr %g that was not measured", m.LR[next])
		}
		if limit > 0 {
			return fmt.Sprintf("%s up to lr %g%s", up, limit, unknown)
		}
		return none + unknown
	}
	always := func(Point) bool { return true }
	stable := reach(Point.stable, always, "the runs are stable", fmt.Sprintf("not stable even at lr %g", m.LR[0]))
	if limit := m.reaches(s, i, j, Point.stable); limit > 0 && limit < m.LR[len(m.LR)-1] {
		k := slices.Index(m.LR, limit) + 1
		stable += fmt.Sprintf(", %s at %g", m.at(s, i, j, k).Regime, m.LR[k])
	}
	state := "what the state equation misses was not measured"
	if known := func(p Point) bool { return !math.IsNaN(p.Follows) }; m.anyOf(s, i, j, known) {
		state = reach(Point.stateHolds, known, fmt.Sprintf("the state equation of order 2 predicts nearly all steps to %g%%", 100*stateHolds),
			fmt.Sprintf("the state equation of order 2 predicts nearly all steps to %g%% at no lr that was tried", 100*stateHolds))
	}
	memoryless := "no step was evidence for the equation of order 2 without memory, or against it"
	if known := func(p Point) bool { return !math.IsNaN(p.Better) }; m.anyOf(s, i, j, known) {
		memoryless = reach(Point.memorylessHolds, known, "the equation of order 2 without memory predicts most steps better than that of order 1",
			"the equation of order 2 without memory predicts most steps no better than that of order 1 at any lr that was tried")
	}
	return fmt.Sprintf("%s%s: %s; %s; %s; %s.", m.place(s, i, j), m.tried(), stable, m.biasText(s, i, j), state, memoryless)
}

// place names what of the map a sentence is about, so far as the optimizer has it.
func (m *Map) place(s Slice, i, j int) string {
	out := ""
	for _, axis := range []struct {
		key   string
		value float64
	}{{"beta1", m.Beta1[i]}, {"beta2", m.Beta2[j]}, {"eps", s.Eps}} {
		if !m.lacks[axis.key] {
			out += fmt.Sprintf("%s = %g, ", axis.key, axis.value)
		}
	}
	if s.Batch == 0 {
		return out + "full batch, "
	}
	return out + fmt.Sprintf("batches of %d, ", s.Batch)
}

// anyOf reports whether a point has something at any lr.
func (m *Map) anyOf(s Slice, i, j int, has func(Point) bool) bool {
	for k := range m.LR {
		if has(m.at(s, i, j, k)) {
			return true
		}
	}
	return false
}

// biasText says what the realized bias did over all lr, from what was measured in the early and the middle stage of stable runs.
func (m *Map) biasText(s Slice, i, j int) string {
	low, high := math.Inf(1), math.Inf(-1)
	for k := range m.LR {
		p := m.at(s, i, j, k)
		for _, v := range p.Realized[:2] {
			if p.stable() && !math.IsNaN(v) {
				low, high = math.Min(low, v), math.Max(high, v)
			}
		}
	}
	percent := func(a, b float64) string {
		if math.Round(100*a) == math.Round(100*b) {
			return fmt.Sprintf("%.0f%%", 100*a)
		}
		return fmt.Sprintf("%.0f%% to %.0f%%", 100*a, 100*b)
	}
	switch {
	case low > high:
		return "the realized bias was not measured"
	case low > 0:
		return fmt.Sprintf("the realized bias hindered the norm's fall, by %s of the main drive", percent(low, high))
	case high < 0:
		return fmt.Sprintf("the realized bias penalized the norm, by %s of the main drive", percent(-high, -low))
	}
	return fmt.Sprintf("the realized bias was between %.0f%% of the main drive, penalizing, and %.0f%%, hindering", -100*low, 100*high)
}
