package reproduce

import (
	"context"
	"errors"
	"math"

	"shadowflow/diagnose"
	"shadowflow/experiment"
	"shadowflow/experiment/sweep"
)

// recordedSteps is the length of a record made in place of training.
const recordedSteps = 40

// recordOf is a record with the loss and norm that it is given.
func recordOf(c *experiment.Config, loss, norm func(c *experiment.Config, n int) float64) *experiment.History {
	h := &experiment.History{Columns: []experiment.Column{{Name: "step", Type: experiment.IntColumn}}}
	for _, name := range []string{"loss", "excess", "test_accuracy", "hindered_weight", "defect_1", "defect_2"} {
		h.Columns = append(h.Columns, experiment.Column{Name: name, Type: experiment.FloatColumn})
	}
	for n := range recordedSteps {
		row := []experiment.Value{experiment.Int(int64(n))}
		lr := c.Optimizer.LR
		for _, v := range []float64{loss(c, n), norm(c, n), 0.9 + 0.01*float64(c.Seed), 0.25, math.Pow(lr, 2), 100 * math.Pow(lr, 3)} {
			row = append(row, experiment.Float(v))
		}
		h.Rows = append(h.Rows, row)
	}
	return h
}

// recorder is a Runner that writes such a record.
func recorder(loss, norm func(c *experiment.Config, n int) float64) sweep.Runner {
	return func(_ context.Context, c *experiment.Config, dir string) error {
		h := recordOf(c, loss, norm)
		d, err := experiment.CreateRunDir(dir, c, h.Columns)
		if err != nil {
			return err
		}
		for _, row := range h.Rows {
			if err := d.Append(row); err != nil {
				return err
			}
		}
		result := experiment.Result{Status: experiment.Finished, Step: recordedSteps - 1, Regime: diagnose.Classify(h.Floats("loss"), h.Floats("excess"))}
		return errors.Join(d.WriteResult(result), d.Close())
	}
}
