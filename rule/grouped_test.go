package rule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

// someWeights are two layers with biases, in an order in which no group's weights are neighbours.
var someWeights = []graph.Block{
	{Name: "0.weight", Shape: []int{3, 2}}, {Name: "0.bias", Shape: []int{2}, Offset: 6},
	{Name: "2.weight", Shape: []int{2, 4}, Offset: 8}, {Name: "2.bias", Shape: []int{4}, Offset: 16},
}

func mustConfig(t testing.TB, name string, values map[string]any) Config {
	t.Helper()
	c, err := New(name, values)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mixed is Muon inside, AdamW at the ends, and SGD for biases.
func mixed(t *testing.T) (Config, [][]string) {
	c := mustConfig(t, "muon", map[string]any{"lr": 0.02, "momentum": 0.8})
	c.Groups = []Group{
		{Match: []string{"*.bias"}, Scale: 0.5, Config: mustConfig(t, "sgd", map[string]any{"momentum": 0.7})},
		{Match: []string{"0.*"}, Dims: []int{2}, Scale: 2, Config: mustConfig(t, "adamw", map[string]any{"beta1": 0.8})},
	}
	return c, [][]string{{"2.weight"}, {"0.bias", "2.bias"}, {"0.weight"}}
}

func TestAGroupTakesTheStepsOfItsOwnOptimizer(t *testing.T) {
	plain, names := mixed(t)
	d, err := ParseDefinition("sided", []byte("optimizer: {name: sided, lr: 1, let: {beta: 0.9}, state: {l: 'ema(matmul(g, transpose(g)), beta)', steps: 'steps + 1', "+
		"m: 'ema(g, 0.5)'}, update: 'if(matrix(g) > 0, matmul(l, g), m) / (1 + steps)'}"))
	if err != nil {
		t.Fatal(err)
	}
	sided := func(beta float64) Config {
		c, err := d.New(map[string]any{"beta": beta})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	shaped := sided(0.9) // whose state has shapes of its own, and numbers
	shaped.Groups = []Group{{Match: []string{"*.bias"}, Scale: 0.5, Config: mustConfig(t, "adamw", nil)}, {Match: []string{"0.*"}, Scale: 2, Config: sided(0.5)}}
	numbers := mustConfig(t, "adafactor", nil)
	numbers.Groups = []Group{
		{Match: []string{"*.bias"}, Scale: 0.5, Config: mustConfig(t, "nadam", map[string]any{"momentum_decay": 0.1})},
		{Match: []string{"0.*"}, Scale: 2, Config: mustConfig(t, "nadam", map[string]any{"momentum_decay": 0.5})},
	}
	for name, c := range map[string]Config{"plain": plain, "shaped": shaped, "numbers": numbers} {
		t.Run(name, func(t *testing.T) { compareWithAlone(t, c, names) })
	}
}

// compareWithAlone takes steps of groups together, and of each alone.
func compareWithAlone(t *testing.T, c Config, names [][]string) {
	r, err := c.RuleOf(someWeights)
	if err != nil {
		t.Fatal(err)
	}
	theta, g := randomVectors(20, 1)[0], randomVectors(20, 30)
	whole := mustStepper[float64](t, r, someWeights)
	start := slices.Clone(theta)
	for _, g := range g {
		if err := whole.Step(0.1, theta, g); err != nil {
			t.Fatal(err)
		}
	}
	alone, scales := []Config{c, c.Groups[0].Config, c.Groups[1].Config}, []float64{1, c.Groups[0].Scale, c.Groups[1].Scale}
	alone[0].Groups = nil
	for i, own := range names {
		weights := slices.DeleteFunc(slices.Clone(someWeights), func(b graph.Block) bool { return !slices.Contains(own, b.Name) })
		cut := func(v []float64) (out []float64) {
			for _, b := range weights {
				out = append(out, v[b.Offset:b.Offset+b.Size()]...)
			}
			return out
		}
		r, err := alone[i].RuleOf(moved(weights))
		if err != nil {
			t.Fatal(err)
		}
		s, part := mustStepper[float64](t, r, moved(weights)), cut(start)
		for _, g := range g {
			if err := s.Step(0.1*scales[i], part, cut(g)); err != nil {
				t.Fatal(err)
			}
		}
		if got := cut(theta); !allNear(got, part, 1e-14) {
			t.Errorf("%v: %v, alone %v", own, got, part)
		}
		ownArray := func(a array, all [][]float64) []float64 {
			if a.like {
				return cut(all[a.place])
			}
			return all[a.place][a.from:a.to]
		}
		for j, a := range whole.rule.grouped.parts[i].arrays {
			if got := ownArray(a, whole.State()); !allNear(got, s.State()[j], 1e-14) {
				t.Errorf("%s of %v: %v, alone %v", r.State[j], own, got, s.State()[j])
			}
		}
		together := ratesOf(t, whole.rule, 0.1, theta, g[0], whole.State())
		for what, alone := range ratesOf(t, r, 0.1*scales[i], part, cut(g[0]), s.State()) {
			if got := cut(together[what][0]); !allNear(got, alone[0], 1e-10) {
				t.Errorf("%s of %v: %v, alone %v", what, own, got, alone[0])
			}
			for j, a := range whole.rule.grouped.parts[i].arrays {
				if got := ownArray(a, together[what][1:]); !allNear(got, alone[1+j], 1e-10) {
					t.Errorf("%s, %s of %v: %v, alone %v", what, r.State[j], own, got, alone[1+j])
				}
			}
		}
	}
}

// ratesOf evaluates the rates of theta and the state in the family of all sizes, in its equation of second order, and in the lift.
func ratesOf(t *testing.T, r *Rule, lr float64, theta, g []float64, state [][]float64) map[string][][]float64 {
	t.Helper()
	dtheta, dstate := velocityAt(t, r, lr, 0.5, 30, theta, g, state)
	out := map[string][][]float64{"velocity": append([][]float64{dtheta}, dstate...)}
	b := graph.NewBuilder()
	c := Call{Theta: b.Param("theta", graph.Float64, len(theta)), G: b.Param("g", graph.Float64, len(g))}
	in, values := []graph.Value{c.Theta, c.G}, []engine.Buffer{engine.Of(theta), engine.Of(g)}
	for i, s := range state {
		c.State = append(c.State, b.Param(r.State[i], graph.Float64, len(s)))
		in, values = append(in, c.State[i]), append(values, engine.Of(s))
	}
	c.LR = c.Theta.Like(lr)
	age := c.Theta.Like(30)
	moves, rates, err := r.Centered(c, c.State, age)
	if err != nil {
		t.Fatal(err)
	}
	down := c
	down.Theta, down.G = c.Theta.Mul(c.Theta.Like(0.9)), c.G.Mul(c.G.Like(-0.5))
	dmean, dflip, err := r.CenteredLift(c, down, c.State, age)
	if err != nil {
		t.Fatal(err)
	}
	for what, made := range map[string][]graph.Value{"centered": append([]graph.Value{moves}, rates...), "mean of the lift": dmean, "flip of the lift": dflip} {
		p, err := engine.Compile(in, made, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		var buffers []engine.Buffer
		for _, n := range r.Lengths(len(theta)) {
			v := make([]float64, n)
			out[what], buffers = append(out[what], v), append(buffers, engine.Of(v))
		}
		if err := p.Run(values, buffers); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func randomVectors(dim, n int) [][]float64 {
	rnd, out := rand.New(rand.NewPCG(3, 5)), make([][]float64, n)
	for i := range out {
		for range dim {
			out[i] = append(out[i], rnd.NormFloat64())
		}
	}
	return out
}

func allNear(a, b []float64, tol float64) bool {
	for i := range a {
		if !(math.Abs(a[i]-b[i]) <= tol*(1+math.Abs(b[i]))) {
			return false
		}
	}
	return len(a) == len(b)
}

// Arrays with a shape of their own are there for the weights that have them, and a number for each group.
func TestStateOfItsOwnShapeIsOfTheGroupsAlone(t *testing.T) {
	c, err := New("nadam", map[string]any{"momentum_decay": 0.1})
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDefinition("sided", []byte("optimizer: {name: sided, lr: 1, state: {l: 'ema(matmul(g, transpose(g)), 0.9)'}, update: 'matmul(l, g)'}"))
	if err != nil {
		t.Fatal(err)
	}
	sided, err := d.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Groups = []Group{
		{Match: []string{"2.weight"}, Scale: 1, Config: sided}, {Match: []string{"2.bias"}, Scale: 1, Config: mustConfig(t, "nadam", map[string]any{"momentum_decay": 0.2})},
		{Match: []string{"0.weight"}, Scale: 1, Config: sided},
	}
	r, err := c.RuleOf(someWeights)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"m []", "v []", "product [{ [] 0}]", "l [{2.weight [2 2] 0} {0.weight [3 3] 4}]", "product_2 [{ [] 0}]"}
	var got []string
	for i, name := range r.State {
		got = append(got, fmt.Sprint(name, " ", r.PartsOf(i)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if of := r.StateOf("2.bias"); fmt.Sprint(of) != "[{nadam m 0} {nadam v 1} {nadam product 4}]" {
		t.Errorf("2.bias has %v", of)
	}
}

func TestAWeightWhoseOptimizerHasNoSuchStateHasZeros(t *testing.T) {
	c, _ := mixed(t)
	r, err := c.RuleOf(someWeights)
	if err != nil {
		t.Fatal(err)
	}
	s, theta := mustStepper[float64](t, r, someWeights), make([]float64, 20)
	if err := s.Step(0.1, theta, randomVectors(20, 1)[0]); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.State); got != "[buf m v]" {
		t.Errorf("state %s", got)
	}
	for j, v := range s.State()[slices.Index(r.State, "v")] {
		isBias := j >= 6 && j < 8 || j >= 16
		if (v == 0) != isBias {
			t.Errorf("v[%d] = %g", j, v)
		}
	}
}

func TestGroupsThatDifferInDecayAloneShareTheirMoments(t *testing.T) {
	c := mustConfig(t, "adamw", nil)
	c.Groups = []Group{{Dims: []int{1}, Scale: 3, Config: mustConfig(t, "adamw", map[string]any{"weight_decay": 0.0})}}
	r, err := c.RuleOf(someWeights)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.MemoryForm()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Moments) != 2 || !m.Steady() {
		t.Errorf("moments %v", m.Moments)
	}
	var got []string
	for _, p := range r.Parts() {
		got = append(got, fmt.Sprintf("%d %s: %d, %d", p.Group, p.Title, len(p.Weights), p.Parameters))
	}
	if want := []string{"0 all other weights: 2, 14", "1 dims 1: 2, 6"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAGroupWithoutTheMemoryFormIsNamed(t *testing.T) {
	c := mustConfig(t, "adamw", nil)
	c.Groups = []Group{{Match: []string{"0.*"}, Scale: 1, Config: mustConfig(t, "amsgrad", nil)}}
	r, err := c.RuleOf(someWeights)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.MemoryForm(); err == nil || !strings.Contains(err.Error(), "amsgrad (0.*): ") {
		t.Errorf("got %v", err)
	}
	if _, err := r.Settled(); err != nil {
		t.Error(err)
	}
}

func TestAPatternsStarStandsForAnyCharacters(t *testing.T) {
	w := graph.Block{Name: "model/layers.0/kernel", Shape: []int{2}}
	for pattern, want := range map[string]bool{"*": true, "*kernel": true, "model*0/kernel": true, "model?layers.0[/]kernel": true, "*/bias": false, "model/*/*/*": false} {
		if got := (Group{Match: []string{pattern}}).holds(w); got != want {
			t.Errorf("%s holds %s: %v", pattern, w.Name, got)
		}
	}
}

func TestMistakesInGroupsAreNamed(t *testing.T) {
	for _, tc := range []struct {
		name   string
		groups []Group
		wants  []string
	}{
		{"nothing is held", []Group{{Match: []string{"*.bais"}}}, []string{"group 1: match: *.bais holds no weight; the weights are 0.weight [3 2], 0.bias [2]"}},
		{"dims of none", []Group{{Dims: []int{4}}}, []string{"group 1: dims: dims 4 holds no weight;"}},
		{"what is left", []Group{{Match: []string{"*.bias"}}, {Match: []string{"0.bias"}}},
			[]string{"group 2: match: 0.bias holds no weight that is left", "group 1, *.bias", "2.bias [4]"}},
		{"a bad pattern", []Group{{Match: []string{"a["}}}, []string{`group 1: match: "a[" is no pattern; want a name, in which *`}},
		{"neither", []Group{{}}, []string{"group 1: match: missing; want patterns"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := mustConfig(t, "gd", nil)
			for _, g := range tc.groups {
				g.Scale, g.Config = 1, mustConfig(t, "gd", nil)
				c.Groups = append(c.Groups, g)
			}
			_, err := c.RuleOf(someWeights)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v lacks %q", err, want)
				}
			}
		})
	}
	c, _ := mixed(t)
	if _, err := c.Rule(); err == nil || !strings.Contains(err.Error(), "optimizer.groups: ") {
		t.Errorf("without weights: %v", err)
	}
}
