package run

import (
	"math"
	"slices"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
)

// OverAll names the column of a history over all training examples of what is also recorded of the batch that a step sees, like full_loss for loss. Where
// that was never measured, with mini-batches, it is the column of single batches, and all is false.
func OverAll(c *config.Config, h record.Measurements, name string) (column string, all bool) {
	if !c.Batch.Mini() {
		return name, true
	}
	if full := "full_" + name; h.Measured(full) {
		return full, true
	}
	return name, false
}

// SeenByTheStep reports whether a column is of the loss, or its gradient, that the step sees: with mini-batches, of its batch alone.
func SeenByTheStep(column string) bool {
	return slices.Contains([]string{
		"loss", "accuracy", "r2", "bits_per_byte", "perturbed_norm", "excess", "one_norm", "two_norm", "max_norm", "gradient_mean", "gradient_deviation",
	}, column)
}

// Train takes from the history of a run what its result says of the training examples at its end: over all of them, as they were last measured, with
// mini-batches too, where that was ever done. Of a run that ceased to be finite it is that of the last batch, unless all were measured there: what was
// measured before is not its end. Results of earlier versions have that of the last batch alone.
func (r *Result) Train(c *config.Config, h *record.History) {
	r.Loss, r.Accuracy, r.R2, r.OfBatch = record.Number(math.NaN()), record.Number(math.NaN()), nil, false
	if len(h.Rows) == 0 {
		return
	}
	column, all := OverAll(c, h, "loss")
	values := h.Floats(column)
	r.OfBatch = !all || r.Status == Diverged && values != nil && c.Batch.Mini() && !finite(values[len(values)-1])
	value := func(name string) *record.Number {
		if !r.OfBatch {
			name, _ = OverAll(c, h, name)
		}
		return lastMeasured(h, name)
	}
	if v := value("loss"); v != nil {
		r.Loss = *v
	}
	if v := value("accuracy"); v != nil {
		r.Accuracy = *v
	}
	r.R2 = value("r2")
}
