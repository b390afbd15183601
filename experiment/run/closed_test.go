package run

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/objective"
	"shadowflow/safetensors"
	"shadowflow/schema"
)

// aClosedForm is a run on a loss of two parameters and three batches, with everything that a network's run may have beside it.
func aClosedForm(t *testing.T) *config.Config {
	t.Helper()
	c, err := config.New(
		schema.Set("objective.name", "bilinear"), schema.Set("objective.pairs", [][2]float64{{2, 1.5}, {1, 2}, {1.5, 0.3}}),
		schema.Set("objective.theta", []float64{1.6, 1.1}), schema.Set("dtype", "float64"), schema.Set("batch.mode", "cyclic"),
		schema.Set("optimizer.beta1", 0.6), schema.Set("optimizer.beta2", 0.8), schema.Set("optimizer.eps", 0.5), schema.Set("optimizer.lr", 0.01),
		schema.Set("steps", 40), schema.Set("beside", []string{"memoryless-1", "memoryless-2"}), schema.Set("flow.start", 0), schema.Set("checkpoint.every", 7), schema.Set("record.bias", 5))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAClosedFormIsRunLikeANetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	result, h := runIn(t, dir, aClosedForm(t))
	if result.Status != Finished || result.Parameters != 2 || result.Examples != 3 || !math.IsNaN(float64(result.Accuracy)) {
		t.Errorf("result %+v", result)
	}
	if h.Index("accuracy") >= 0 {
		t.Error("a loss that classifies nothing has a column for accuracy")
	}
	first, second := h.Floats("memoryless-1.distance")[40], h.Floats("memoryless-2.distance")[40]
	if !(second < first/3) {
		t.Errorf("the equation of order 2 ends %g away, that of order 1 %g", second, first)
	}
	weights, err := safetensors.ReadFile(filepath.Join(dir, record.WeightsFile))
	if err != nil || len(weights.Tensors) != 1 || weights.Tensors[0].Name != "theta" {
		t.Errorf("weights %+v, %v", weights, err)
	}
}

// The iterates of a run are those of Iterate: one loop makes both.
func TestARunAndIterateTakeTheSameSteps(t *testing.T) {
	c := aClosedForm(t)
	_, h := runIn(t, filepath.Join(t.TempDir(), "run"), c)
	p, err := NewProblem[float64](t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := Iterate(t.Context(), *p, Iteration{Steps: 40})
	if err != nil {
		t.Fatal(err)
	}
	want, err := p.Objective.Evaluate(t.Context(), paths[0].Theta[39], 39%3, objective.Want[float64]{})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Floats("loss")[39]; got != want.Loss {
		t.Errorf("the run has loss %v behind 39 steps, the iterates %v", got, want.Loss)
	}
}

func TestAnInterruptedRunOfAClosedFormEndsWithTheSameBits(t *testing.T) {
	whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
	runIn(t, whole, aClosedForm(t))
	ctx, cancel := context.WithCancel(t.Context())
	opt := Options{Progress: func(p Progress) {
		if p.Step == 17 {
			cancel()
		}
	}}
	if result, err := Run(ctx, aClosedForm(t), parts, opt); err != nil || result.Status != Interrupted || result.Step != 17 {
		t.Fatalf("%+v, %v", result, err)
	}
	if result, err := Resume(t.Context(), parts, Options{}); err != nil || result.Status != Finished {
		t.Fatalf("%+v, %v", result, err)
	}
	if got, want := historyBytes(t, parts), historyBytes(t, whole); string(got) != string(want) {
		t.Error("the histories differ")
	}
}

// An equation that runs away ends; the run goes on, and says so.
func TestAnEquationThatCannotBeFollowedEndsAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c, err := config.New(schema.Set("objective.name", "bilinear"), schema.Set("objective.theta", []float64{3, 3}), schema.Set("optimizer.name", "heavy-ball"),
		schema.Set("optimizer.lr", 0.03), schema.Set("optimizer.beta1", 0.5), schema.Set("steps", 30), schema.Set("beside", []string{"memoryless-1", "memoryless-2"}), schema.Set("flow.start", 0),
		schema.Set("dtype", "float64"), schema.Set("record.sharpness", 0))
	if err != nil {
		t.Fatal(err)
	}
	result, h := runIn(t, dir, c)
	if result.Step == 0 {
		t.Fatalf("%+v", result)
	}
	last := h.Rows[len(h.Rows)-1]
	if result.Status != Finished || last[h.Index("memoryless-2.distance")].Measured() || !last[h.Index("loss")].Measured() {
		t.Errorf("the run %s; its last row is %v", result.Status, last)
	}
	log := string(fileBytes(t, dir, "log.txt"))
	if want := "modified equation of order 2 ends after step"; !strings.Contains(log, want) {
		t.Errorf("the log does not say %q:\n%s", want, log)
	}
}
