package experiment

import "fmt"

// historyColumns returns the columns that a run of the config records.
func historyColumns(c *Config) []Column {
	out := []Column{
		{"step", IntColumn, "", "steps taken: the row describes the parameters behind that many"},
		{"loss", FloatColumn, "nats", "training loss that the step sees (of its mini-batch, if there are mini-batches), without penalty"},
		{"accuracy", FloatColumn, "", "share of those examples classified rightly"},
		{"perturbed_norm", FloatColumn, "", "perturbed one-norm of the loss gradient that the step sees, sum_j sqrt(g_j^2 + eps)"},
		{"excess", FloatColumn, "", "what of it exceeds its value at g = 0: sum_j (sqrt(g_j^2 + eps) - sqrt(eps))"},
		{"one_norm", FloatColumn, "", "one-norm of that gradient"},
		{"two_norm", FloatColumn, "", "two-norm of that gradient"},
		{"max_norm", FloatColumn, "", "largest |g_j|"},
		{"gradient_mean", FloatColumn, "", "mean of |g_j|"},
		{"gradient_deviation", FloatColumn, "", "population deviation of |g_j|"},
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
			Column{"test_loss", FloatColumn, out[1].Unit, "loss on the test data"},
			Column{"test_accuracy", FloatColumn, "", "share of the test data classified rightly"})
	}
	for _, order := range c.Flow.Orders {
		out = append(out,
			Column{flowColumn(order, "distance"), FloatColumn, "", fmt.Sprintf("two-norm of the difference between the parameters and the modified equation of order %d", order)},
			Column{flowColumn(order, "loss"), FloatColumn, out[1].Unit, fmt.Sprintf("training loss at the modified equation of order %d", order)},
			Column{flowColumn(order, "excess"), FloatColumn, "", fmt.Sprintf("excess of the perturbed one-norm at the modified equation of order %d", order)})
	}
	return out
}

func flowColumn(order int, what string) string { return fmt.Sprintf("flow%d_%s", order, what) }

func biasColumns(c *Config) []Column {
	if c.Record.Bias == 0 {
		return nil
	}
	var out []Column
	if c.Batch.Mode != "full" {
		out = []Column{
			{"full_loss", FloatColumn, "", "training loss over all examples"},
			{"full_accuracy", FloatColumn, "", "share of all training examples classified rightly"},
			{"full_excess", FloatColumn, "", "excess of the perturbed one-norm N of the gradient over all examples"},
		}
	}
	return append(out, []Column{
		{"bias_share", FloatColumn, "", "||h C|| / ||F||: size of the bias beside the main term of the modified equation"},
		{"penalized", FloatColumn, "", "fraction of coordinates that the bias moves so that N falls: C_j q_j > 0 with q = grad N"},
		{"hindered", FloatColumn, "", "fraction of coordinates that the bias moves so that N rises"},
		{"penalized_weight", FloatColumn, "", "fraction of sum_j |q_j| on penalized coordinates"},
		{"hindered_weight", FloatColumn, "", "fraction of sum_j |q_j| on hindered coordinates"},
		{"critical_gradient", FloatColumn, "", "g*: the |g_j| at which the bias changes between penalizing and hindering; the smallest if there are several"},
		{"drive_main", FloatColumn, "1/h", "dN/dt by the main term, -q.F"},
		{"drive_bias", FloatColumn, "1/h", "dN/dt by the bias, -h q.C: negative lowers N, positive hinders its decrease"},
		{"step_norm", FloatColumn, "", "two-norm of the step taken from here"},
		{"defect_1", FloatColumn, "", "two-norm of the step less that of the modified equation of order 1"},
		{"defect_2", FloatColumn, "", "two-norm of the step less that of the modified equation of order 2"},
	}...)
}

func sharpnessColumns() []Column {
	return []Column{
		{"sharpness", FloatColumn, "", "largest eigenvalue of the Hessian of the training loss"},
		{"sharpness_residual", FloatColumn, "", "an eigenvalue lies within this of sharpness"},
		{"preconditioned_sharpness", FloatColumn, "", "largest eigenvalue of P^-1 H, for Adam P = diag(sqrt(v + eps))"},
		{"preconditioned_residual", FloatColumn, "", "an eigenvalue lies within this of preconditioned_sharpness"},
		{"stability_threshold", FloatColumn, "", "preconditioned sharpness above which oscillations grow, for Adam (2 + 2 beta1)/((1 - beta1) h)"},
		{"noise_trace", FloatColumn, "", "tr Cov of the batches' gradients: mean over batches of ||g_j - g||^2"},
		{"noise_one_norm", FloatColumn, "", "sum over coordinates of the deviation of the batches' gradients"},
		{"noise_dominated", FloatColumn, "", "fraction of coordinates whose deviation exceeds |g_j|"},
		{"noise_scale", FloatColumn, "examples", "noise scale b tr Cov / ||g||^2"},
		{"noise_batch", IntColumn, "examples", "size b of the batches whose gradients were compared"},
	}
}
