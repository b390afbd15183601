package reproduce

import (
	"context"
	"errors"
	"math"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
)

// recordedSteps is the length of a record made in place of training.
const recordedSteps = 40

// recordOf is a record with the loss and norm that it is given.
func recordOf(c *config.Config, loss, norm func(c *config.Config, n int) float64) *record.History {
	h := &record.History{Columns: []record.Column{{Name: "step", Type: record.IntColumn}}}
	for _, name := range []string{"loss", "excess", "perturbed_norm", "accuracy", "test_loss", "test_accuracy", "defect_1", "defect_2", "drive.main", "drive.realized", "drive.predicted", "drive.observed", "monitor.state_defect",
		"monitor.second_over_first", "bias.cosine"} {
		h.Columns = append(h.Columns, record.Column{Name: name, Type: record.FloatColumn})
	}
	for n := range recordedSteps {
		row := []record.Value{record.Int(int64(n))}
		lr, height := c.Optimizer.LR, norm(c, n)
		for _, v := range []float64{loss(c, n), height, height, 0.9, 0.4, 0.9 + 0.01*float64(c.Seed), math.Pow(lr, 2), 100 * math.Pow(lr, 3), -2, 0.5, -8, -1.5, 10 * lr, 101 * lr, 0.9} {
			row = append(row, record.Float(v))
		}
		h.Rows = append(h.Rows, row)
	}
	return h
}

// recorder is a Runner that writes such a record.
func recorder(loss, norm func(c *config.Config, n int) float64) sweep.Runner {
	return func(_ context.Context, c *config.Config, dir string) error {
		h := recordOf(c, loss, norm)
		d, err := record.Create(dir, c.YAML(), h.Columns)
		if err != nil {
			return err
		}
		for _, row := range h.Rows {
			if err := d.Append(row); err != nil {
				return err
			}
		}
		result := run.Result{Status: run.Finished, Parameters: 1, Step: recordedSteps - 1, Seconds: 1800, Regime: diagnose.Classify(stepsOf(h), h.Floats("loss"), h.Floats("excess"))}
		return errors.Join(d.WriteResult(result), d.Close())
	}
}

// recorded is the runs of a reproduction for a laptop, with such records.
func recorded(t *testing.T, r *Reproduction, loss, norm func(c *config.Config, n int) float64) []trials {
	t.Helper()
	sweeps, err := r.Sweeps(Laptop)
	if err != nil {
		t.Fatal(err)
	}
	var out []trials
	for _, s := range sweeps {
		var ts trials
		for _, one := range s.Runs {
			made := &trial{sweep.Trial{History: recordOf(one.Config, loss, norm)}}
			made.Run, made.Result = one, &run.Result{Status: run.LossReached, Regime: diagnose.Monotone}
			ts = append(ts, made)
		}
		out = append(out, ts)
	}
	return out
}

// stepsOf returns the steps of a history's records.
func stepsOf(h *record.History) []int {
	var steps []int
	for _, step := range h.Floats("step") {
		steps = append(steps, int(step))
	}
	return steps
}
