package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/rule"
	"shadowflow/schema"
)

// Value returns a hyperparameter that is a number, 0 if the optimizer has none of that name.
func (o Optimizer) Value(key string) float64 {
	v, _ := o.Values[key].(float64)
	return v
}

// Own reports whether the config defines the optimizer itself.
func (o Optimizer) Own() bool { return o.Values["update"] != nil }

// definition returns the built-in optimizer of the name, or the config's own.
func (o Optimizer) definition() (*rule.Definition, error) {
	if !o.Own() {
		return rule.Find(o.Name)
	}
	section := []schema.Setting{schema.Set("name", o.Name), schema.Set("lr", o.LR)}
	for _, key := range rule.DefinitionKeys() {
		if v := o.Values[key]; v != nil {
			section = append(section, schema.Set(key, v))
		}
	}
	return rule.DefinitionOf(section)
}

// Config returns the optimizer as the rules' package takes it.
func (o Optimizer) Config() (rule.Config, error) {
	d, err := o.definition()
	if err != nil {
		return rule.Config{}, err
	}
	values := map[string]any{"lr": cmp.Or(o.LR, 1)} // 0 of a group whose weights stay
	for _, k := range d.Let {
		values[k.Name] = o.Values[k.Name]
	}
	c, err := d.New(values)
	c.LR = o.LR
	for _, g := range o.parts {
		own, wrong := g.Optimizer.Config()
		g.Group.Config = own
		c.Groups, err = append(c.Groups, g.Group), errors.Join(err, wrong)
	}
	return c, err
}

// Rule returns the optimizer's rule, with what is done to the gradient before its formulas see it, of parameters that are one weight.
func (o Optimizer) Rule() (*rule.Rule, error) { return o.RuleOf(nil) }

// RuleOf is Rule of parameters that consist of weights.
func (o Optimizer) RuleOf(weights []graph.Block) (*rule.Rule, error) {
	c, err := o.Config()
	if err != nil {
		return nil, err
	}
	r, err := c.RuleOf(weights)
	if err != nil {
		return nil, o.placeError(err)
	}
	with := o.Conditioning()
	if slices.ContainsFunc(o.parts, func(g Group) bool { return g.Optimizer.L2 != o.L2 }) {
		with.Decays = r.Decays(func(group int) float64 { return o.Part(group).L2 })
	}
	return r.Conditioned(with)
}

// Conditioning returns what is done to the gradient before the optimizer's formulas see it.
func (o Optimizer) Conditioning() rule.Conditioning {
	return rule.Conditioning{ClipValue: o.ClipValue, ClipNorm: o.ClipNorm, L2: o.L2, PyTorch: o.Values["preset"] == rule.PyTorch}
}

// Bare refuses an optimizer whose gradient is not the loss's own, for what is about its formulas alone.
func (o Optimizer) Bare() error {
	if c := o.Conditioning(); c.Active() {
		return schema.Setting{}.ValueError("optimizer", "%v changes the gradient before the formulas of %s see it, and this is about the formulas alone: leave it out", c, o.Name)
	}
	if o.SAM != 0 {
		return schema.Setting{}.ValueError("optimizer.sam", "this is about the formulas of %s alone, whatever the gradient: leave it out", o.Name)
	}
	return nil
}

// String returns the optimizer with its hyperparameters: adam(lr=0.001, beta1=0.9, ...).
func (o Optimizer) String() string {
	c, err := o.Config()
	if err != nil {
		return o.Name
	}
	text := c.String()
	if with := o.Conditioning(); with.Active() {
		text += " with " + with.String()
	}
	if o.SAM != 0 {
		text += fmt.Sprintf(" at sam=%v", o.SAM)
	}
	for _, g := range o.parts {
		text += fmt.Sprintf("; %v: %v", g.Group, g.Optimizer)
	}
	return text
}
