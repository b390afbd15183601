package config

import (
	"fmt"
	"strings"

	"shadowflow/rule"
	"shadowflow/schema"
)

// defaultBeta2 is that of a run of Adam or its relatives: close enough to beta1 for the
// modified equation to hold, unlike the 0.999 of most code.
const defaultBeta2 = 0.99

// optimizerKeys returns the keys of an optimizer, lr first.
func optimizerKeys(name string) ([]schema.Key, error) {
	names, err := rule.Keys(name)
	if err != nil {
		return nil, err
	}
	d, err := rule.Defaults(name)
	if err != nil {
		return nil, err
	}
	positive, decay := schema.ParseInterval("(0,inf)"), schema.ParseInterval("[0,1)")
	all := []schema.Key{
		{Name: "lr", Default: d.LR, Range: positive, Doc: "learning rate, the step size h of the modified equations"},
		{Name: "beta1", Default: d.Beta1, Range: decay, Doc: "decay of the mean of gradients (momentum)"},
		{Name: "beta2", Default: defaultBeta2, Range: decay, Doc: "decay of the mean of squared gradients; lion: of the momentum that is kept"},
		{Name: "eps", Default: d.Eps, Range: positive, Doc: "added to the mean of squared gradients, or to its root if eps_inside is false"},
		{Name: "weight_decay", Default: d.WeightDecay, Range: schema.ParseInterval("[0,inf)"), Doc: "decoupled weight decay lambda"},
		{Name: "eps_inside", Type: schema.Flag, Default: d.EpsInside, Doc: "eps inside the root, as in the paper; false: outside, as in PyTorch"},
		{Name: "bias_correction", Type: schema.Flag, Default: d.BiasCorrection, Doc: "divide the moments by the sum of their weights so far"},
	}
	var keys []schema.Key
	for _, k := range all {
		for _, n := range names {
			if n == k.Name {
				keys = append(keys, k)
			}
		}
	}
	return keys, nil
}

// Value returns a hyperparameter that is a number, 0 if the optimizer has none of that name.
func (o Optimizer) Value(key string) float64 {
	v, _ := o.Values[key].(float64)
	return v
}

// Config returns the optimizer as the rules' package takes it.
func (o Optimizer) Config() (rule.Config, error) {
	values := map[string]string{"lr": fmt.Sprint(o.LR)}
	for k, v := range o.Values {
		values[k] = fmt.Sprint(v)
	}
	return rule.Parse(o.Name, values)
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
	keys, err := optimizerKeys(o.Name)
	if err != nil {
		return o.Name
	}
	parts := make([]string, len(keys))
	for i, k := range keys {
		v := o.Values[k.Name]
		if k.Name == "lr" {
			v = o.LR
		}
		parts[i] = fmt.Sprintf("%s=%v", k.Name, v)
	}
	return o.Name + "(" + strings.Join(parts, ", ") + ")"
}
