package config

import (
	"strings"

	"shadowflow/internal/plural"
	"shadowflow/objective"
	"shadowflow/objective/closed"
	"shadowflow/schema"
)

// New returns the loss, which must be one in closed form, and the point to start from: theta, or the loss's own start.
func (o Objective) New() (*objective.Function, []float64, error) {
	if o.Name == Network || o.Name == Worker {
		return nil, nil, schema.Setting{}.ValueError("objective.name", "%s; expected a loss in closed form, one of %s", o.Name, strings.Join(closed.Names(), ", "))
	}
	if o.Name == Watched {
		return nil, nil, schema.Setting{}.ValueError("objective.name", "%s: the record of a training loop in Python (docs/watch.md), whose loss is there alone; it can be reported on and exported, not run", Watched)
	}
	f, err := closed.New(o.Name, o.Values)
	if err != nil {
		return nil, nil, err
	}
	if len(o.Theta) == 0 {
		return f, f.Start, nil
	}
	if len(o.Theta) != f.Dim {
		return nil, nil, schema.Setting{}.ValueError("objective.theta", "%s; the objective %s has %s", plural.Count(len(o.Theta), "number"), o.Name, plural.Count(f.Dim, "parameter"))
	}
	return f, o.Theta, nil
}
