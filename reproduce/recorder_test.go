package reproduce

import (
	"context"
	"errors"
	"math"

	"shadowflow/diagnose"
	"shadowflow/experiment"
	"shadowflow/experiment/sweep"
)

// recorder is a Runner that writes a record of 40 steps with the loss and norm that it is given, in place of training.
func recorder(loss, norm func(c *experiment.Config, n int) float64) sweep.Runner {
	columns := []experiment.Column{{Name: "step", Type: experiment.IntColumn}}
	for _, name := range []string{"loss", "excess", "test_accuracy", "hindered_weight", "defect_1", "defect_2"} {
		columns = append(columns, experiment.Column{Name: name, Type: experiment.FloatColumn})
	}
	return func(_ context.Context, c *experiment.Config, dir string) error {
		d, err := experiment.CreateRunDir(dir, c, columns)
		if err != nil {
			return err
		}
		var losses, norms []float64
		for n := range 40 {
			losses, norms = append(losses, loss(c, n)), append(norms, norm(c, n))
			row := []experiment.Value{experiment.Int(int64(n))}
			for _, v := range []float64{losses[n], norms[n], 0.9 + 0.01*float64(c.Seed), 0.25, math.Pow(c.Optimizer.LR, 2), 100 * math.Pow(c.Optimizer.LR, 3)} {
				row = append(row, experiment.Float(v))
			}
			if err := d.Append(row); err != nil {
				return err
			}
		}
		result := experiment.Result{Status: experiment.Finished, Step: 39, Regime: diagnose.Classify(losses, norms)}
		return errors.Join(d.WriteResult(result), d.Close())
	}
}
