package reproduce

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"shadowflow/diagnose"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/report"
	"shadowflow/schema"
)

// MapOptions say what to map. The zero value of a field stands for that of the scale.
type MapOptions struct {
	Beta1, Beta2, LR []float64
	Seeds            int
	Scale            Scale
	// Settings are groups that replace those of the scale, later ones earlier ones.
	Settings [][]schema.Setting
	Sweep    sweep.Options
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
}

// MapSweep returns the sweep that a map makes.
func MapSweep(o MapOptions) (*sweep.Sweep, error) {
	o.fill()
	s := o.Scale
	return sweep.New(sweep.Spec{
		Name: "map",
		Base: append(problem(s), set("steps", pick(s, 400, 3000, 20_000)), set("dtype", pick(s, "float64", "float32", "float32")),
			set("stop.loss", 0.005), set("record.bias", 4), set("record.sharpness", 0), set("record.test", 0)),
		Overrides: o.Settings,
		Grid:      settings{set("optimizer.beta1", o.Beta1), set("optimizer.beta2", o.Beta2), set("optimizer.lr", o.LR)},
		Seeds:     sweep.Seeds(o.Seeds),
	}, 0)
}

// command returns the command line that makes the map.
func (o *MapOptions) command(dir string) string {
	list := func(values []float64) string { return strings.Join(labels(values), ",") }
	line := fmt.Sprintf("shadowflow map --out %s --scale %s --beta1 %s --beta2 %s --lr %s --seeds %d",
		dir, o.Scale, list(o.Beta1), list(o.Beta2), list(o.LR), o.Seeds)
	for _, s := range slices.Concat(o.Settings...) {
		line += fmt.Sprintf(" --set '%s'", strings.ReplaceAll(s.String(), "'", `'\''`))
	}
	return line
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
	doc.Commands = []string{o.command(dir)}
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
	if t.Result == nil || t.Result.Status == run.Diverged {
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

// Sentences says what the map found for the pair of betas at, or for every pair if at is nil.
func (m *Map) Sentences(at []float64) ([]string, error) {
	if at != nil {
		one, err := m.Sentence(at[0], at[1])
		return []string{one}, err
	}
	var out []string
	for _, beta1 := range m.Beta1 {
		for _, beta2 := range m.Beta2 {
			one, err := m.Sentence(beta1, beta2)
			if err != nil {
				return nil, err
			}
			out = append(out, one)
		}
	}
	return out, nil
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
