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
	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/report"
	"shadowflow/schema"
)

// MapOptions say what to map. The zero value of a field stands for that of the scale.
type MapOptions struct {
	Beta1, Beta2, LR, Eps []float64
	// Batch are the sizes of mini-batches, 0 for the full batch.
	Batch []int
	Seeds int
	Scale Scale
	// Settings are groups that replace those of the scale, later ones earlier ones.
	Settings [][]schema.Setting
	Sweep    sweep.Options
}

// A Map is what was found over beta1, beta2, lr, eps and the size of a batch.
type Map struct {
	Beta1, Beta2, LR, Eps []float64
	Batch                 []int
	// Points are in the order of batch, then eps, beta1, beta2 and lr.
	Points []Point
	Page   string
}

// A Slice of a map is one eps and one size of a batch.
type Slice struct {
	Eps   float64
	Batch int
	from  int // its first point
}

func (s Slice) String() string {
	if s.Batch == 0 {
		return fmt.Sprintf("eps %g, full batch", s.Eps)
	}
	return fmt.Sprintf("eps %g, batches of %d", s.Eps, s.Batch)
}

// A Point is one combination, over all its seeds. What is compared in it was measured at the same steps of the same runs: a step counts where
// everything was measured.
type Point struct {
	Beta1, Beta2, LR float64
	Slice            Slice
	// Regime is the worst that any seed showed.
	Regime diagnose.Regime
	// Drives are medians over the main drive's size, by stage of training: early, middle, late; NaN where a stage was not reached.
	Realized, Predicted, Observed [3]float64
	// Better is the share of measured steps that the equation of order 2 without memory predicts better than that of order 1.
	Better float64
	// State is the median one-step defect of the state equation of order 2, over the step's length.
	State float64
	// Defects are the median one-step defects of the equations of orders 1 and 2 without memory, in the early stage.
	Defects [2]float64
}

// stateHolds is the defect below which the state equation of order 2 is said to hold.
const stateHolds = 0.05

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
	defaults(&o.Beta2, 0.5, 0.9, 0.99, 0.999)
	defaults(&o.LR, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2)
	defaults(&o.Eps, 1e-8, 1e-4)
	for key, values := range map[string]*[]float64{"beta1": &o.Beta1, "beta2": &o.Beta2, "eps": &o.Eps} {
		if !o.has("optimizer." + key) {
			*values = []float64{0}
		}
	}
	if o.Batch == nil {
		if o.Batch = []int{0, 100}; !o.onNetwork() {
			o.Batch = []int{0}
		}
	}
	slices.Sort(o.Batch)
	if o.Seeds == 0 {
		o.Seeds = 1
	}
}

// onNetwork reports whether the settings leave the loss that of a network.
func (o *MapOptions) onNetwork() bool {
	c, err := config.Resolve(nil, o.Settings...)
	return err != nil || c.Objective.Name == config.Network
}

// has reports whether a key has a meaning with the settings.
func (o *MapOptions) has(key string) bool {
	c, err := config.Resolve(nil, o.Settings...)
	return err != nil || c.Get(key) != nil
}

// MapSweep returns the sweep that a map makes.
func MapSweep(o MapOptions) (*sweep.Sweep, error) {
	o.fill()
	s := o.Scale
	base := settings{
		set("steps", pick(s, 400, 3000, 20_000)), set("dtype", "float64"), set("stop.loss", 0.005),
		set("record.bias", pick(s, 10, 20, 50)), set("record.sharpness", pick(s, 40, 200, 1000)),
	}
	if o.has("optimizer.eps_inside") {
		base = append(base, set("optimizer.eps_inside", false))
	}
	if o.onNetwork() {
		base = append(append(problem(s), base...), set("record.test", 0))
	}
	spec := sweep.Spec{
		Name:      "map",
		Base:      base,
		Overrides: o.Settings,
		Seeds:     sweep.Seeds(o.Seeds),
	}
	axes := settings{set("optimizer.eps", o.Eps), set("optimizer.beta1", o.Beta1), set("optimizer.beta2", o.Beta2), set("optimizer.lr", o.LR)}
	for _, axis := range axes {
		if o.has(axis.Key) {
			spec.Grid = append(spec.Grid, axis)
		}
	}
	for _, b := range o.Batch {
		if len(o.Batch) == 1 && b == 0 {
			break // also for losses without examples
		}
		mode := settings{set("batch.mode", "full")}
		if b > 0 {
			mode = settings{set("batch.mode", "shuffled"), set("batch.size", b)}
		}
		spec.List = append(spec.List, mode)
	}
	return sweep.New(spec, 0)
}

// command returns the command line that makes the map.
func (o *MapOptions) command(dir string) string {
	list := func(values []float64) string { return strings.Join(labels(values), ",") }
	line := fmt.Sprintf("shadowflow map --out %s --scale %s --beta1 %s --beta2 %s --lr %s --eps %s --batch %s --seeds %d",
		dir, o.Scale, list(o.Beta1), list(o.Beta2), list(o.LR), list(o.Eps), strings.Trim(strings.ReplaceAll(fmt.Sprint(o.Batch), " ", ","), "[]"), o.Seeds)
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
	m := &Map{Beta1: o.Beta1, Beta2: o.Beta2, LR: o.LR, Eps: o.Eps, Batch: o.Batch}
	for _, slice := range m.slices() {
		for _, b1 := range o.Beta1 {
			for _, b2 := range o.Beta2 {
				for _, lr := range o.LR {
					m.Points = append(m.Points, pointOf(ts, Point{Beta1: b1, Beta2: b2, LR: lr, Slice: slice}))
				}
			}
		}
	}
	doc := m.document()
	doc.Commands = []string{o.command(dir)}
	doc.Sources = []report.Source{{Name: "map/sweep.yaml", Text: string(s.Source)}}
	m.Page, err = doc.Write(dir)
	return m, err
}

// slices returns the slices in the order of their points.
func (m *Map) slices() []Slice {
	var out []Slice
	for _, b := range m.Batch {
		for _, eps := range m.Eps {
			out = append(out, Slice{eps, b, len(out) * len(m.Beta1) * len(m.Beta2) * len(m.LR)})
		}
	}
	return out
}

// regimes from harmless to bad.
var regimes = []diagnose.Regime{diagnose.Monotone, diagnose.Oscillating, diagnose.Spiking, diagnose.Diverged}

// pointOf fills in what the runs of a point show.
func pointOf(ts trials, p Point) Point {
	p.Regime = diagnose.Monotone
	var realized, predicted, observed [3][]float64
	var defects [2][]float64
	var state []float64
	better, measured := 0, 0
	for _, t := range ts {
		if !p.has(t) {
			continue
		}
		if r := regimeOf(t); slices.Index(regimes, r) > slices.Index(regimes, p.Regime) {
			p.Regime = r
		}
		for i := range stages {
			drives := together(t, i, "drive.main", "drive.realized", "drive.predicted", "drive.observed")
			for k, main := range drives[0] {
				size := math.Abs(main)
				realized[i] = append(realized[i], drives[1][k]/size)
				predicted[i] = append(predicted[i], drives[2][k]/size)
				observed[i] = append(observed[i], drives[3][k]/size)
			}
			d := together(t, i, "defect_1", "defect_2")
			for k, first := range d[0] {
				measured, better = measured+1, better+count(d[1][k] < first)
			}
			if i == 0 {
				defects[0], defects[1] = append(defects[0], d[0]...), append(defects[1], d[1]...)
			}
			state = append(state, together(t, i, "monitor.state_defect")[0]...)
		}
	}
	for i := range stages {
		p.Realized[i], p.Predicted[i], p.Observed[i] = median(realized[i]), median(predicted[i]), median(observed[i])
	}
	p.Defects = [2]float64{median(defects[0]), median(defects[1])}
	p.State, p.Better = median(state), math.NaN()
	if measured > 0 {
		p.Better = float64(better) / float64(measured)
	}
	return p
}

// has reports whether a run is of the point.
func (p Point) has(t *trial) bool {
	batch, _ := t.Run.Config.Get("batch.size").(int)
	is := func(key string, want float64) bool {
		v := t.number("optimizer." + key)
		return v == want || math.IsNaN(v) // what the optimizer does not have is 0 on the map
	}
	return is("beta1", p.Beta1) && is("beta2", p.Beta2) && is("lr", p.LR) && is("eps", p.Slice.Eps) && batch == p.Slice.Batch
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return stat.Quantile(0.5, stat.Empirical, values, nil)
}

// regimeOf is that of the result; a run that failed counts as diverged.
func regimeOf(t *trial) diagnose.Regime {
	if t.Result == nil || t.Result.Status == run.Diverged {
		return diagnose.Diverged
	}
	if t.column("full_loss") == nil {
		return t.Result.Regime
	}
	return diagnose.Classify(measured(t.losses()), measured(t.norms())) // mini-batches' own losses jump whatever the step does
}

// measured leaves out what was not.
func measured(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), math.IsNaN)
}

// together returns what was measured of some columns in a stage of training, at the steps at which all of them were. The first record is left
// out: the memory is empty there.
func together(t *trial, stage int, names ...string) [][]float64 {
	losses := t.losses()
	columns, out := make([][]float64, len(names)), make([][]float64, len(names))
	for c, name := range names {
		if columns[c] = t.column(name); columns[c] == nil {
			return out
		}
	}
	for i := 1; i < len(losses); i++ {
		f := losses[i] / losses[0]
		if !(f >= stages[stage].low && f < stages[stage].high) || slices.ContainsFunc(columns, func(v []float64) bool { return math.IsNaN(v[i]) }) {
			continue
		}
		for c := range columns {
			out[c] = append(out[c], columns[c][i])
		}
	}
	return out
}

// at returns the point of a combination in a slice.
func (m *Map) at(s Slice, i, j, k int) Point {
	return m.Points[s.from+(i*len(m.Beta2)+j)*len(m.LR)+k]
}

// reaches returns the largest lr up to which all points hold, from the smallest on; 0 if none does.
func (m *Map) reaches(s Slice, i, j int, holds func(Point) bool) float64 {
	limit := 0.0
	for k, lr := range m.LR {
		if !holds(m.at(s, i, j, k)) {
			break
		}
		limit = lr
	}
	return limit
}

func (p Point) stable() bool { return p.Regime != diagnose.Spiking && p.Regime != diagnose.Diverged }

// memorylessHolds reports whether order 2 without memory predicts most of the steps better than order 1.
func (p Point) memorylessHolds() bool { return p.Better > 0.5 }

// stateHolds reports whether the state equation of order 2 predicts steps to a twentieth.
func (p Point) stateHolds() bool { return p.State < stateHolds }

// lawLimit returns the largest lr up to which the one-step defects of order 2 without memory follow their law.
func (m *Map) lawLimit(s Slice, i, j int) float64 {
	defects := make([]float64, len(m.LR))
	for k := range m.LR {
		defects[k] = m.at(s, i, j, k).Defects[1]
	}
	return LawLimit(m.LR, defects, 2)
}

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
	reach := func(holds func(Point) bool, up, none string) string {
		switch limit := m.reaches(s, i, j, holds); limit {
		case 0:
			return none
		case m.LR[len(m.LR)-1]:
			return fmt.Sprintf("%s up to lr %g, the largest that was tried", up, limit)
		default:
			return fmt.Sprintf("%s up to lr %g", up, limit)
		}
	}
	stable := reach(Point.stable, "the runs are stable", fmt.Sprintf("not stable even at lr %g", m.LR[0]))
	if limit := m.reaches(s, i, j, Point.stable); limit > 0 && limit < m.LR[len(m.LR)-1] {
		k := slices.Index(m.LR, limit) + 1
		stable += fmt.Sprintf(", %s at %g", m.at(s, i, j, k).Regime, m.LR[k])
	}
	state := reach(Point.stateHolds, fmt.Sprintf("the state equation of order 2 predicts a step to %g%%", 100*stateHolds), fmt.Sprintf("the state equation of order 2 predicts no step to %g%%", 100*stateHolds))
	if !m.anyOf(s, i, j, func(p Point) bool { return !math.IsNaN(p.State) }) {
		state = "what the state equation misses was not measured"
	}
	memoryless := reach(Point.memorylessHolds, "the equation of order 2 without memory predicts most steps better than that of order 1", "the equation of order 2 without memory predicts most steps no better than that of order 1 at any lr that was tried")
	return fmt.Sprintf("beta1 = %g, beta2 = %g, %v, %s: %s; %s; %s; %s.", m.Beta1[i], m.Beta2[j], s, m.tried(), stable, m.biasText(s, i, j), state, memoryless)
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
