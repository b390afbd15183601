package config

import (
	"strings"

	"shadowflow/objective"
	"shadowflow/objective/closed"
	"shadowflow/schema"
)

// Watched is the name of the objective of a loop in Python that was watched (docs/watch.md): such a run has a record, and no loss that could be
// evaluated here.
const Watched = "watched"

// New returns the loss, which must be one in closed form, and the point to start from: theta, or the loss's own start.
func (o Objective) New() (*objective.Function, []float64, error) {
	if o.Name == Network {
		return nil, nil, schema.Setting{}.ValueError("objective.name", "%s; expected a loss in closed form, one of %s", Network, strings.Join(closed.Names(), ", "))
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
		return nil, nil, schema.Setting{}.ValueError("objective.theta", "%d numbers; the objective %s has %d parameters", len(o.Theta), o.Name, f.Dim)
	}
	return f, o.Theta, nil
}
