package cli

import (
	"encoding/json"
	"io"

	"shadowflow/experiment/config"
	"shadowflow/modeq/verify"
	"shadowflow/objective"
	"shadowflow/objective/closed"
	"shadowflow/schema"
)

// aClosedForm is the loss of the theory's commands where no config says another.
var aClosedForm = schema.Set("objective.name", closed.Names()[0])

// problemOf returns what a config describes: an optimizer on a loss in closed form, from a point.
func problemOf(c *config.Config) (p verify.Problem, err error) {
	loss, theta, err := c.Objective.New()
	if err != nil {
		return p, err
	}
	p.Objective, p.Theta = objective.NewNumeric[float64](loss, c.Threads), theta
	p.Rule, err = c.Optimizer.Rule()
	p.Batches, p.Seed, p.BiasScale = verify.Batches(c.Batch.Mode), c.Seed, c.Bias.Scale
	return p, err
}

// floats reads the numbers that a flag was given, a,b,...
func floats(flag, text string) ([]float64, error) {
	s, err := readList(flag+" "+text, "", text)
	if err != nil {
		return nil, err
	}
	values, problem := (&schema.Key{Type: schema.Numbers}).Convert(s.Value)
	if problem != "" {
		return nil, s.ValueError("", "%s", problem)
	}
	return values.([]float64), nil
}

// printJSON writes v on one line.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printIndented writes v on many lines.
func printIndented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
