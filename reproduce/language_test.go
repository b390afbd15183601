package reproduce

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
	"shadowflow/report"
	"shadowflow/schema"
)

// tinyLanguage is the reproduction of the language model with a model of a few parameters, and two seeds.
func tinyLanguage(t *testing.T) *Reproduction {
	t.Helper()
	full, err := Find("language-model")
	if err != nil {
		t.Fatal(err)
	}
	smaller := settings{
		set("data.subset", 6), set("data.test_subset", 4), set("model.depth", 1), set("model.heads", 1), set("model.dim", 4), set("model.context", 8),
		set("steps", languageWarmup+11), set("record.bias", 5), set("threads", 1),
	}
	tiny := *full
	tiny.sweeps = func(s Scale) []sweep.Spec {
		specs := full.sweeps(s)
		for i := range specs {
			kept := slices.DeleteFunc(specs[i].Base, func(old schema.Setting) bool {
				return slices.ContainsFunc(smaller, func(new schema.Setting) bool { return new.Key == old.Key })
			})
			specs[i].Base, specs[i].Seeds = append(kept, smaller...), specs[i].Seeds[:2]
		}
		return specs
	}
	return &tiny
}

// What other results have is written by real runs of this one too, which go on where they were interrupted.
func TestTheLanguageModelsRunsAreResumedAndWriteAWholeResult(t *testing.T) {
	r, dir := tinyLanguage(t), t.TempDir()
	var begun []string
	ctx, stop := context.WithCancel(t.Context())
	opt := sweep.Options{Parallel: 1, Progress: func(e sweep.Event) {
		if e.Done && !e.Interrupted {
			begun = append(begun, e.Dir)
		}
		if len(begun) == 3 { // in the second of four sweeps
			stop()
		}
	}}
	if _, err := r.Run(ctx, Laptop, dir, opt, report.PageStyle); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, verdictFile)); err == nil {
		t.Error("there is a verdict before all runs are there")
	}
	result, err := r.Run(t.Context(), Laptop, dir, opt, report.PageStyle)
	if err != nil {
		t.Fatal(err)
	}
	if all := slices.Compact(slices.Sorted(slices.Values(begun))); result.Runs != 8 || result.Failed != 0 || len(all) != 8 || len(begun) != 8 {
		t.Errorf("%d runs, %d failed; %d were made in %d directories", result.Runs, result.Failed, len(begun), len(all))
	}
	for _, file := range []string{
		"README.md", "index.html", "table.csv", "verdict.json", "figures/language-model.png",
		"adamw/sweep.yaml", "adamw-clipped/sweep.yaml", "muon/sweep.yaml", "muon-clipped/sweep.yaml",
	} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	checkPages(t, dir)
	v, err := ReadVerdict(dir)
	if err != nil {
		t.Fatal(err)
	}
	if v.Name != "language-model" || v.Command != "shadowflow reproduce language-model --scale laptop" || len(v.Figures) != 1 || len(v.Tables) != 1 {
		t.Errorf("the verdict is %+v", v)
	}
	for i, who := range []string{"adamw: ", "adamw, clipped: ", "muon: ", "muon, clipped: "} {
		if !strings.HasPrefix(v.Notes[i], who+"behind the warmup the realized bias hinders") || !strings.Contains(v.Notes[i], " of 6 measured steps") { // 35, 40 and 45 of two seeds
			t.Errorf("note %d is %q", i, v.Notes[i])
		}
	}
}

func TestTheLanguageModelsVerdictFollowsTheSignOfTheRealizedBias(t *testing.T) {
	r, err := Find("language-model")
	if err != nil {
		t.Fatal(err)
	}
	for want, realized := range map[Outcome]float64{Supported: 0.5, Against: -0.5} {
		made := recorded(t, r, decaying, hilly)
		for _, ts := range made {
			for _, one := range ts {
				at := one.History.Index("drive.realized")
				for _, row := range one.History.Rows {
					row[at] = record.Float(realized)
				}
			}
		}
		found, err := r.reach(t.Context(), Laptop, made)
		if err != nil {
			t.Fatal(err)
		}
		if found.Outcome != want {
			t.Errorf("realized %g beside a main term of -2: %s, want %s", realized, found.Hypotheses[0], want)
		}
	}
}

// In three of four sweeps it hinders: a majority of each seed's runs, of which the claim says more.
func TestTheLanguageModelsVerdictNeedsEachOptimizer(t *testing.T) {
	r, err := Find("language-model")
	if err != nil {
		t.Fatal(err)
	}
	made := recorded(t, r, decaying, hilly)
	for i, ts := range made {
		for _, one := range ts {
			at := one.History.Index("drive.realized")
			for _, row := range one.History.Rows {
				row[at] = record.Float(0.5)
				if i == 3 {
					row[at] = record.Float(-0.5)
				}
			}
		}
	}
	found, err := r.reach(t.Context(), Laptop, made)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found.Hypotheses {
		got = append(got, f.Name+": "+string(f.Outcome))
	}
	want := []string{"hinders: supported", "adamw: supported", "adamw-clipped: supported", "muon: supported", "muon-clipped: against"}
	if !slices.Equal(got, want) || found.Outcome != Against {
		t.Errorf("%s: %v, want %v", found.Outcome, got, want)
	}
}
