package reproduce

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"shadowflow/diagnose"
	"shadowflow/report"
)

func (m *Map) document() *report.Document {
	d := &report.Document{
		Title:  "Regime map of Adam over beta1, beta2 and lr",
		Claim:  "Where is the norm of the gradient penalized and where hindered, where do the iterates leave the modified equation, and in which regime is a run?",
		Design: mapDesign,
	}
	stable, closer, law, n := 0, 0, 0, 0
	for k, lr := range m.LR {
		for i := range m.Beta1 {
			for j := range m.Beta2 {
				n++
				stable += count(lr <= m.stableLimit(i, j))
				closer += count(lr <= m.closerLimit(i, j))
				law += count(k > 0 && lr <= m.lawLimit(i, j))
			}
		}
	}
	d.Findings = []string{fmt.Sprintf("Of %d combinations of betas and lr, %d are in the stable regime; in %d the modified equation of order 2 predicts a step better than that of order 1, in %d of the %d above the smallest lr its defect keeps the law lr^3.",
		n, stable, closer, law, n-len(m.Beta1)*len(m.Beta2))}
	d.Figures = []report.Drawing{m.regimeFigure(), m.hinderedFigure(), m.lawFigure()}
	d.Tables = []report.Table{m.limits(), m.table()}
	return d
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

const mapDesign = "Full-batch runs over a grid. The regime is told from the curves of loss and norm, and is the worst of all seeds: diverged if they end above twice the start or not finite; spiking if a " +
	"loss stands out twofold, or a norm fourfold, from both its sides; oscillating if the loss rises in all by a twentieth of its fall, or the norm turns in a tenth of the records; monotone otherwise. Stable is monotone or oscillating. " +
	"A coordinate is hindered where the bias moves it so that the norm rises, C_j q_j < 0; its weight is |q_j|, q the norm's gradient. Stages are told by the training loss beside the first: above 1/2, from there to 1/20, below. " +
	"The iterates have left the equation of order 2 where it predicts a step no better than that of order 1, by the medians of their one-step defects in the early stage; it is in its asymptotic range while the median one-step defect in the early stage falls like lr^3: from the smallest lr up, as long as the logarithmic slope to the next is at least 2.5. In float32 rounding hides defects of small lr; the laptop's map is made in float64."

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

// calm reports whether all runs with a step size are monotone.
func (m *Map) calm(k int) bool {
	for i := range m.Beta1 {
		for j := range m.Beta2 {
			if m.at(i, j, k).Regime != diagnose.Monotone {
				return false
			}
		}
	}
	return true
}

func (m *Map) regimeFigure() *report.Heatmap {
	h := &report.Heatmap{Labels: report.Label{
		Name: "regimes", Title: "Regime of the run",
		Caption: "Monotone, oscillating, spiking or diverged; thick lines part stable combinations from the others. An lr at which all runs are monotone is not drawn, unless there is no other.",
	}}
	for k, lr := range m.LR {
		last := k == len(m.LR)-1 && len(h.Panels) == 0
		if m.calm(k) && !last {
			continue
		}
		p := m.panel(fmt.Sprintf("lr = %g", lr), func(i, j int) (float64, string, int) {
			r := m.at(i, j, k).Regime
			region := 0
			if r == diagnose.Spiking || r == diagnose.Diverged {
				region = 1
			}
			return float64(slices.Index(regimes, r)), string(r), region
		})
		for _, r := range regimes {
			p.Classes = append(p.Classes, string(r))
		}
		h.Panels = append(h.Panels, p)
	}
	return h
}

// middleLR is the number of the step size whose shares are shown.
func (m *Map) middleLR() int {
	best := 0
	for k, lr := range m.LR {
		if math.Abs(math.Log(lr/1e-3)) < math.Abs(math.Log(m.LR[best]/1e-3)) {
			best = k
		}
	}
	return best
}

func (m *Map) hinderedFigure() *report.Heatmap {
	k := m.middleLR()
	h := &report.Heatmap{Labels: report.Label{
		Name: "hindered", Title: fmt.Sprintf("Share of the gradient's weight that is hindered, lr = %g", m.LR[k]),
		Caption: "Mean share of sum |q_j| on coordinates where the bias hinders the norm's decrease, by stage of training. Blue: penalized; orange: hindered; thick lines are at one half. Grey: the stage was not reached.",
	}}
	for s := range stages {
		p := m.panel(stages[s].name, func(i, j int) (float64, string, int) {
			v := m.at(i, j, k).Hindered[s]
			if math.IsNaN(v) {
				return v, "", -1
			}
			region := 0
			if v > 0.5 {
				region = 1
			}
			return 1 - v, fmt.Sprintf("%.2f", v), region
		})
		p.Low, p.High, p.Diverging = 0, 1, true
		p.Scale, p.Legend = "hindered share", []string{"0", "0.25", "0.5", "0.75", "1"}
		h.Panels = append(h.Panels, p)
	}
	return h
}

func (m *Map) lawFigure() *report.Heatmap {
	h := &report.Heatmap{Labels: report.Label{
		Name: "law", Title: "How far the regimes and the modified equation reach",
		Caption: "The largest lr with a stable run; the largest up to which the one-step defect of order 2 is smaller than that of order 1; and the largest up to which it falls like lr^3. Zero: not at the smallest that was tried.",
	}}
	for _, f := range []struct {
		title string
		value func(i, j int) float64
	}{{"largest stable lr", m.stableLimit}, {"largest lr at which order 2 predicts steps better than order 1", m.closerLimit}, {"largest lr at which the defect of order 2 keeps its law lr³", m.lawLimit}} {
		p := m.panel(f.title, func(i, j int) (float64, string, int) {
			v := f.value(i, j)
			return float64(slices.Index(m.LR, v) + 1), strconv.FormatFloat(v, 'g', -1, 64), slices.Index(m.LR, v)
		})
		p.Low, p.High, p.Scale = 0, float64(len(m.LR)), "lr"
		p.Legend = []string{"large", "", "", "", "small, or none"}
		h.Panels = append(h.Panels, p)
	}
	return h
}

// limits has a row for each pair of betas.
func (m *Map) limits() report.Table {
	t := report.Table{Caption: "How far in lr", Header: []string{"beta1", "beta2", "stable up to", "order 2 better than order 1 up to", "law lr^3 up to"}}
	for i, b1 := range m.Beta1 {
		for j, b2 := range m.Beta2 {
			t.Rows = append(t.Rows, []string{fmt.Sprint(b1), fmt.Sprint(b2), limitText(m.stableLimit(i, j)), limitText(m.closerLimit(i, j)), limitText(m.lawLimit(i, j))})
		}
	}
	return t
}

func limitText(lr float64) string {
	if lr == 0 {
		return "none tried"
	}
	return fmt.Sprintf("%g", lr)
}

func (m *Map) table() report.Table {
	t := report.Table{
		Caption: "All combinations", Header: []string{"beta1", "beta2", "lr", "regime", "hindered early", "middle", "late", "median defect of order 1", "of order 2"},
	}
	share := func(v float64) string {
		if math.IsNaN(v) {
			return "-"
		}
		return fmt.Sprintf("%.2f", v)
	}
	for _, p := range m.Points {
		t.Rows = append(t.Rows, []string{
			fmt.Sprint(p.Beta1), fmt.Sprint(p.Beta2), fmt.Sprint(p.LR), string(p.Regime), share(p.Hindered[0]), share(p.Hindered[1]), share(p.Hindered[2]), fmt.Sprintf("%.2g", p.Defects[0]), fmt.Sprintf("%.2g", p.Defects[1]),
		})
	}
	return t
}
