package run

import (
	"fmt"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
)

// historyColumns returns the columns that a run of the config records.
func historyColumns(c *config.Config) []record.Column {
	out := []record.Column{
		intColumn("step", "", "steps taken: the row describes the parameters behind that many"),
		floatColumn("loss", "nats", "training loss that the step sees (of its mini-batch, if there are mini-batches), without penalty"),
		floatColumn("accuracy", "", "share of those examples classified rightly"),
		floatColumn("perturbed_norm", "", "perturbed one-norm of the loss gradient that the step sees, sum_j sqrt(g_j^2 + eps)"),
		floatColumn("excess", "", "what of it exceeds its value at g = 0: sum_j (sqrt(g_j^2 + eps) - sqrt(eps))"),
		floatColumn("one_norm", "", "one-norm of that gradient"),
		floatColumn("two_norm", "", "two-norm of that gradient"),
		floatColumn("max_norm", "", "largest |g_j|"),
		floatColumn("gradient_mean", "", "mean of |g_j|"),
		floatColumn("gradient_deviation", "", "population deviation of |g_j|"),
	}
	if c.Loss != "cross-entropy" {
		out[1].Unit = ""
	}
	out = append(out, biasColumns(c)...)
	if c.Record.Sharpness > 0 {
		out = append(out, sharpnessColumns()...)
	}
	if c.Record.Test > 0 {
		out = append(out,
			floatColumn("test_loss", out[1].Unit, "loss on the test data"),
			floatColumn("test_accuracy", "", "share of the test data classified rightly"))
	}
	for _, order := range c.Flow.Orders {
		out = append(out,
			floatColumn(flowColumn(order, "distance"), "", fmt.Sprintf("two-norm of the difference between the parameters and the modified equation of order %d", order)),
			floatColumn(flowColumn(order, "loss"), out[1].Unit, fmt.Sprintf("training loss at the modified equation of order %d", order)),
			floatColumn(flowColumn(order, "excess"), "", fmt.Sprintf("excess of the perturbed one-norm at the modified equation of order %d", order)))
	}
	return out
}

func flowColumn(order int, what string) string { return fmt.Sprintf("flow%d_%s", order, what) }

func biasColumns(c *config.Config) []record.Column {
	if c.Record.Bias == 0 {
		return nil
	}
	var out []record.Column
	if c.Batch.Mode != "full" {
		out = []record.Column{
			floatColumn("full_loss", "", "training loss over all examples"),
			floatColumn("full_accuracy", "", "share of all training examples classified rightly"),
			floatColumn("full_excess", "", "excess of the perturbed one-norm N of the gradient over all examples"),
		}
	}
	return append(out, []record.Column{
		floatColumn("bias_share", "", "||h C|| / ||F||: size of the bias beside the main term of the modified equation"),
		floatColumn("penalized", "", "fraction of coordinates that the bias moves so that N falls: C_j q_j > 0 with q = grad N"),
		floatColumn("hindered", "", "fraction of coordinates that the bias moves so that N rises"),
		floatColumn("penalized_weight", "", "fraction of sum_j |q_j| on penalized coordinates"),
		floatColumn("hindered_weight", "", "fraction of sum_j |q_j| on hindered coordinates"),
		floatColumn("critical_gradient", "", "g*: the |g_j| at which the bias changes between penalizing and hindering; the smallest if there are several"),
		floatColumn("drive_main", "1/h", "dN/dt by the main term, -q.F"),
		floatColumn("drive_bias", "1/h", "dN/dt by the bias, -h q.C: negative lowers N, positive hinders its decrease"),
		floatColumn("step_norm", "", "two-norm of the step taken from here"),
		floatColumn("defect_1", "", "two-norm of the step less that of the modified equation of order 1"),
		floatColumn("defect_2", "", "two-norm of the step less that of the modified equation of order 2"),
	}...)
}

func sharpnessColumns() []record.Column {
	return []record.Column{
		floatColumn("sharpness", "", "largest eigenvalue of the Hessian of the training loss"),
		floatColumn("sharpness_residual", "", "an eigenvalue lies within this of sharpness"),
		floatColumn("preconditioned_sharpness", "", "largest eigenvalue of P^-1 H, for Adam P = diag(sqrt(v + eps))"),
		floatColumn("preconditioned_residual", "", "an eigenvalue lies within this of preconditioned_sharpness"),
		floatColumn("stability_threshold", "", "preconditioned sharpness above which oscillations grow, for Adam (2 + 2 beta1)/((1 - beta1) h)"),
		floatColumn("noise_trace", "", "tr Cov of the batches' gradients: mean over batches of ||g_j - g||^2"),
		floatColumn("noise_one_norm", "", "sum over coordinates of the deviation of the batches' gradients"),
		floatColumn("noise_dominated", "", "fraction of coordinates whose deviation exceeds |g_j|"),
		floatColumn("noise_scale", "examples", "noise scale b tr Cov / ||g||^2"),
		intColumn("noise_batch", "examples", "size b of the batches whose gradients were compared"),
	}
}

func floatColumn(name, unit, meaning string) record.Column {
	return record.Column{Name: name, Type: record.FloatColumn, Unit: unit, Meaning: meaning}
}

func intColumn(name, unit, meaning string) record.Column {
	return record.Column{Name: name, Type: record.IntColumn, Unit: unit, Meaning: meaning}
}
