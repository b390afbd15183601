package reproduce

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"shadowflow/diagnose"
	"shadowflow/experiment/run"
	"shadowflow/report"
)

func (m *Map) document() *report.Document {
	d := &report.Document{
		Title:  fmt.Sprintf("Regime map of %s over beta1, beta2, lr, eps and the size of a batch", m.Optimizer),
		Claim:  "In which regime is a run, what does the bias that is realized do to the norm of the gradient, what does each equation say of it, and where does each hold?",
		Design: m.inForce() + " " + mapDesign,
	}
	for _, s := range m.slices() {
		d.Findings = append(d.Findings, m.finding(s))
		d.Figures = append(d.Figures, m.driveFigure(s), m.reachFigure(s))
	}
	d.Figures = append(d.Figures, m.regimeFigure())
	d.Tables = []report.Table{m.limits(), m.table()}
	return d
}

// finding counts, in a slice, what holds at how many points, and how often the prediction has the sign of what is realized where it may be spoken of.
func (m *Map) finding(s Slice) string {
	n, stable, state, memoryless, same, apart := 0, 0, 0, 0, 0, 0
	stableKnown, stateKnown, memorylessKnown := 0, 0, 0
	for i := range m.Beta1 {
		for j := range m.Beta2 {
			for k := range m.LR {
				p := m.at(s, i, j, k)
				n++
				stableKnown += count(p.regimeKnown())
				stateKnown, memorylessKnown = stateKnown+count(p.stateKnown()), memorylessKnown+count(p.memorylessKnown())
				stable, state, memoryless = stable+count(p.stable()), state+count(p.stateHolds()), memoryless+count(p.memorylessHolds())
				if !p.memorylessHolds() {
					continue
				}
				for stage := range stages {
					product := p.Realized[stage] * p.Predicted[stage]
					same, apart = same+count(product > 0), apart+count(product < 0)
				}
			}
		}
	}
	sign := "Nothing is said, therefore, of the bias that it predicts."
	if memoryless > 0 {
		sign = fmt.Sprintf("In %d of %d of their stages of training the bias that it predicts has the sign of the one that is realized.", same, same+apart)
	}
	return fmt.Sprintf("%s, %v, %s: of %d combinations of betas and lr %s are stable; the state equation of order 2 predicts nearly all steps to %g%% in %s, most steps bear out the equation of order 2 without memory in %s. %s",
		m.Optimizer, s, m.tried(), n, ofMeasured(stable, stableKnown, n), 100*run.StateHolds, ofMeasured(state, stateKnown, n), ofMeasured(memoryless, memorylessKnown, n), sign)
}

// ofMeasured writes in how many of n combinations something is so, and in how many that was measured, where these are not all.
func ofMeasured(so, measured, n int) string {
	if measured == n {
		return fmt.Sprint(so)
	}
	return fmt.Sprintf("%d of the %d where that was measured", so, measured)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

const mapDesign = "Runs over a grid, in float64. The regime is told from the curves of loss and norm, and is the worst of all seeds: diverged if they end above twice the start or not finite; spiking if a " +
	"loss stands out twofold, or a norm fourfold, from both its sides, and by more than noise does; oscillating if the loss rises in all by a twentieth of its fall, or the norm turns in a tenth of the records; monotone otherwise. Stable is monotone or oscillating. " +
	"Drives are parts of dN/dt, N the perturbed one-norm of the gradient, over the size of the main one, -q.F: observed, realized (what the step did beyond the update without memory), and predicted by the equation of second order that eliminates the memory; " +
	"medians over the steps at which all of them were measured, so that what is compared is compared at the same points. Stages are told by the training loss beside the first: above 1/2, from there to 1/20, below. " +
	"A step bears out the equation without memory where its order 2 is closer to it than its order 1 by a tenth, and what it says of the memory does not have the opposite direction of what is realized; the equation holds where most of the measured steps do. The state equation holds where its one-step defect is below 5% of the step at nine of ten measured steps, those through which it cannot be followed being none of them. " +
	"The law: from the smallest lr up, as long as the median one-step defect of order 2 in the early stage falls like lr^3, with a logarithmic slope to the next lr of at least 2.5. What is said of lr is said of those that were tried."

// name is the optimizer's alone, for titles.
func (m *Map) name() string {
	name, _, _ := strings.Cut(m.Optimizer, " ")
	return name
}

// inForce says what a figure or a page is of: the optimizer, its preset, where eps stands, and which lr were tried.
func (m *Map) inForce() string {
	s := "Optimizer " + m.Optimizer
	if m.Root != "" {
		s += ", eps " + m.Root
	}
	return fmt.Sprintf("%s; tried were %s.", s, m.tried())
}

func labels(values []float64) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return out
}

// panel makes a table of colours of a value over beta1 and beta2.
func (m *Map) panel(title string, value func(i, j int) (float64, string, int)) report.HeatPanel {
	p := report.HeatPanel{Title: title, X: "beta1", Y: "beta2", Columns: labels(m.Beta1), Rows: labels(m.Beta2)}
	for j := range m.Beta2 {
		var values []float64
		var texts []string
		var regions []int
		for i := range m.Beta1 {
			v, text, region := value(i, j)
			values, texts, regions = append(values, v), append(texts, text), append(regions, region)
		}
		p.Values, p.Texts, p.Regions = append(p.Values, values), append(p.Texts, texts), append(p.Regions, regions)
	}
	return p
}

// calm reports whether all runs of a slice with a step size are monotone.
func (m *Map) calm(s Slice, k int) bool {
	for i := range m.Beta1 {
		for j := range m.Beta2 {
			if m.at(s, i, j, k).Regime != diagnose.Monotone {
				return false
			}
		}
	}
	return true
}

func (m *Map) regimeFigure() *report.Heatmap {
	h := &report.Heatmap{Labels: report.Label{
		Name: "regimes", Title: "Regime of the run: " + m.Optimizer,
		Caption: m.inForce() + " Monotone, oscillating, spiking or diverged; thick lines part stable combinations from the others. An lr at which all runs are monotone is not drawn, unless there is no other.",
	}}
	all := m.slices()
	for n, s := range all {
		for k, lr := range m.LR {
			last := n == len(all)-1 && k == len(m.LR)-1 && len(h.Panels) == 0
			if m.calm(s, k) && !last {
				continue
			}
			p := m.panel(fmt.Sprintf("lr = %g, %v", lr, s), func(i, j int) (float64, string, int) {
				at := m.at(s, i, j, k)
				if !at.regimeKnown() {
					return math.NaN(), "-", 1
				}
				return float64(slices.Index(regimes, at.Regime)), string(at.Regime), count(!at.stable())
			})
			for _, r := range regimes {
				p.Classes = append(p.Classes, string(r))
			}
			h.Panels = append(h.Panels, p)
		}
	}
	return h
}

// middleLR is the number of the step size whose drives are shown.
func (m *Map) middleLR() int {
	best := 0
	for k, lr := range m.LR {
		if math.Abs(math.Log(lr/1e-3)) < math.Abs(math.Log(m.LR[best]/1e-3)) {
			best = k
		}
	}
	return best
}

// driveFigure shows, at one lr and in the middle stage, what is realized, predicted and observed in a slice.
func (m *Map) driveFigure(s Slice) *report.Heatmap {
	const middle = 1
	k := m.middleLR()
	h := &report.Heatmap{Labels: report.Label{
		Name: "drives-" + s.file(), Title: fmt.Sprintf("The bias on the norm: %s, lr %g, %v", m.name(), m.LR[k], s),
		Caption: m.inForce() + " Medians over the middle stage of training (loss 1/2 to 1/20 of the first), at the same steps. Orange: the bias pushes the norm up; blue: down; thick lines are at 0. Grey: not measured. A predicted value in brackets is from an equation that most steps do not bear out: it is no statement about the run.",
	}}
	for _, f := range []struct {
		title string
		value func(p Point) float64
		holds func(p Point) bool
	}{
		{"realized bias", func(p Point) float64 { return p.Realized[middle] }, func(Point) bool { return true }},
		{"bias predicted by the equation without memory", func(p Point) float64 { return p.Predicted[middle] }, Point.memorylessHolds},
		{"observed dN/dt", func(p Point) float64 { return p.Observed[middle] }, func(Point) bool { return true }},
	} {
		p := m.panel(f.title, func(i, j int) (float64, string, int) {
			at := m.at(s, i, j, k)
			v := f.value(at)
			if math.IsNaN(v) {
				return v, "", -1
			}
			text := strconv.FormatFloat(v, 'g', 2, 64)
			if !f.holds(at) {
				text = "(" + text + ")"
			}
			return -max(-1, min(1, v)), text, count(v > 0)
		})
		p.Low, p.High, p.Diverging, p.Scale = -1, 1, true, "over the main drive"
		p.Legend = []string{"-1 or less", "-0.5", "0", "0.5", "1 or more"}
		h.Panels = append(h.Panels, p)
	}
	return h
}

// file is a slice's part of the names of its figures.
func (s Slice) file() string {
	if s.Batch == 0 {
		return fmt.Sprintf("eps-%g-full", s.Eps)
	}
	return fmt.Sprintf("eps-%g-batch-%d", s.Eps, s.Batch)
}

func (m *Map) reachFigure(s Slice) *report.Heatmap {
	h := &report.Heatmap{Labels: report.Label{
		Name: "reach-" + s.file(), Title: fmt.Sprintf("How far regimes and equations reach in lr: %s, %v", m.name(), s),
		Caption: m.inForce() + " The largest lr of those tried up to which, from the smallest one on, all runs are stable; up to which the state equation of order 2 predicts nearly all steps to 5%; up to which most steps bear out the equation of order 2 without memory. 0: not at the smallest where that was measured. In brackets: the largest where it is so too, behind some where it is not, or was not measured. A dash: measured at none.",
	}}
	reaches := map[[2]int][]reach{}
	for i := range m.Beta1 {
		for j := range m.Beta2 {
			reaches[[2]int{i, j}] = m.reachesOf(s, i, j)
		}
	}
	for n, title := range []string{"stable", "state equation", "equation without memory"} {
		p := m.panel(title, func(i, j int) (float64, string, int) {
			v, text := reaches[[2]int{i, j}][n].cell()
			if math.IsNaN(v) {
				return v, text, -2
			}
			return float64(slices.Index(m.LR, v) + 1), text, slices.Index(m.LR, v)
		})
		p.Low, p.High, p.Scale = 0, float64(len(m.LR)), "lr"
		p.Legend = []string{fmt.Sprintf("%g, largest tried", m.LR[len(m.LR)-1]), "", "", "", "0: not at the least"}
		h.Panels = append(h.Panels, p)
	}
	return h
}

// limits has a row for each pair of betas in each slice.
func (m *Map) limits() report.Table {
	t := report.Table{
		Caption: "At which lr, of those tried", Header: []string{"eps, batch", "beta1", "beta2", "stable", "state equation", "without memory, order 2 borne out", "its law lr^3"},
	}
	for _, s := range m.slices() {
		for i, b1 := range m.Beta1 {
			for j, b2 := range m.Beta2 {
				row := []string{s.String(), fmt.Sprint(b1), fmt.Sprint(b2)}
				for _, r := range m.reachesOf(s, i, j) {
					row = append(row, r.where())
				}
				law := "not from the smallest lr on"
				if limit := m.lawLimit(s, i, j); limit > 0 {
					law = fmt.Sprintf("up to lr %g of those tried", limit)
				}
				t.Rows = append(t.Rows, append(row, law))
			}
		}
	}
	return t
}

func (m *Map) table() report.Table {
	t := report.Table{
		Caption: "All combinations. Drives over the size of the main one: early, middle, late",
		Header:  []string{"eps, batch", "beta1", "beta2", "lr", "regime", "realized", "predicted", "observed", "share of steps that bear out order 2 without memory", "defect of the state equation", "share of steps that it predicts to 5%"},
	}
	for _, p := range m.Points {
		t.Rows = append(t.Rows, []string{
			p.Slice.String(), fmt.Sprint(p.Beta1), fmt.Sprint(p.Beta2), fmt.Sprint(p.LR), string(p.Regime),
			threeOf(p.Realized), threeOf(p.Predicted), threeOf(p.Observed), oneOf(p.Better), oneOf(p.State), oneOf(p.Follows),
		})
	}
	return t
}

func oneOf(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case math.IsInf(v, 1):
		return "not followed"
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

func threeOf(v [3]float64) string { return oneOf(v[0]) + ", " + oneOf(v[1]) + ", " + oneOf(v[2]) }
