package rule

import (
	"fmt"
	"strings"

	"shadowflow/graph"
	"shadowflow/schema"
)

// Config is an optimizer with values for its step size and its hyperparameters.
type Config struct {
	Definition *Definition
	// LR is the step size.
	LR float64
	// Values are the hyperparameters, by name: float64 or bool.
	Values map[string]any
	// Groups are weights with optimizers of their own; the first that holds a weight has it.
	Groups []Group
}

// New returns the built-in optimizer of that name with the given values, lr among them; those left out have their defaults. The error
// says all that is wrong.
func New(name string, values map[string]any) (Config, error) {
	d, err := Find(name)
	if err != nil {
		return Config{}, err
	}
	return d.New(values)
}

// New returns the optimizer with the given values, lr among them; those left out have their defaults. The error says all that is wrong.
func (d *Definition) New(values map[string]any) (Config, error) {
	all, err := schema.Complete(d.Keys(), values)
	if err != nil {
		return Config{}, fmt.Errorf("optimizer %s: %w", d.Name, err)
	}
	c := Config{Definition: d, LR: all["lr"].(float64), Values: map[string]any{}}
	for _, k := range d.Let {
		c.Values[k.Name] = all[k.Name]
	}
	return c, nil
}

// Rule returns the rule of parameters that are one weight. The step size is not part of it.
func (c Config) Rule() (*Rule, error) { return c.RuleOf(nil) }

// RuleOf returns the rule of parameters that consist of weights, which matters where its formulas have functions of whole weights. The step
// size is not part of it.
func (c Config) RuleOf(weights []graph.Block) (*Rule, error) {
	if len(c.Groups) > 0 {
		return c.grouped(weights)
	}
	return c.Definition.rule(c.Values, weights)
}

// Number returns a hyperparameter that is a number, 0 if there is none of that name.
func (c Config) Number(name string) float64 {
	v, _ := c.Values[name].(float64)
	return v
}

// Flag returns a hyperparameter that is true or false, false if there is none of that name.
func (c Config) Flag(name string) bool {
	v, _ := c.Values[name].(bool)
	return v
}

// String returns the optimizer as people write it: adam(lr=0.001, beta1=0.9, ...).
func (c Config) String() string {
	parts := []string{fmt.Sprintf("lr=%v", c.LR)}
	for _, k := range c.Definition.Let {
		parts = append(parts, fmt.Sprintf("%s=%v", k.Name, c.Values[k.Name]))
	}
	return c.Definition.Name + "(" + strings.Join(parts, ", ") + ")"
}
