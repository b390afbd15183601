package reproduce

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
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
	Style    report.Style
}

// A Map is what was found over beta1, beta2, lr, eps and the size of a batch.
type Map struct {
	Beta1, Beta2, LR, Eps []float64
	Batch                 []int
	// Optimizer is the one that was mapped, with the preset that its other keys are of, and Root where its eps stands: "inside the root", "outside the
	// root", or empty where it has no choice.
	Optimizer, Root string
	alone           string // the batch of a step, where all runs have that of their config
	// Points are in the order of batch, then eps, beta1, beta2 and lr.
	Points  []Point
	forgets bool            // the optimizer has no memory, and no realized bias
	lacks   map[string]bool // hyperparameters that the optimizer has not, and that are 0 here
	Page    string
	// Runs is how many were made, Failed how many of these have not ended.
	Runs, Failed int
}

// A Slice of a map is one eps and one size of a batch.
type Slice struct {
	Eps   float64
	Batch int
	root  string // where eps stands
	alone string // the batch of a step where the map has no other; empty where Batch says it
	from  int    // its first point
}

func (s Slice) String() string { return fmt.Sprintf("eps %s, %s", s.eps(), s.batch()) }

func (s Slice) eps() string {
	if s.root == "" {
		return fmt.Sprintf("%g", s.Eps)
	}
	return fmt.Sprintf("%g %s", s.Eps, s.root)
}

func (s Slice) batch() string {
	switch {
	case s.alone != "":
		return s.alone
	case s.Batch == 0:
		return "full batch"
	}
	return fmt.Sprintf("batches of %d", s.Batch)
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
	// Up counts the steps of the early and the middle stage at which the realized bias pushed the norm up, of those Compared.
	Up, Compared int
	// Better is the share of measured steps that bear out the equation of order 2 without memory: run.BornOut.
	Better float64
	// State is the median one-step defect of the state equation of order 2, over the step's length; +Inf where most steps cannot be followed.
	State float64
	// Follows is the share of measured steps that it predicts to a twentieth; a step that it cannot be followed through counts as one that it does not.
	Follows float64
	// Defects are the median one-step defects of the equations of orders 1 and 2 without memory, in the early stage.
	Defects [2]float64
}

// nearlyAll is the share of steps that the state equation of order 2 predicts to run.StateHolds where it is said to hold.
const nearlyAll = 0.9

// stages of training, by the training loss beside the first.
var stages = []struct {
	name      string
	low, high float64 // of the first loss
}{
	{"early: loss above 1/2 of the first", 0.5, math.Inf(1)},
	{"middle: 1/2 to 1/20", 0.05, 0.5},
	{"late: below 1/20", 0, 0.05},
}

// late is the last of them, in which little is left of the gradient.
const late = 2

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

// oneBatch reports whether the runs have the batches that their settings say, so that the map does not go over sizes.
func (o *MapOptions) oneBatch() bool { return len(o.Batch) == 1 && o.Batch[0] == 0 }

// checkBatch refuses sizes where batches are not of the data that this program cuts into them.
func (o *MapOptions) checkBatch() error {
	if o.onNetwork() || o.oneBatch() {
		return nil
	}
	return schema.Setting{}.ValueError("batch.size", "%s: only a network's batches have a size to choose: want 0, the batches that batch.mode says", join(o.Batch))
}

func join(sizes []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(sizes), " ", ","), "[]")
}

// has reports whether a key has a meaning with the settings.
func (o *MapOptions) has(key string) bool {
	c, err := config.Resolve(nil, o.Settings...)
	return err != nil || c.Get(key) != nil
}

// MapSweep returns the sweep that a map makes.
func MapSweep(o MapOptions) (*sweep.Sweep, error) {
	o.fill()
	if err := o.checkBatch(); err != nil {
		return nil, err
	}
	return sweep.New(o.spec("map"), 0)
}

// spec describes the map's runs.
func (o *MapOptions) spec(name string) sweep.Spec {
	s := o.Scale
	base := settings{
		set("steps", pick(s, 400, 3000, 20_000)), set("dtype", "float64"), set("stop.loss", 0.005),
		set("record.bias", pick(s, 5, 20, 50)), set("record.state", pick(s, 5, 20, 50)), set("record.sharpness", 0),
	}
	if o.has("optimizer.eps_inside") {
		base = append(base, set("optimizer.eps_inside", false))
	}
	if o.onNetwork() {
		base = append(append(problem(s), base...), set("record.test", 0))
	}
	spec := sweep.Spec{
		Name:      name,
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
		if o.oneBatch() {
			break
		}
		mode := settings{set("batch.mode", "full")}
		if b > 0 {
			mode = settings{set("batch.mode", "shuffled"), set("batch.size", b)}
		}
		spec.List = append(spec.List, mode)
	}
	return spec
}

// command returns the command line that makes the map.
func (o *MapOptions) command(dir string) string {
	list := func(values []float64) string { return strings.Join(labels(values), ",") }
	line := fmt.Sprintf("shadowflow map --out %s --scale %s --beta1 %s --beta2 %s --lr %s --eps %s --batch %s --seeds %d",
		dir, o.Scale, list(o.Beta1), list(o.Beta2), list(o.LR), list(o.Eps), join(o.Batch), o.Seeds)
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
	ts, err := readTrials(ctx, s, where)
	if err != nil {
		return nil, err
	}
	m := o.mapOf(ts)
	doc := m.document()
	doc.Commands = []string{o.command(dir)}
	doc.Sources = []report.Source{{Name: "map/sweep.yaml", Text: string(s.Source)}}
	doc.Style = o.Style
	m.Page, err = doc.Write(ctx, dir)
	return m, err
}

// mapOf returns what the map's runs show.
func (o *MapOptions) mapOf(ts trials) *Map {
	m := &Map{
		Beta1: o.Beta1, Beta2: o.Beta2, LR: o.LR, Eps: o.Eps, Batch: o.Batch, lacks: map[string]bool{},
		Runs: len(ts), Failed: ts.failed(),
	}
	for _, key := range []string{"beta1", "beta2", "eps"} {
		m.lacks[key] = !o.has("optimizer." + key)
	}
	first := ts[0].Run.Config
	m.Optimizer, m.Root = conventionsOf(first)
	if r, err := first.Optimizer.Rule(); err == nil {
		memory, err := r.MemoryForm()
		m.forgets = err == nil && !memory.Remembers()
	}
	if o.oneBatch() {
		m.alone = batchOf(first.Batch)
	}
	at := map[coordinates]trials{}
	for _, t := range ts {
		p := t.coordinates(m.alone != "")
		at[p] = append(at[p], t)
	}
	for _, slice := range m.slices() {
		for _, b1 := range o.Beta1 {
			for _, b2 := range o.Beta2 {
				for _, lr := range o.LR {
					p := Point{Beta1: b1, Beta2: b2, LR: lr, Slice: slice}
					m.Points = append(m.Points, pointOf(at[coordinates{b1, b2, lr, slice.Eps, slice.Batch}], p))
				}
			}
		}
	}
	return m
}

// batchOf says what a step sees of the examples.
func batchOf(b config.Batch) string {
	switch {
	case !b.Mini():
		return "full batch"
	case b.Size > 0:
		return fmt.Sprintf("%s batches of %d", b.Mode, b.Size)
	}
	return b.Mode + " batches"
}

// conventionsOf names a config's optimizer, with its preset where it has others, and says where its eps stands, which need not be where the preset has it.
func conventionsOf(c *config.Config) (optimizer, root string) {
	optimizer = c.Optimizer.Name
	if preset, ok := c.Get("optimizer.preset").(string); ok {
		but := ""
		of, err := config.New(schema.Set("optimizer.name", c.Optimizer.Name), schema.Set("optimizer.preset", preset))
		if err == nil && of.Get("optimizer.eps_inside") != c.Get("optimizer.eps_inside") {
			but = " but for where eps stands"
		}
		optimizer += " (preset " + preset + but + ")"
	}
	switch inside, ok := c.Get("optimizer.eps_inside").(bool); {
	case !ok:
	case inside:
		root = "inside the root"
	default:
		root = "outside the root"
	}
	return optimizer, root
}

// slices returns the slices in the order of their points.
func (m *Map) slices() []Slice {
	var out []Slice
	for _, b := range m.Batch {
		for _, eps := range m.Eps {
			out = append(out, Slice{eps, b, m.Root, m.alone, len(out) * len(m.Beta1) * len(m.Beta2) * len(m.LR)})
		}
	}
	return out
}

// at returns the point of a combination in a slice.
func (m *Map) at(s Slice, i, j, k int) Point {
	return m.Points[s.from+(i*len(m.Beta2)+j)*len(m.LR)+k]
}

// stable reports whether the runs were seen neither to spike nor to diverge.
func (p Point) stable() bool {
	return p.Regime == diagnose.Monotone || p.Regime == diagnose.Oscillating
}

// regimeKnown and the like report whether a point's property was measured at all.
func (p Point) regimeKnown() bool     { return p.Regime != diagnose.Unknown }
func (p Point) stateKnown() bool      { return !math.IsNaN(p.Follows) }
func (p Point) memorylessKnown() bool { return !math.IsNaN(p.Better) }

// memorylessHolds reports whether most of the steps were seen to bear out order 2 without memory.
func (p Point) memorylessHolds() bool { return p.Better > 0.5 }

// stateHolds reports whether the state equation of order 2 was seen to predict nearly all steps to a twentieth.
func (p Point) stateHolds() bool { return p.Follows >= nearlyAll }

// lawLimit returns the largest lr up to which the one-step defects of order 2 without memory follow their law.
func (m *Map) lawLimit(s Slice, i, j int) float64 {
	defects := make([]float64, len(m.LR))
	for k := range m.LR {
		defects[k] = m.at(s, i, j, k).Defects[1]
	}
	return LawLimit(m.LR, defects, 2)
}
