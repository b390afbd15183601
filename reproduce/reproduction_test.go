package reproduce

import (
	"context"
	"html"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/version"
	"shadowflow/report"
)

func TestEveryReproductionSaysWhatItTests(t *testing.T) {
	names := map[string]bool{}
	for _, r := range All() {
		if names[r.Name] || r.Claim == "" || r.Design == "" || r.Title == "" || len(r.Hypotheses(Laptop)) == 0 {
			t.Errorf("%q is there twice, or lacks a title, a claim, a design or a hypothesis", r.Name)
		}
		names[r.Name] = true
	}
}

func TestSweepsOfEveryScaleStandAlone(t *testing.T) {
	for _, s := range Scales() {
		made := map[string]func() ([]*sweep.Sweep, error){"map": func() ([]*sweep.Sweep, error) {
			m, err := MapSweep(MapOptions{Scale: s})
			return []*sweep.Sweep{m}, err
		}}
		for _, r := range All() {
			made[r.Name] = func() ([]*sweep.Sweep, error) { return r.Sweeps(s) }
		}
		for name, sweeps := range made {
			t.Run(name+" at scale "+string(s), func(t *testing.T) {
				all, err := sweeps()
				if err != nil {
					t.Fatal(err)
				}
				dirs := map[string]bool{}
				for _, sw := range all {
					if dirs[sw.Name] || len(sw.Runs) < 2 {
						t.Errorf("sweep %s of %d runs", sw.Name, len(sw.Runs))
					}
					dirs[sw.Name] = true
					checkAlone(t, sw)
				}
			})
		}
	}
}

// checkAlone reads a sweep's own file again: it must make the same runs.
func checkAlone(t *testing.T, s *sweep.Sweep) {
	t.Helper()
	again, err := sweep.Parse("sweep.yaml", s.Source, 0)
	if err != nil {
		t.Fatalf("%v in\n%s", err, s.Source)
	}
	same := func(a, b sweep.Run) bool { return a.Hash == b.Hash }
	if again.Name != s.Name || !slices.Equal(again.AtLoss, s.AtLoss) || !slices.EqualFunc(again.Runs, s.Runs, same) {
		t.Errorf("the file of sweep %s makes other runs:\n%s", s.Name, s.Source)
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
		if run.Bytes < 1<<30 || run.Problem != "" && !strings.Contains(run.Problem, "of memory, and") { // which may be more than this machine has
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

// hilly is a norm that falls, rises and falls, the higher the smaller beta1 is.
func hilly(c *config.Config, n int) float64 {
	return 1 + math.Exp(-float64(n)) + (2-c.Optimizer.Value("beta1"))*math.Exp(-math.Pow(float64(n)-15, 2)/20)
}

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
	seedly := func(c *config.Config) float64 { return 1 + 0.1*float64(c.Seed) }
	for _, c := range []struct {
		name string
		norm func(c *config.Config, n int) float64
		want Outcome
	}{
		{"a norm that rises", func(c *config.Config, n int) float64 { return seedly(c) * (1 + c.Optimizer.Value("beta2")) }, Supported},
		{"a norm that falls", func(c *config.Config, n int) float64 { return seedly(c) * (2 - c.Optimizer.Value("beta2")) }, Against},
		{"a norm that stays", func(c *config.Config, n int) float64 { return seedly(c) }, Undecided},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := r.reach(t.Context(), Laptop, recorded(t, r, decaying, c.norm))
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range found.Hypotheses {
				want := Undecided // the accuracy is the same for each beta
				if strings.HasPrefix(h.Name, "norm") {
					want = c.want
				}
				if h.Outcome != want {
					t.Errorf("want %s: %s", want, h)
				}
			}
		})
	}
}

func TestAReproductionMakesItsRunsOnceAndWritesItsPage(t *testing.T) {
	small := &Reproduction{
		Name: "small", Title: "Small", Claim: "The norm is larger with a larger beta2.", Design: "Four runs.",
		sweeps: func(Scale) []sweep.Spec {
			return []sweep.Spec{{
				Name: "small", Seeds: sweep.Seeds(2),
				Grid: settings{set("optimizer.lr", betaLRs(Paper)[:1]), set("optimizer.beta2", []float64{0.9, 0.99})},
			}}
		},
		hypotheses: func(Scale) []Hypothesis { return betaHypotheses(Paper, "beta2", Up)[:2] },
		judge: func(_ context.Context, f *Result, sweeps []trials) error {
			judgeBeta(f, sweeps[0], "beta2")
			return nil
		},
	}
	dir := t.TempDir()
	made := 0
	opt := recording(decaying, func(c *config.Config, _ int) float64 { made++; return 1 + c.Optimizer.Value("beta2") })
	var result *Result
	for range 2 {
		var err error
		if result, err = small.Run(t.Context(), Laptop, dir, opt, report.PageStyle); err != nil {
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
	for _, file := range []string{filepath.Join("figures", "norm-vs-beta2.png"), "table.csv"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	checkPages(t, dir)
	if text := pageOf(t, &result.Verdict, dir); !strings.Contains(text, "At scale laptop: 4 runs, of mlp [64, 64] on digits. Their wall times add up to 2 hours, of which two runs at once take half.\n") {
		t.Errorf("the page does not say what its runs are of, and how long they took: %s", text)
	}
}

func TestTheTwoParameterPictureHoldsWhereLRIsSmall(t *testing.T) {
	r, err := Find("bilinear")
	if err != nil {
		t.Fatal(err)
	}
	result, err := r.Run(t.Context(), Laptop, t.TempDir(), sweep.Options{}, report.PageStyle)
	if err != nil || result.Outcome != Against {
		t.Fatalf("%+v, %v", result, err)
	}
	for name, want := range map[string]Number{"slope of 0.9, 0.5": 2.222, "nearer of 0.9, 0.5": 5, "ends of 0.9, 0.5": 5, "nearer of 0.3, 0.7": 4, "nearer of 0.5, 0.9": 1} {
		if h := result.hypothesis(name); !near(float64(h.Effect), float64(want), 1e-3) {
			t.Errorf("%s, want %g", h, want)
		}
	}
	if !strings.Contains(result.Notes[0], "lr 0.008, where it misses by 0.011 and order 1 by 0.0025") {
		t.Errorf("notes %q", result.Notes)
	}
}

func pageOf(t *testing.T, v *Verdict, dir string) string {
	t.Helper()
	text, err := v.Markdown(dir)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// checkPages compares the pages of prose with the verdict beside them.
func checkPages(t *testing.T, dir string) {
	t.Helper()
	v, err := ReadVerdict(dir)
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(dir, readmeFile))
	if err != nil || string(readme) != pageOf(t, v, dir) {
		t.Errorf("%s does not say what %s has (%v)", filepath.Join(dir, readmeFile), verdictFile, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	sentences := append([]string{v.Verdict, v.Made, v.Claim}, v.Notes...)
	for _, h := range v.Hypotheses {
		sentences = append(sentences, h.String())
	}
	for _, s := range sentences {
		if !strings.Contains(html.UnescapeString(string(page)), s) {
			t.Errorf("the page of %s does not say %q", dir, s)
		}
	}
}

func TestAVerdictNamesThePrograms(t *testing.T) {
	of := func(commit string) *trial {
		dir := t.TempDir()
		if err := record.WriteVersion(dir, version.Program{Commit: commit}); err != nil {
			t.Fatal(err)
		}
		return &trial{sweep.Trial{Status: sweep.Status{Dir: dir}}}
	}
	this, notBegun := of(version.Current().Commit), &trial{sweep.Trial{Status: sweep.Status{Dir: t.TempDir()}}}
	if got := runsMadeBy([]trials{{this, notBegun}}); got != "" {
		t.Errorf("%q of runs of this program and one that has not begun", got)
	}
	if got, want := runsMadeBy([]trials{{this, of("abc")}, {of("def"), of("abc")}}), " Runs were made by commit abc, def."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
