package reproduce

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
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

// mostNamed is how many lr are named one by one.
const mostNamed = 8

// tried says over which lr the map speaks: those that runs had, and none between them.
func (m *Map) tried() string {
	last := len(m.LR) - 1
	switch {
	case last == 0:
		return fmt.Sprintf("lr %g", m.LR[0])
	case last >= mostNamed:
		return fmt.Sprintf("%d lr from %g to %g", last+1, m.LR[0], m.LR[last])
	}
	return fmt.Sprintf("lr %s and %g", strings.Join(labels(m.LR[:last]), ", "), m.LR[last])
}

func (m *Map) sentence(s Slice, i, j int) string {
	reaches := m.reachesOf(s, i, j)
	stable, equation, memoryless := &reaches[0], &reaches[1], &reaches[2]
	runs := "whether the runs are stable was not measured"
	if stable.measured() {
		runs = "the runs are stable " + stable.where() + m.unstable(s, i, j)
	}
	state, second := "what the state equation misses was not measured", "no step was evidence for the equation of order 2 without memory, or against it"
	if equation.measured() {
		state = fmt.Sprintf("the state equation of order 2 predicts nearly all steps to %g%% %s", 100*run.StateHolds, equation.where())
	}
	if memoryless.measured() {
		second = "most steps bear out the equation of order 2 without memory (by a tenth closer than order 1, and not against the realized bias) " + memoryless.where()
	}
	return fmt.Sprintf("%s%s: %s; %s; %s; %s.", m.place(s, i, j), m.tried(), runs, m.biasText(s, i, j), state, second)
}

// unstable says what the runs are that are not stable, and at which lr.
func (m *Map) unstable(s Slice, i, j int) string {
	out := ""
	for _, regime := range regimes {
		is := func(k int) bool { p := m.at(s, i, j, k); return !p.stable() && p.Regime == regime }
		if at := ranges(m.LR, is); at != "" {
			out += fmt.Sprintf(", %s at %s", regime, at)
		}
	}
	return out
}

// place names what of the map a sentence is about, so far as the optimizer has it.
func (m *Map) place(s Slice, i, j int) string {
	out := m.Optimizer + ", "
	for _, axis := range []struct{ key, value string }{
		{"beta1", fmt.Sprintf("%g", m.Beta1[i])}, {"beta2", fmt.Sprintf("%g", m.Beta2[j])}, {"eps", s.eps()},
	} {
		if !m.lacks[axis.key] {
			out += fmt.Sprintf("%s = %s, ", axis.key, axis.value)
		}
	}
	return out + s.batch() + ", "
}

// biasText says what the realized bias did, from what was measured in the early and the middle stage of stable runs, and at which lr nothing was.
func (m *Map) biasText(s Slice, i, j int) string {
	said := "the realized bias of stable runs, before their late stage,"
	if m.forgets {
		return said + " is none, for the optimizer remembers nothing"
	}
	low, high, up, compared := math.Inf(1), math.Inf(-1), 0, 0
	silent := func(k int) bool { // a stable run that says nothing
		p := m.at(s, i, j, k)
		return p.stable() && math.IsNaN(p.Realized[0]) && math.IsNaN(p.Realized[1])
	}
	for k := range m.LR {
		p := m.at(s, i, j, k)
		if !p.stable() {
			continue
		}
		up, compared = up+p.Up, compared+p.Compared
		for _, v := range p.Realized[:late] {
			if !math.IsNaN(v) {
				low, high = math.Min(low, v), math.Max(high, v)
			}
		}
	}
	if low > high {
		return said + " was not measured where it can be compared"
	}
	said = fmt.Sprintf("%s %s in the median of a stage, and up at %d of %s", said, didToTheNorm(low, high), up, plural.Of(compared, "step"))
	if at := ranges(m.LR, silent); at != "" {
		said += fmt.Sprintf("; at lr %s nothing is comparable", at)
	}
	return said
}

// didToTheNorm says what parts of dN/dt between two did to the norm, over the main drive.
func didToTheNorm(low, high float64) string {
	const none = 0.005 // of the main drive: as a percentage it is 0
	percent := func(a, b float64) string {
		if math.Round(100*a) == math.Round(100*b) {
			return fmt.Sprintf("by %.0f%%", 100*a)
		}
		return fmt.Sprintf("by %.0f%% to %.0f%%", 100*a, 100*b)
	}
	switch {
	case -none < low && high < none:
		return "was less than 0.5% of the main drive"
	case low > -none:
		return fmt.Sprintf("pushed the norm up, %s of the main drive", percent(math.Max(low, 0), high))
	case high < none:
		return fmt.Sprintf("pushed the norm down, %s of the main drive", percent(math.Max(-high, 0), -low))
	}
	return fmt.Sprintf("was between %.0f%% of the main drive, pushing the norm down, and %.0f%%, pushing it up,", -100*low, 100*high)
}
