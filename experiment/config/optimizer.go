package config

import (
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
	values := map[string]any{"lr": o.LR}
	for _, k := range d.Let {
		values[k.Name] = o.Values[k.Name]
	}
	return d.New(values)
}

// Rule returns the optimizer's rule.
func (o Optimizer) Rule() (*rule.Rule, error) {
	c, err := o.Config()
	if err != nil {
		return nil, err
	}
	return c.Rule()
}

// String returns the optimizer with its hyperparameters: adam(lr=0.001, beta1=0.9, ...).
func (o Optimizer) String() string {
	c, err := o.Config()
	if err != nil {
		return o.Name
	}
	return c.String()
}
