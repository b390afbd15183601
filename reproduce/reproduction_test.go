package reproduce

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
)

func TestEverySweepOfEveryScaleIsARightOne(t *testing.T) {
	names := map[string]bool{}
	for _, r := range All() {
		if names[r.Name] || r.Claim == "" || r.Design == "" || r.Title == "" {
			t.Errorf("%q is there twice, or lacks a title, a claim or a design", r.Name)
		}
		names[r.Name] = true
		for _, s := range Scales() {
			sweeps, err := r.Sweeps(s)
			if err != nil {
				t.Errorf("%s at scale %s: %v", r.Name, s, err)
			}
			dirs := map[string]bool{}
			for _, sw := range sweeps {
				if dirs[sw.Name] || len(sw.Runs) < 2 {
					t.Errorf("%s at scale %s: sweep %s of %d runs", r.Name, s, sw.Name, len(sw.Runs))
				}
				dirs[sw.Name] = true
			}
		}
	}
	for _, s := range Scales() {
		if _, err := MapSweep(MapOptions{Scale: s}); err != nil {
			t.Errorf("the map at scale %s: %v", s, err)
		}
	}
}

func TestThePapersScaleTrainsItsModelsOnAllOfCIFAR(t *testing.T) {
	r, err := Find("datasets")
	if err != nil {
		t.Fatal(err)
	}
	sweeps, err := r.Sweeps(Paper)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, run := range sweeps[0].Runs {
		c := run.Config
		seen[c.Model.Name+" "+c.Data.Name] = true
		if c.Data.Subset != 0 || c.Batch.Mode != "full" {
			t.Errorf("%s: a subset, or mini-batches", run)
		}
	}
	for _, want := range []string{"resnet50 cifar10", "resnet101 cifar10", "resnet50 cifar100", "vit cifar10", "cnn cifar10"} {
		if !seen[want] {
			t.Errorf("no run of %s", want)
		}
	}
}

func TestThePapersScaleCanBePlanned(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles ResNet-50")
	}
	r, err := Find("norm-vs-beta2")
	if err != nil {
		t.Fatal(err)
	}
	sweeps, err := r.Sweeps(Paper)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := sweeps[0].Plan(t.Context(), t.TempDir(), sweep.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range plan.Runs {
		if run.Bytes < 1<<30 || run.Problem != "" {
			t.Fatalf("run %d: %d bytes, %s", run.Run.Index, run.Bytes, run.Problem)
		}
	}
}

func TestAnUnknownReproductionIsRefusedWithTheNearest(t *testing.T) {
	if _, err := Find("norm-beta2"); err == nil || !strings.Contains(err.Error(), "did you mean norm-vs-beta2?") {
		t.Errorf("error %v", err)
	}
}

// decaying is a loss that falls from 2.3 exponentially.
func decaying(_ *config.Config, n int) float64 { return 2.3 * math.Exp(-float64(n)/3) }

// recording makes a run in a directory, with a given loss and norm at step n.
func recording(loss, norm func(c *config.Config, n int) float64) sweep.Options {
	opt := sweep.Options{Parallel: 1}
	opt.Run = recorder(loss, norm)
	return opt
}

func TestJudgingFindsWhatTheRunsWereMadeToShow(t *testing.T) {
	r, err := Find("norm-vs-beta2")
	if err != nil {
		t.Fatal(err)
	}
	sweeps, err := r.Sweeps(Laptop)
	if err != nil {
		t.Fatal(err)
	}
	seedly := func(c *config.Config) float64 { return 1 + 0.1*float64(c.Seed) }
	for _, c := range []struct {
		name string
		norm func(c *config.Config, n int) float64
		want Outcome
	}{
		{"rising", func(c *config.Config, n int) float64 { return seedly(c) * (1 + c.Optimizer.Beta2) }, Holds},
		{"falling", func(c *config.Config, n int) float64 { return seedly(c) * (2 - c.Optimizer.Beta2) }, Fails},
		{"the same", func(c *config.Config, n int) float64 { return seedly(c) }, Undecided},
	} {
		var ts trials
		for _, one := range sweeps[0].Runs {
			made := &trial{sweep.Trial{History: recordOf(one.Config, decaying, c.norm)}}
			made.Run, made.Result = one, &run.Result{Status: run.LossReached, Regime: diagnose.Monotone}
			ts = append(ts, made)
		}
		found, err := r.judge(t.Context(), &evidence{scale: Laptop, sweeps: []trials{ts}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(found.verdict, "What is claimed of the norm "+said(c.want)) {
			t.Errorf("%s: verdict %q, want the norm's to be %s", c.name, found.verdict, c.want)
		}
	}
}

func TestAReproductionMakesItsRunsOnceAndWritesItsPage(t *testing.T) {
	small := &Reproduction{
		Name: "small", Title: "Small", Claim: "The norm is larger with a larger beta2.", Design: "Four runs.",
		sweeps: func(Scale) []string {
			return []string{"name: small\ngrid: {optimizer.lr: [1e-3], optimizer.beta2: [0.9, 0.99]}\nseeds: 2\n"}
		},
		judge: func(_ context.Context, e *evidence) (*finding, error) {
			return judgeBeta(e.sweeps[0], "optimizer.beta2", rising)
		},
	}
	dir := t.TempDir()
	made := 0
	opt := recording(decaying, func(c *config.Config, _ int) float64 { made++; return 1 + c.Optimizer.Beta2 })
	var result *Result
	for range 2 {
		var err error
		if result, err = small.Run(t.Context(), Laptop, dir, opt); err != nil {
			t.Fatal(err)
		}
	}
	if made != 4*recordedSteps {
		t.Errorf("%d steps were made, want those of 4 runs", made)
	}
	page, err := os.ReadFile(result.Page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", small.Claim, "shadowflow reproduce small --scale laptop", "optimizer.beta2: ["} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, foreign := range []string{"http://", "https://", "<script", "<link", "@import"} {
		if strings.Contains(strings.ReplaceAll(string(page), "http://www.w3.org", ""), foreign) {
			t.Errorf("the page has %s: it would need something beside itself", foreign)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "figures", "norm-vs-beta2.png")); err != nil {
		t.Error(err)
	}
}

func TestTheTwoParameterPictureHolds(t *testing.T) {
	r, err := Find("bilinear")
	if err != nil {
		t.Fatal(err)
	}
	result, err := r.Run(t.Context(), Laptop, t.TempDir(), sweep.Options{})
	if err != nil || result.Outcome != Holds {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestLawLimitEndsWhereTheExponentDoes(t *testing.T) {
	lr := []float64{1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3}
	power := func(p float64) (d []float64) {
		for _, h := range lr {
			d = append(d, math.Pow(h, p))
		}
		return d
	}
	bent := power(3)
	for k := 3; k < len(lr); k++ {
		bent[k] = bent[2] * lr[k] / lr[2] // linear from the third on
	}
	for _, c := range []struct {
		name    string
		defects []float64
		order   int
		want    float64
	}{
		{"cubic, order 2", power(3), 2, 1.6e-3}, {"quadratic, order 2", power(2), 2, 0}, {"quadratic, order 1", power(2), 1, 1.6e-3},
		{"bent", bent, 2, 4e-4}, {"a hole", []float64{1, 8, math.NaN(), 512, 4096}, 2, 2e-4}, {"infinite", []float64{1, 8, math.Inf(1), 1, 1}, 2, 2e-4},
		{"nothing", []float64{0, 0, 0, 0, 0}, 2, 0},
	} {
		if got := LawLimit(lr, c.defects, c.order); got != c.want {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

func TestAMapTellsRegimesAndLimits(t *testing.T) {
	loss := func(c *config.Config, n int) float64 {
		x := decaying(c, n)
		if c.Optimizer.LR > 5e-3 && c.Optimizer.Beta2 > 0.95 && n == 12 {
			x *= 10 // a spike
		}
		return x
	}
	norm := func(_ *config.Config, n int) float64 { return math.Exp(-float64(n) / 5) }
	m, err := RunMap(t.Context(), t.TempDir(), MapOptions{
		Beta1: []float64{0.9, 0.5}, Beta2: []float64{0.9, 0.99}, LR: []float64{1e-3, 1e-2, 3e-3}, Seeds: 2, Sweep: recording(loss, norm),
	})
	if err != nil {
		t.Fatal(err)
	}
	spiky, err := m.Sentence(0.9, 0.99)
	if err != nil {
		t.Fatal(err)
	}
	if want := "in the stable regime up to lr = 0.003, spiking at 0.01; the modified equation of order 2 predicts its steps better than that of order 1 up to lr = 0.003, and its defect keeps the law lr^3 up to lr = 0.01."; !strings.Contains(spiky, want) {
		t.Errorf("%q, want %q in it", spiky, want)
	}
	if calm, _ := m.Sentence(0.5, 0.9); !strings.Contains(calm, "up to lr = 0.01, the largest that was tried") {
		t.Errorf("%q", calm)
	}
	if _, err := m.Sentence(0.3, 0.9); err == nil {
		t.Error("a sentence for betas off the map")
	}
	p := m.at(1, 1, 0)
	if p.Regime != diagnose.Monotone || p.Hindered[0] != 0.25 || p.Beta1 != 0.9 || p.LR != 1e-3 {
		t.Errorf("%+v", p)
	}
}

func TestRiseIsTheHillAndItsIntegrals(t *testing.T) {
	c := config.Default()
	h := &record.History{Columns: []record.Column{
		{Name: "step", Type: record.IntColumn}, {Name: "excess", Type: record.FloatColumn},
		{Name: "drive_main", Type: record.FloatColumn}, {Name: "drive_bias", Type: record.FloatColumn},
	}}
	for n, v := range []float64{1, 2, 5, 4, 0.5} {
		row := []record.Value{record.Int(int64(n)), record.Float(v), {}, {}}
		if n%2 == 0 {
			row[2], row[3] = record.Float(1000), record.Float(500*float64(n))
		}
		h.Rows = append(h.Rows, row)
	}
	one := &trial{sweep.Trial{History: h}}
	one.Run = sweep.Run{Config: c}
	one.Result = &run.Result{Status: run.Finished}
	if got := riseOf(one); got.height != 4 || !got.fell || got.top != 2 || !near(got.main, 2, 1e-12) || !near(got.bias, 1, 1e-12) {
		t.Errorf("%+v", got) // lr is 1e-3, the drives 1000 and 0..1000 over two steps
	}
}

func TestSignsAreJudgedByTheirTest(t *testing.T) {
	for _, c := range []struct {
		k, n int
		want Outcome
	}{{5, 5, Holds}, {4, 4, Undecided}, {0, 5, Fails}, {19, 20, Holds}, {10, 20, Undecided}, {0, 0, Undecided}} {
		if got := judgeSigns(c.k, c.n); got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.k, c.n, got, c.want)
		}
	}
}

func TestRSquaredIsThatOfARegression(t *testing.T) {
	x, z := []float64{-1, 0, 1, 0}, []float64{0, -1, 0, 1}
	y := []float64{-2, -1, 2, 1} // 2 x + z
	if got := rSquared(y, x); !near(got, 0.8, 1e-12) {
		t.Errorf("x alone: %v", got)
	}
	if got := rSquared(y, x, z); !near(got, 1, 1e-12) {
		t.Errorf("both: %v", got)
	}
	if got := rSquared(y[:2], x[:2], z[:2]); !math.IsNaN(got) {
		t.Errorf("two numbers on two predictors: %v", got)
	}
}

func TestTable1PredictsTheSign(t *testing.T) {
	for _, c := range []struct {
		beta1, beta2, eps float64
		want              int
	}{{0.9, 0.5, 1e-8, -1}, {0.5, 0.9, 1e-8, 1}, {0.9, 0.9, 1e-8, 0}, {0.5, 0.9, 1, -1}, {0.9, 0.5, 1, -1}} {
		if got := predictedSign(c.beta1, c.beta2, c.eps); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestOutcomesTogether(t *testing.T) {
	for _, c := range []struct {
		parts []Outcome
		want  Outcome
	}{{nil, Undecided}, {[]Outcome{Holds, Holds}, Holds}, {[]Outcome{Holds, Undecided}, Undecided}, {[]Outcome{Undecided, Fails, Holds}, Fails}} {
		if got := all(c.parts...); got != c.want {
			t.Errorf("%v: %s", c.parts, got)
		}
	}
}

func TestTheNormIsInterpolatedWhereTheLossPasses(t *testing.T) {
	h := &record.History{Columns: []record.Column{{Name: "step", Type: record.IntColumn}, {Name: "loss", Type: record.FloatColumn}, {Name: "excess", Type: record.FloatColumn}}}
	for n := range 4 { // both fall exponentially, so that the interpolation is exact
		h.Rows = append(h.Rows, []record.Value{record.Int(int64(n)), record.Float(math.Exp(-float64(n))), record.Float(math.Exp(-2 * float64(n)))})
	}
	one := &trial{sweep.Trial{History: h}}
	one.Result = &run.Result{Status: run.Finished}
	if got := one.logNormAt(math.Exp(-1.25)); !near(got, -2.5, 1e-12) {
		t.Errorf("%v, want -2.5", got)
	}
	if got := one.logNormAt(1e-9); !math.IsNaN(got) {
		t.Errorf("%v at a loss that was not reached", got)
	}
}

func TestSlopesWithinSeeds(t *testing.T) {
	norms := [][]float64{{0, 0}, {1, 1}, {2, math.NaN()}}
	accuracies := [][]float64{{0, 0}, {-0.1, 1}, {-0.2, 2}}
	got := slopesWithin(norms, accuracies)
	if !near(got[0], -0.1, 1e-12) || !math.IsNaN(got[1]) {
		t.Errorf("%v", got)
	}
}
