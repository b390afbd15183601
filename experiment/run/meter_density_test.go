package run

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/diagnose/spectrum"
	"shadowflow/experiment/record"
)

// densities are the files of a run's densities, by their names.
func densities(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	paths, err := filepath.Glob(filepath.Join(dir, "density-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		out[filepath.Base(path)] = fileBytes(t, dir, filepath.Base(path))
	}
	return out
}

func wantSameDensities(t *testing.T, dir, whole string, count int) {
	t.Helper()
	got, want := densities(t, dir), densities(t, whole)
	if len(want) != count || len(got) != count {
		t.Errorf("%d densities and %d, want %d", len(got), len(want), count)
	}
	for name, data := range want {
		if !bytes.Equal(got[name], data) {
			t.Errorf("%s is not that of a run from the start", name)
		}
	}
}

func TestTheDensityAtTheEndIsThatOfTheWholeMatrix(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	_, h := runIn(t, dir, parse(t, brief, "dtype=float64", "record.density=5"))
	var d SpectralDensity
	if err := record.ReadDensity(dir, 12, &d); err != nil {
		t.Fatal(err)
	}
	if got := h.Floats("spectrum.density_width")[12]; got != float64(d.Width) {
		t.Errorf("the row says width %v, the file %v", got, d.Width)
	}
	c := parse(t, brief, "dtype=float64", "model.weights="+filepath.Join(dir, record.WeightsFile))
	at, err := newTraining[float64](t.Context(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	hessian, _, err := hessianAt(t.Context(), at.problem.Objective, at.problem.Theta)
	if err != nil {
		t.Fatal(err)
	}
	matrix, err := spectrum.Dense(len(at.problem.Theta), hessian, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	width, off, highest := float64(d.Width), 0.0, 0.0
	for i, x := range d.X {
		want := 0.0
		for _, v := range matrix.Values {
			z := (float64(x) - v) / width
			want += math.Exp(-z*z/2) / (width * math.Sqrt(2*math.Pi)) / float64(len(matrix.Values))
		}
		highest = max(highest, want)
		off = max(off, math.Abs(float64(d.Y[i])-want)-5*float64(d.Deviation[i]))
	}
	if !(off <= 2e-3*highest) {
		t.Errorf("the density is off by %v beyond five deviations, of at most %v", off, highest)
	}
}

func TestADensityOfFewParametersIsExact(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	runIn(t, dir, parse(t, "objective: {name: quadratic, spectrum: [1, 4, 10]}\ndtype: float64\noptimizer: {name: gd, lr: 0.01}\nsteps: 1\nrecord: {density: 1, sharpness: 0, state: 0}\n"))
	var d SpectralDensity
	if err := record.ReadDensity(dir, 0, &d); err != nil {
		t.Fatal(err)
	}
	sum, mean, step := 0.0, 0.0, float64(d.X[1]-d.X[0])
	for i, y := range d.Y {
		sum, mean = sum+float64(y)*step, mean+float64(y*d.X[i])*step
		if d.Deviation[i] != 0 {
			t.Fatalf("deviation %v", d.Deviation[i])
		}
	}
	if math.Abs(sum-1) > 1e-3 || math.Abs(mean-5) > 5e-3 {
		t.Errorf("the density has the integral %v and the mean %v, want 1 and 5", sum, mean)
	}
}

func TestDensitiesOfAKilledAndOfAnExtendedRunAreThoseOfAWholeOne(t *testing.T) {
	at := t.TempDir()
	whole, killed, extended := filepath.Join(at, "whole"), filepath.Join(at, "killed"), filepath.Join(at, "extended")
	runIn(t, whole, parse(t, brief, "record.density=3", "steps=11"))
	interrupted(t, killed, 7, brief, "record.density=3", "steps=11")
	newest := checkpoints(t, killed)
	if err := os.Remove(slices.Max(newest)); err != nil { // as if it was killed before it wrote it
		t.Fatal(err)
	}
	if len(densities(t, killed)) != 3 {
		t.Fatalf("%d densities before the kill, want 3: one behind the older checkpoint", len(densities(t, killed)))
	}
	if _, err := Resume(t.Context(), killed, Options{}); err != nil {
		t.Fatal(err)
	}
	wantSameHistory(t, killed, whole)
	wantSameDensities(t, killed, whole, 5) // of the steps 0, 3, 6, 9 and 11
	runIn(t, extended, parse(t, brief, "record.density=3", "steps=8"))
	if _, err := Resume(t.Context(), extended, Options{Settings: settings(t, "steps=11")}); err != nil {
		t.Fatal(err)
	}
	wantSameDensities(t, extended, whole, 5)
}

func TestAnAlteredDensityIsSaidAndRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	runIn(t, dir, parse(t, brief, "record.density=6"))
	name := "density-000000000006.json"
	data := bytes.Replace(fileBytes(t, dir, name), []byte(`"width": `), []byte(`"width": 1`), 1)
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
	var d SpectralDensity
	if err := record.ReadDensity(dir, 6, &d); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("an altered density is read: %v", err)
	}
	var notes []string
	if _, err := Resume(t.Context(), dir, notesOf(&notes)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(notes, "\n"), name) || !strings.Contains(string(fileBytes(t, dir, "log.txt")), "it is removed") {
		t.Errorf("it was said %q", notes)
	}
	if got := densities(t, dir); len(got) != 2 || got[name] != nil {
		t.Errorf("%d densities are left, want those of the steps 0 and 12", len(got))
	}
	if _, err := Resume(t.Context(), dir, notesOf(&notes)); err != nil || len(notes) != 1 {
		t.Errorf("once made again it is whole: %q, %v", notes, err)
	}
}

func TestARunInMemoryHasTheWidthsOfDensities(t *testing.T) {
	r, err := InMemory(t.Context(), parse(t, brief, "dtype=float64", "record.density=6"))
	if err != nil {
		t.Fatal(err)
	}
	if v := r.History.Floats("spectrum.density_width"); !(v[0] > 0) || !(v[12] > 0) || !math.IsNaN(v[1]) {
		t.Errorf("widths %v", v)
	}
}
