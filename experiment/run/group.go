package run

import (
	"fmt"

	"shadowflow/experiment/config"
	"shadowflow/internal/plural"
	"shadowflow/rule"
)

// A Group is a group of weights with an optimizer of their own.
type Group struct {
	// Holds says which weights it holds, and Weights and Parameters how many.
	Holds      string `json:"holds"`
	Weights    int    `json:"weights"`
	Parameters int    `json:"parameters"`
	// Optimizer is theirs, with its hyperparameters.
	Optimizer string `json:"optimizer"`
}

// String returns the group in a line.
func (g Group) String() string {
	return fmt.Sprintf("%s (%s, %s): %s", g.Holds, plural.Of(g.Weights, "weight"), plural.Of(g.Parameters, "parameter"), g.Optimizer)
}

// Groups returns those of a config's optimizer, whose rule for the weights is r: first what is left to the optimizer itself.
// There are none without optimizer.groups.
func Groups(o config.Optimizer, r *rule.Rule) []Group {
	var out []Group
	for _, p := range r.Parts() {
		own := o.Part(p.Group)
		own.ClipNorm, own.ClipValue, own.SAM = 0, 0, 0 // of all
		out = append(out, Group{p.Title, len(p.Weights), p.Parameters, own.String()})
	}
	return out
}
