package reproduce

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"

	"shadowflow/diagnose"
	"shadowflow/experiment"
	"shadowflow/experiment/sweep"
	"shadowflow/report"
)

// MapOptions say what to map. The zero value of a field stands for that of the scale.
type MapOptions struct {
	Beta1, Beta2, LR []float64
	Seeds            int
	Eps              float64
	Scale            Scale
	Sweep            sweep.Options
}

// A Map is what was found over beta1, beta2 and lr.
type Map struct {
	Beta1, Beta2, LR []float64
	// Points are in the order of beta1, then beta2, then lr.
	Points []Point
	Page   string
}

// A Point is one combination, over all its seeds.
type Point struct {
	Beta1, Beta2, LR float64
	// Regime is the worst that any seed showed.
	Regime diagnose.Regime
	// Hindered is the share of sum |grad N| on hindered coordinates, by stage of training: early, middle, late; NaN where a
	// stage was not reached.
	Hindered [3]float64
	// Defects are the median one-step defects of the equations of orders 1 and 2 in the early stage.
	Defects [2]float64
}

// stages of training, by the training loss beside the first.
var stages = []struct {
	name      string
	low, high float64 // of the first loss
}{
	{"early: loss above 1/2 of the first", 0.5, math.Inf(1)},
	{"middle: 1/2 to 1/20", 0.05, 0.5},
	{"late: below 1/20", 0, 0.05},
}

// mapSweep is the sweep of a map.
func (o *MapOptions) mapSweep() string {
	s := o.Scale
	return fmt.Sprintf(`name: map
base:
  steps: %s
  dtype: %s
  stop: {loss: 0.005}
  record: {bias: 4, sharpness: 0, test: 0}
  optimizer: {eps: %g}
%sgrid:
  optimizer.beta1: %s
  optimizer.beta2: %s
  optimizer.lr: %s
seeds: %d
`, pick(s, "400", "3000", "20000"), pick(s, "float64", "float32", "float32"), o.Eps, problem(s), yamlList(o.Beta1), yamlList(o.Beta2), yamlList(o.LR), o.Seeds)
}

func yamlList(values []float64) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func (o *MapOptions) fill() {
	if o.Scale == "" {
		o.Scale = Laptop
	}
	defaults := func(v *[]float64, d ...float64) {
		if len(*v) == 0 {
			*v = d
		}
		slices.Sort(*v)
	}
	defaults(&o.Beta1, 0, 0.5, 0.9, 0.97)
	defaults(&o.Beta2, 0.5, 0.9, 0.95, 0.99, 0.999)
	defaults(&o.LR, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
	if o.Seeds == 0 {
		o.Seeds = 1
	}
	if o.Eps == 0 {
		o.Eps = 1e-8
	}
}

// MapSweep returns the sweep that a map makes.
func MapSweep(o MapOptions) (*sweep.Sweep, error) {
	o.fill()
	return sweep.Parse("map.yaml", []byte(o.mapSweep()), 0)
}

// RunMap makes the runs of a map that are not there yet in dir, and writes its page there.
func RunMap(ctx context.Context, dir string, o MapOptions) (*Map, error) {
	o.fill()
	s, err := MapSweep(o)
	if err != nil {
		return nil, err
	}
	where := filepath.Join(dir, s.Name)
	if err := s.Execute(ctx, where, o.Sweep); err != nil {
		return nil, err
	}
	ts, err := readTrials(s, where)
	if err != nil {
		return nil, err
	}
	m := &Map{Beta1: o.Beta1, Beta2: o.Beta2, LR: o.LR}
	for _, b1 := range o.Beta1 {
		for _, b2 := range o.Beta2 {
			for _, lr := range o.LR {
				m.Points = append(m.Points, pointOf(ts, b1, b2, lr))
			}
		}
	}
	doc := m.document()
	doc.Commands = []string{fmt.Sprintf("shadowflow map --out %s --scale %s --beta1 %s --beta2 %s --lr %s --seeds %d --eps %g", dir, o.Scale,
		strings.Trim(yamlList(o.Beta1), "[]"), strings.Trim(yamlList(o.Beta2), "[]"), strings.Trim(yamlList(o.LR), "[]"), o.Seeds, o.Eps)}
	for i, c := range doc.Commands {
		doc.Commands[i] = strings.ReplaceAll(c, ", ", ",")
	}
	doc.Sources = []report.Source{{Name: "map/sweep.yaml", Text: string(s.Source)}}
	m.Page, err = doc.Write(dir)
	return m, err
}

// regimes from harmless to bad.
var regimes = []diagnose.Regime{diagnose.Monotone, diagnose.Oscillating, diagnose.Spiking, diagnose.Diverged}

func pointOf(ts trials, beta1, beta2, lr float64) Point {
	p := Point{Beta1: beta1, Beta2: beta2, LR: lr, Regime: diagnose.Monotone}
	var shares [3][]float64
	var defects [2][]float64
	for _, t := range ts {
		if t.number("optimizer.beta1") != beta1 || t.number("optimizer.beta2") != beta2 || t.number("optimizer.lr") != lr {
			continue
		}
		if r := regimeOf(t); slices.Index(regimes, r) > slices.Index(regimes, p.Regime) {
			p.Regime = r
		}
		for i := range stages {
			shares[i] = append(shares[i], inStage(t, "hindered_weight", i)...)
		}
		for r := range defects {
			defects[r] = append(defects[r], inStage(t, fmt.Sprintf("defect_%d", r+1), 0)...)
		}
	}
	for i := range shares {
		p.Hindered[i] = math.NaN()
		if len(shares[i]) > 0 {
			p.Hindered[i] = stat.Mean(shares[i], nil)
		}
	}
	for r, d := range defects {
		p.Defects[r] = math.NaN()
		if len(d) > 0 {
			slices.Sort(d)
			p.Defects[r] = stat.Quantile(0.5, stat.Empirical, d, nil)
		}
	}
	return p
}

// regimeOf is that of the result; a run that failed counts as diverged.
func regimeOf(t *trial) diagnose.Regime {
	if t.Result == nil || t.Result.Status == experiment.Diverged {
		return diagnose.Diverged
	}
	return t.Result.Regime
}

// inStage returns what was measured in a stage of training. The first record is left out: the memory is empty there.
func inStage(t *trial, column string, stage int) []float64 {
	losses := t.losses()
	var out []float64
	for i, v := range t.column(column) {
		if i == 0 || math.IsNaN(v) || !(losses[0] > 0) {
			continue
		}
		if f := losses[i] / losses[0]; f >= stages[stage].low && f < stages[stage].high {
			out = append(out, v)
		}
	}
	return out
}

// at returns the point of a combination.
func (m *Map) at(i, j, k int) Point { return m.Points[(i*len(m.Beta2)+j)*len(m.LR)+k] }

// stableLimit returns the largest lr up to which all are stable, that is neither spiking nor diverged; 0 if none is.
func (m *Map) stableLimit(i, j int) float64 {
	limit := 0.0
	for k, lr := range m.LR {
		if r := m.at(i, j, k).Regime; r == diagnose.Spiking || r == diagnose.Diverged {
			break
		}
		limit = lr
	}
	return limit
}

// lawLimit returns the largest lr up to which the one-step defects of order 2 follow their law.
func (m *Map) lawLimit(i, j int) float64 {
	defects := make([]float64, len(m.LR))
	for k := range m.LR {
		defects[k] = m.at(i, j, k).Defects[1]
	}
	return LawLimit(m.LR, defects, 2)
}

// closerLimit returns the largest lr up to which the equation of order 2 predicts steps better than that of order 1.
func (m *Map) closerLimit(i, j int) float64 {
	limit := 0.0
	for k, lr := range m.LR {
		if d := m.at(i, j, k).Defects; !(d[1] < d[0]) {
			break
		}
		limit = lr
	}
	return limit
}

// Sentence says what the map found for a pair of betas on its grid.
func (m *Map) Sentence(beta1, beta2 float64) (string, error) {
	i, j := slices.Index(m.Beta1, beta1), slices.Index(m.Beta2, beta2)
	if i < 0 || j < 0 {
		return "", fmt.Errorf("betas %g, %g are not on the map: beta1 is one of %v, beta2 one of %v", beta1, beta2, m.Beta1, m.Beta2)
	}
	stable := fmt.Sprintf("in the stable regime up to lr = %g", m.stableLimit(i, j))
	switch m.stableLimit(i, j) {
	case 0:
		stable = fmt.Sprintf("not stable even at lr = %g", m.LR[0])
	case m.LR[len(m.LR)-1]:
		stable += ", the largest that was tried"
	default:
		k := slices.Index(m.LR, m.stableLimit(i, j)) + 1
		stable += fmt.Sprintf(", %s at %g", m.at(i, j, k).Regime, m.LR[k])
	}
	closer := fmt.Sprintf("the modified equation of order 2 predicts its steps better than that of order 1 up to lr = %g", m.closerLimit(i, j))
	if m.closerLimit(i, j) == 0 {
		closer = "the modified equation of order 2 predicts its steps no better than that of order 1 at any lr"
	}
	law := fmt.Sprintf("and its defect keeps the law lr^3 up to lr = %g", m.lawLimit(i, j))
	if m.lawLimit(i, j) == 0 {
		law = fmt.Sprintf("and its defect has left the law lr^3 even at lr = %g", m.LR[min(1, len(m.LR)-1)])
	}
	return fmt.Sprintf("beta1 = %g, beta2 = %g: %s; %s, %s.", beta1, beta2, stable, closer, law), nil
}

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
