package reproduce

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
	"shadowflow/schema"
)

func TestAMapTellsRegimesAndLimits(t *testing.T) {
	loss := func(c *config.Config, n int) float64 {
		x := decaying(c, n)
		if c.Optimizer.LR > 5e-3 && c.Optimizer.Value("beta2") > 0.95 && n == 12 {
			x *= 10 // a spike
		}
		return x
	}
	norm := func(_ *config.Config, n int) float64 { return math.Exp(-float64(n) / 5) }
	m, err := RunMap(t.Context(), t.TempDir(), MapOptions{
		Beta1: []float64{0.9, 0.5}, Beta2: []float64{0.9, 0.99}, LR: []float64{1e-3, 1e-2, 3e-3}, Eps: []float64{1e-4, 1e-8}, Batch: []int{100, 0},
		Seeds: 2, Sweep: recording(loss, norm),
	})
	if err != nil {
		t.Fatal(err)
	}
	spiky, err := m.Sentences([]float64{0.9, 0.99})
	if err != nil {
		t.Fatal(err)
	}
	if want := "adam (preset paper but for where eps stands), beta1 = 0.9, beta2 = 0.99, eps = 1e-08 outside the root, full batch, lr 0.001, 0.003 and 0.01: the runs are stable up to lr 0.003 of those tried, spiking at 0.01; " +
		"the realized bias of stable runs, before their late stage, pushed the norm up, by 25% of the main drive in the median of a stage, and up at 32 of 32 steps; the state equation of order 2 predicts nearly all steps to 5% up to lr 0.003 of those tried; " +
		"most steps bear out the equation of order 2 without memory (by a tenth closer than order 1, and not against the realized bias) up to lr 0.003 of those tried."; len(spiky) != 4 || spiky[0] != want {
		t.Errorf("%d sentences, the first %q, want %q", len(spiky), spiky[0], want)
	}
	if calm, _ := m.Sentences([]float64{0.5, 0.9}); !strings.Contains(calm[3], "eps = 0.0001 outside the root, batches of 100, lr 0.001, 0.003 and 0.01: the runs are stable up to lr 0.01, the largest that was tried") {
		t.Errorf("%q", calm[3])
	}
	if _, err := m.Sentences([]float64{0.3, 0.9}); err == nil {
		t.Error("a sentence for betas off the map")
	}
	p := m.at(m.slices()[2], 1, 1, 0)
	if p.Regime != diagnose.Monotone || p.Realized[0] != 0.25 || p.Predicted[0] != -4 || p.Observed[0] != -0.75 || p.Better != 1 || p.State != 0.01 || p.Follows != 1 ||
		p.Beta1 != 0.9 || p.LR != 1e-3 || p.Slice.Batch != 100 || p.Slice.Eps != 1e-8 {
		t.Errorf("%+v", p)
	}
}

// A step at which something was not measured is no step to compare at.
func TestAMapComparesWhatWasMeasuredTogether(t *testing.T) {
	c, err := config.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := recordOf(c, decaying, func(*config.Config, int) float64 { return 1 })
	place := h.Index("drive.realized")
	for n := range h.Rows {
		if n%2 == 0 {
			h.Rows[n][place] = record.Value{}
		}
	}
	t1 := &trial{sweep.Trial{History: h}}
	both := together(t1, 0, nil, "drive.main", "drive.realized")
	if all := together(t1, 0, nil, "drive.main"); len(both[0]) != len(both[1]) || len(both[0]) == 0 || len(both[0]) >= len(all[0]) {
		t.Errorf("%d and %d compared, of %d", len(both[0]), len(both[1]), len(all[0]))
	}
}

// What was not measured is neither for an equation nor against it, and nothing is said of an lr by what is at another.
func TestAMapTellsAtWhichLRSomethingHolds(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		follows, better [4]float64
		regimes         [4]diagnose.Regime // monotone where empty
		want            string
		cells           [3]string // of the figure
	}{
		"the largest lr were not measured": {[4]float64{1, 1, nan, nan}, [4]float64{0.2, 0.2, 0.2, 0.2}, [4]diagnose.Regime{},
			"gd, full batch, lr 0.1, 0.2, 0.3 and 0.4: the runs are stable up to lr 0.4, the largest that was tried; the realized bias of stable runs, before their late stage, was not measured where it can be compared; the state equation of order 2 predicts nearly all steps to 5% up to lr 0.2 of those tried; at lr 0.3 to 0.4 that was not measured; most steps bear out the equation of order 2 without memory (by a tenth closer than order 1, and not against the realized bias) at no lr that was tried.",
			[3]string{"0.4", "0.2", "0"}},
		"nothing was measured": {[4]float64{nan, nan, nan, nan}, [4]float64{nan, nan, nan, nan}, [4]diagnose.Regime{},
			"what the state equation misses was not measured; no step was evidence for the equation of order 2 without memory, or against it.", [3]string{"0.4", "-", "-"}},
		"the smallest lr were not measured": {[4]float64{nan, nan, 1, 1}, [4]float64{nan, nan, 1, 0.42}, [4]diagnose.Regime{},
			"to 5% at lr 0.3 to 0.4 of those tried; at lr 0.1 to 0.2 that was not measured; most steps bear out the equation of order 2 without memory (by a tenth closer than order 1, and not against the realized bias) at lr 0.3 of those tried; at lr 0.1 to 0.2 that was not measured.",
			[3]string{"0.4", "(0.4)", "(0.3)"}},
		"it holds at none where it was measured": {[4]float64{0.1, nan, 0.1, nan}, [4]float64{1, 1, 1, 1}, [4]diagnose.Regime{},
			"to 5% at no lr where that was measured; at lr 0.2 and 0.4 that was not measured; most steps bear out the equation of order 2 without memory (by a tenth closer than order 1, and not against the realized bias) up to lr 0.4, the largest that was tried.", [3]string{"0.4", "0", "0.4"}},
		"only a larger lr is stable": {[4]float64{1, 0.1, 1, 0.1}, [4]float64{0.1, 0.1, 0.1, 0.1}, [4]diagnose.Regime{diagnose.Spiking, diagnose.Spiking, "", diagnose.Diverged},
			"the runs are stable at lr 0.3 of those tried, spiking at 0.1 to 0.2, diverged at 0.4; the realized bias of stable runs, before their late stage, was not measured where it can be compared; the state equation of order 2 predicts nearly all steps to 5% at lr 0.1 and 0.3 of those tried;",
			[3]string{"(0.3)", "0.1 (0.3)", "0"}},
		"what became of some runs was not measured": {[4]float64{1, 1, 1, 1}, [4]float64{1, 1, 1, 1}, [4]diagnose.Regime{"", "", diagnose.Unknown, diagnose.Spiking},
			"the runs are stable up to lr 0.2 of those tried; at lr 0.3 that was not measured, spiking at 0.4;", [3]string{"0.2", "0.4", "0.4"}},
		"what became of the runs was not measured": {[4]float64{1, 1, 1, 1}, [4]float64{1, 1, 1, 1}, [4]diagnose.Regime{diagnose.Unknown, diagnose.Unknown, diagnose.Unknown, diagnose.Unknown},
			"0.4: whether the runs are stable was not measured; the realized", [3]string{"-", "0.4", "0.4"}},
		"none is stable": {[4]float64{1, 1, 1, 1}, [4]float64{1, 1, 1, 1}, [4]diagnose.Regime{diagnose.Spiking, diagnose.Spiking, diagnose.Spiking, diagnose.Diverged},
			"the runs are stable at no lr that was tried, spiking at 0.1 to 0.3, diverged at 0.4;", [3]string{"0", "0.4", "0.4"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &Map{Optimizer: "gd", Beta1: []float64{0}, Beta2: []float64{0}, LR: []float64{0.1, 0.2, 0.3, 0.4}, Eps: []float64{0}, Batch: []int{0}, lacks: map[string]bool{"beta1": true, "beta2": true, "eps": true}}
			for k, lr := range m.LR {
				regime := c.regimes[k]
				if regime == "" {
					regime = diagnose.Monotone
				}
				m.Points = append(m.Points, Point{LR: lr, Regime: regime, Realized: [3]float64{nan, nan, nan}, Follows: c.follows[k], Better: c.better[k]})
			}
			said, err := m.Sentences([]float64{0, 0})
			if err != nil || !strings.Contains(said[0], c.want) {
				t.Errorf("%q, %v; want %q in it", said, err, c.want)
			}
			for n, r := range m.reachesOf(m.slices()[0], 0, 0) {
				if _, text := r.cell(); text != c.cells[n] {
					t.Errorf("panel %d of the figure has %q, want %q", n, text, c.cells[n])
				}
			}
		})
	}
}

func TestAMapTellsWhatTheRealizedBiasDidInStableRuns(t *testing.T) {
	nan := math.NaN()
	for want, c := range map[string]struct {
		realized [3][3]float64
		spiking  int // number of the lr that is, or none
	}{
		"pushed the norm up, by 2% to 25% of the main drive in the median of a stage, and up at 6 of 9 steps":                                           {[3][3]float64{{0.02, 0.25, nan}, {0.1, 0.2, -9}, {0.1, 0.1, nan}}, 3},
		"pushed the norm down, by 30% of the main drive in the median of a stage, and up at 6 of 9 steps; at lr 0.3 nothing is comparable":              {[3][3]float64{{-0.3, -0.3, nan}, {-0.3, nan, nan}, {nan, nan, nan}}, 3},
		"pushed the norm up, by 80% of the main drive in the median of a stage, and up at 4 of 6 steps; at lr 0.3 nothing is comparable":                {[3][3]float64{{0.8, 0.8, nan}, {-7, -7, nan}, {nan, nan, nan}}, 1},
		"was between 6% of the main drive, pushing the norm down, and 125%, pushing it up, in the median of a stage, and up at 6 of 9 steps":            {[3][3]float64{{-0.06, 0.2, nan}, {1.25, 0.2, nan}, {0.1, 0.1, nan}}, 3},
		"was less than 0.5% of the main drive in the median of a stage, and up at 6 of 9 steps; at lr 0.3 nothing is comparable":                        {[3][3]float64{{-1e-14, -1e-5, nan}, {0.004, nan, nan}, {nan, nan, nan}}, 3},
		"pushed the norm down, by 0% to 30% of the main drive in the median of a stage, and up at 6 of 9 steps; at lr 0.2 to 0.3 nothing is comparable": {[3][3]float64{{-0.3, 1e-14, nan}, {nan, nan, nan}, {nan, nan, nan}}, 3},
	} {
		t.Run(want, func(t *testing.T) {
			m := &Map{Beta1: []float64{0}, Beta2: []float64{0}, LR: []float64{0.1, 0.2, 0.3}, Eps: []float64{0}, Batch: []int{0}}
			for k := range m.LR {
				p := Point{Regime: diagnose.Monotone, Realized: c.realized[k], Up: 2, Compared: 3}
				if k == c.spiking {
					p.Regime = diagnose.Spiking
				}
				m.Points = append(m.Points, p)
			}
			if got := m.biasText(m.slices()[0], 0, 0); got != "the realized bias of stable runs, before their late stage, "+want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestWhatIsRealizedWithoutAPredictionIsMeasured(t *testing.T) {
	one := history(t, map[string][]float64{"drive.main": {-1, -2, -2, -2}, "drive.realized": {0, 1, -0.5, 1}, "drive.observed": {-1, -1, -2.5, -1}})
	if p := pointOf(trials{one}, combination(one)); p.Realized[0] != 0.5 || p.Observed[0] != -0.5 || !math.IsNaN(p.Predicted[0]) || p.Up != 2 || p.Compared != 3 {
		t.Errorf("%+v", p)
	}
}

func TestOfAnOptimizerWithoutMemoryThereIsNoRealizedBias(t *testing.T) {
	m := &Map{forgets: true}
	if got := m.biasText(Slice{}, 0, 0); !strings.HasSuffix(got, "is none, for the optimizer remembers nothing") {
		t.Errorf("%q", got)
	}
}

func TestStepsThatTheStateEquationCannotBeFollowedThroughCount(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	one := history(t, map[string][]float64{"monitor.state_defect": {nan, 0.01, nan, inf, 0.2, 0.01}}) // not asked of, or hidden by rounding: nan
	if got := stateDefects(one); len(got) != 4 || !math.IsInf(got[1], 1) {
		t.Errorf("%v", got)
	}
	if p := pointOf(trials{one}, combination(one)); p.Follows != 0.5 || !(p.State > 0.05) {
		t.Errorf("follows %g of the steps, and misses them by %g", p.Follows, p.State)
	}
	two := history(t, map[string][]float64{"monitor.state_defect": {inf, inf, 0.01}})
	if p := pointOf(trials{two}, combination(two)); oneOf(p.State) != "not followed" {
		t.Errorf("the defect is written %q", oneOf(p.State))
	}
}

// A prediction that is better by a fraction of a percent, or by its term without memory alone, is no evidence for the equation without memory.
func TestTheEquationWithoutMemoryHoldsWhereStepsBearItOut(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		ratio, cosine []float64
		better        float64
	}{
		"clearly better, along the realized bias": {[]float64{1, 0.5, 0.5, 0.5}, []float64{0, 0.9, 0.9, 0.9}, 1},
		"worse at the first step as at any other": {[]float64{1.2, 0.5, 0.5, 1.2}, []float64{nan, 0.9, 0.9, 0.9}, 0.5},
		"hardly better": {[]float64{1, 0.996, 0.996, 0.5}, []float64{0, 0.9, 0.9, 0.9}, 1. / 3},
		"clearly better, against the realized bias": {[]float64{1, 0.6, 0.6, 1.2}, []float64{0, -0.5, -0.5, 0.9}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			one := history(t, map[string][]float64{"monitor.second_over_first": c.ratio, "bias.cosine": c.cosine, "defect_1": {1, 1, 1, 1}, "defect_2": c.ratio})
			if p := pointOf(trials{one}, combination(one)); p.Better != c.better || p.memorylessHolds() != (c.better > 0.5) {
				t.Errorf("borne out at %g of the steps, and holds: %v", p.Better, p.memorylessHolds())
			}
		})
	}
}

// Of the bias that the equation without memory predicts a map speaks only where that equation holds.
func TestAMapComparesSignsWhereThePredictionHolds(t *testing.T) {
	point := func(better float64, predicted ...float64) Point {
		p := Point{Better: better}
		copy(p.Predicted[:], predicted)
		copy(p.Realized[:], []float64{1, 1, 1})
		return p
	}
	out, in := point(0.1, 1, 1, 1), point(0.9, 1, -1, 1)
	for want, points := range map[string][]Point{
		"in 0. Nothing is said, therefore, of the bias that it predicts.":                                                 {out, out},
		"in 1. In 2 of 3 of their stages of training the bias that it predicts has the sign of the one that is realized.": {out, in},
	} {
		m := &Map{Optimizer: "adam", Beta1: []float64{0.9}, Beta2: []float64{0.99}, LR: []float64{1e-3, 1e-2}, Eps: []float64{1e-8}, Batch: []int{0}, Points: points}
		if got := m.finding(m.slices()[0]); !strings.HasSuffix(got, want) {
			t.Errorf("%q, want it to end %q", got, want)
		}
	}
}

// history is a trial of the default config with some columns, every loss being 1.
func history(t *testing.T, columns map[string][]float64) *trial {
	t.Helper()
	c, err := config.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &record.History{Columns: []record.Column{{Name: "step", Type: record.IntColumn}, {Name: "loss", Type: record.FloatColumn}}}
	for name, values := range columns {
		h.Columns = append(h.Columns, record.Column{Name: name, Type: record.FloatColumn})
		for n, v := range values {
			if n == len(h.Rows) {
				h.Rows = append(h.Rows, []record.Value{record.Int(int64(n)), record.Float(1)})
			}
			value := record.Value{}
			if !math.IsNaN(v) {
				value = record.Float(v)
			}
			h.Rows[n] = append(h.Rows[n], value)
		}
	}
	out := &trial{sweep.Trial{History: h}}
	out.Run = sweep.Run{Config: c}
	return out
}

// combination is the combination that a trial is of.
func combination(t *trial) Point {
	return Point{Beta1: t.number("optimizer.beta1"), Beta2: t.number("optimizer.beta2"), LR: t.number("optimizer.lr"), Slice: Slice{Eps: t.number("optimizer.eps")}}
}

// What a map says names whose conventions its runs had: where eps stands decides what is penalized.
func TestAMapSaysWhereEpsStands(t *testing.T) {
	norm := func(_ *config.Config, n int) float64 { return math.Exp(-float64(n) / 5) }
	for name, c := range map[string]struct {
		settings []schema.Setting
		said     string // where a sentence begins
		caption  string
	}{
		"outside, as the map has it": {nil, "adam (preset paper but for where eps stands), beta1 = 0.9, beta2 = 0.99, eps = 1e-08 outside the root, full batch, lr 0.001: ", "Optimizer adam (preset paper but for where eps stands), eps outside the root; tried were lr 0.001."},
		"inside, as is asked": {[]schema.Setting{schema.Set("optimizer.eps_inside", true), schema.Set("optimizer.preset", "pytorch")},
			"adam (preset pytorch but for where eps stands), beta1 = 0.9, beta2 = 0.99, eps = 1e-08 inside the root, full batch, lr 0.001: ", "Optimizer adam (preset pytorch but for where eps stands), eps inside the root; tried were lr 0.001."},
		"as the preset has it": {[]schema.Setting{schema.Set("optimizer.preset", "pytorch")},
			"adam (preset pytorch), beta1 = 0.9, beta2 = 0.99, eps = 1e-08 outside the root, full batch, lr 0.001: ", "Optimizer adam (preset pytorch), eps outside the root; tried were lr 0.001."},
		"without a choice": {[]schema.Setting{schema.Set("optimizer.name", "adabelief")}, "adabelief", "; tried were lr 0.001."},
		"without eps":      {[]schema.Setting{schema.Set("optimizer.name", "heavy-ball")}, "heavy-ball", "; tried were lr 0.001."},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := RunMap(t.Context(), t.TempDir(), MapOptions{
				Beta1: []float64{0.9}, Beta2: []float64{0.99}, LR: []float64{1e-3}, Eps: []float64{1e-8}, Batch: []int{0},
				Settings: [][]schema.Setting{c.settings}, Sweep: recording(decaying, norm),
			})
			if err != nil {
				t.Fatal(err)
			}
			said, err := m.Sentences(nil)
			if err != nil || len(said) != 1 || !strings.HasPrefix(said[0], c.said) || strings.Contains(said[0], "the root") != strings.Contains(c.said, "the root") {
				t.Errorf("%q, %v, want it to begin %q", said, err, c.said)
			}
			if !strings.Contains(said[0], "the runs are stable at lr 0.001, the only one that was tried") {
				t.Errorf("%q does not say that there was one lr", said[0])
			}
			doc := m.document()
			for _, f := range doc.Figures {
				l := f.Label()
				if !strings.Contains(l.Caption, c.caption) || !strings.Contains(l.Title, m.name()) {
					t.Errorf("figure %q has the caption %q, want %q in it", l.Title, l.Caption, c.caption)
				}
				if named := strings.Contains(l.Title, m.Root); l.Name != "regimes" && !named {
					t.Errorf("the title %q does not say where eps stands", l.Title)
				}
			}
			if !strings.Contains(doc.Findings[0], m.Optimizer) || !strings.Contains(doc.Findings[0], m.Root) {
				t.Errorf("the finding %q does not say what it is of", doc.Findings[0])
			}
		})
	}
}

// A worker's program may not start, a file may be missing: that is nothing that a run did.
func TestOfRunsThatFailedAMapKnowsNothing(t *testing.T) {
	fails := sweep.Options{Parallel: 1}
	fails.Run = func(context.Context, *config.Config, string) error { return errors.New("it does not start") }
	m, err := RunMap(t.Context(), t.TempDir(), MapOptions{Beta1: []float64{0.9}, Beta2: []float64{0.99}, LR: []float64{1e-3, 1e-2}, Eps: []float64{1e-8}, Batch: []int{0}, Sweep: fails})
	if err != nil {
		t.Fatal(err)
	}
	said, err := m.Sentences(nil)
	if err != nil || m.Failed != 2 || !strings.Contains(said[0], "whether the runs are stable was not measured") {
		t.Errorf("%d failed, %q, %v", m.Failed, said, err)
	}
}

func TestAMapNamesTheBatchesOfALossThatHasItsOwn(t *testing.T) {
	norm := func(_ *config.Config, n int) float64 { return math.Exp(-float64(n) / 5) }
	worker := []schema.Setting{schema.Set("objective.name", "worker"), schema.Set("objective.command", []string{"model"})}
	for name, c := range map[string]struct {
		settings []schema.Setting
		said     string
	}{
		"a worker's full batch":    {worker, ", full batch, lr 0.001: "},
		"a worker's mini-batches":  {append(slices.Clone(worker), schema.Set("batch.mode", "shuffled")), ", shuffled batches, lr 0.001: "},
		"a network's mini-batches": {[]schema.Setting{schema.Set("batch.mode", "cyclic"), schema.Set("batch.size", 50)}, ", cyclic batches of 50, lr 0.001: "},
	} {
		t.Run(name, func(t *testing.T) {
			o := MapOptions{Beta1: []float64{0.9}, Beta2: []float64{0.99}, LR: []float64{1e-3}, Eps: []float64{1e-8}, Batch: []int{0}, Settings: [][]schema.Setting{c.settings}, Sweep: recording(decaying, norm)}
			m, err := RunMap(t.Context(), t.TempDir(), o)
			if err != nil {
				t.Fatal(err)
			}
			if said, err := m.Sentences(nil); err != nil || !strings.Contains(said[0], c.said) || !strings.Contains(said[0], "the runs are stable at lr 0.001") {
				t.Errorf("%q, %v, want %q in it", said, err, c.said)
			}
		})
	}
	_, err := RunMap(t.Context(), t.TempDir(), MapOptions{Batch: []int{0, 100}, Settings: [][]schema.Setting{worker}})
	if want := "batch.size: 0,100: only a network's batches have a size to choose: want 0, the batches that batch.mode says"; err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestManyLRAreToldByTheirNumberAndEnds(t *testing.T) {
	m := &Map{LR: []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}}
	if got := m.tried(); got != "9 lr from 1 to 9" {
		t.Errorf("%q", got)
	}
}
