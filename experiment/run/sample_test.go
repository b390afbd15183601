package run

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/record"
)

func modelOf(t *testing.T, dir string) *LanguageModel {
	t.Helper()
	m, err := ReadLanguageModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sampled(t *testing.T, m *LanguageModel, s Sampling) string {
	t.Helper()
	var w bytes.Buffer
	if err := m.Sample(t.Context(), s, &w); err != nil {
		t.Fatal(err)
	}
	return w.String()
}

func TestASampleIsThatOfItsSeed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if _, err := Run(t.Context(), parse(t, smallText, "threads=1"), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	m := modelOf(t, dir)
	if !m.Ended || m.Step != 6 || len(m.Notes) > 0 {
		t.Errorf("ended %v behind %d steps, notes %q", m.Ended, m.Step, m.Notes)
	}
	sample := func(s Sampling) string { return sampled(t, m, s) }
	one := sample(Sampling{Prompt: "longer than six", Length: 20, Temperature: 1, Seed: 3})
	if len(one) != len("longer than six")+20 || !strings.HasPrefix(one, "longer than six") {
		t.Errorf("sample %q", one)
	}
	if again := sample(Sampling{Prompt: "longer than six", Length: 20, Temperature: 1, Seed: 3}); again != one {
		t.Errorf("the same seed gives %q and %q", one, again)
	}
	if other := sample(Sampling{Prompt: "longer than six", Length: 20, Temperature: 1, Seed: 4}); other == one {
		t.Error("another seed gives the same text")
	}
	if a, b := sample(Sampling{Length: 5, Seed: 1}), sample(Sampling{Length: 5, Seed: 2}); a != b {
		t.Errorf("at temperature 0 seeds give %q and %q", a, b)
	}
	for _, s := range []Sampling{{Length: -1}, {Temperature: -1}, {Temperature: math.NaN()}} {
		if m.Sample(t.Context(), s, &bytes.Buffer{}) == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}

func TestDrawsHaveTheModelsFrequencies(t *testing.T) {
	logits := make([]float64, 256)
	for b := range logits {
		logits[b] = -40
	}
	logits['a'], logits['b'] = math.Log(3)*2, 0
	counts, r := map[byte]int{}, rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		counts[draw(logits, 2, r.Float64())]++
	}
	if share := float64(counts['a']) / 10_000; math.Abs(share-0.75) > 0.015 || counts['a']+counts['b'] != 10_000 {
		t.Errorf("%v, want three quarters a and one quarter b", counts)
	}
}

// wantTextOf compares a model's text with that of a run of as many steps that came to its end.
func wantTextOf(t *testing.T, m *LanguageModel, steps int) {
	t.Helper()
	if m.Ended || m.Step != steps {
		t.Fatalf("ended %v, weights behind %d steps, want those behind %d of a run that goes on", m.Ended, m.Step, steps)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if _, err := Run(t.Context(), parse(t, smallText, fmt.Sprintf("steps=%d", steps)), whole, Options{}); err != nil {
		t.Fatal(err)
	}
	s := Sampling{Prompt: "Ham.", Length: 60, Temperature: 1, Seed: 2}
	if got, want := sampled(t, m, s), sampled(t, modelOf(t, whole), s); got != want {
		t.Errorf("the text is %q; a run of %d steps gives %q", got, steps, want)
	}
}

func TestAnInterruptedRunIsSampledAtItsNewestCheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	interrupted(t, dir, 20, smallText, "steps=40", "checkpoint.every=7")
	names := checkpointNames(t, dir)
	m := modelOf(t, dir)
	if m.Steps != 40 || len(m.Notes) > 0 {
		t.Errorf("of %d steps, notes %q", m.Steps, m.Notes)
	}
	newest := m.Step
	wantTextOf(t, m, stepOf(t, names[len(names)-1]))

	flip(t, filepath.Join(dir, names[len(names)-1]), 900)
	m = modelOf(t, dir)
	if len(m.Notes) != 1 || !strings.Contains(m.Notes[0], names[len(names)-1]) || m.Step >= newest {
		t.Errorf("with the newest checkpoint damaged: that of step %d, notes %q", m.Step, m.Notes)
	}
	wantTextOf(t, m, stepOf(t, names[len(names)-2]))

	for _, name := range names {
		if err := os.Truncate(filepath.Join(dir, name), 100); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadLanguageModel(dir); err == nil || !strings.Contains(err.Error(), "nor a checkpoint that is whole") || !strings.Contains(err.Error(), "--resume "+dir) {
		t.Errorf("without a checkpoint that is whole: %v", err)
	}
}

func TestARunThatGoesOnBehindItsEndIsSampledAtItsNewestCheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if _, err := Run(t.Context(), parse(t, smallText), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	opt := Options{Settings: settings(t, "steps=40"), Progress: func(p Progress) {
		if p.Step == 15 {
			cancel()
		}
	}}
	if r, err := Resume(ctx, dir, opt); err != nil || r.Status != Interrupted {
		t.Fatalf("%+v, %v", r, err)
	}
	names := checkpointNames(t, dir)
	wantTextOf(t, modelOf(t, dir), stepOf(t, names[len(names)-1]))
}

func TestWeightsThatAreNotThoseOfTheEndAreNotSampled(t *testing.T) {
	for name, harm := range map[string]func(path string){
		"altered": func(path string) { flip(t, path, len(fileBytes(t, filepath.Dir(path), record.WeightsFile))-5) },
		"removed": func(path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		if _, err := Run(t.Context(), parse(t, smallText), dir, Options{}); err != nil {
			t.Fatal(err)
		}
		harm(filepath.Join(dir, record.WeightsFile))
		if _, err := ReadLanguageModel(dir); err == nil || !strings.Contains(err.Error(), record.WeightsFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// checkpointNames returns the names of a run's checkpoints, the oldest first.
func checkpointNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "checkpoint-*.safetensors"))
	if err != nil || len(paths) < 2 {
		t.Fatalf("checkpoints %v, %v", paths, err)
	}
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names
}

func stepOf(t *testing.T, name string) (step int) {
	t.Helper()
	if _, err := fmt.Sscanf(name, "checkpoint-%d", &step); err != nil {
		t.Fatal(err)
	}
	return step
}
