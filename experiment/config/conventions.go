package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"shadowflow/rule"
)

// Conventions says in plain words whose conventions are in force, what differs under the others, and how to get those; empty where there are
// no others.
func (o Optimizer) Conventions() string {
	d, err := o.definition()
	if err != nil || len(d.Presets) == 0 {
		return ""
	}
	whose := map[string]string{rule.Paper: "the papers", rule.PyTorch: "PyTorch"}
	mine, _ := o.Values["preset"].(string)
	other := rule.PyTorch
	if mine == rule.PyTorch {
		other = rule.Paper
	}
	var apart []string
	for _, k := range d.Keys() {
		have, there := o.Values[k.Name], d.Preset(other, k)
		if k.Name == "lr" {
			have = o.LR
		}
		if mixed := d.Preset(rule.Paper, k) != d.Preset(rule.PyTorch, k); mixed && have != there {
			apart = append(apart, fmt.Sprintf("%s is %v, where %s have %v", k.Name, have, whose[other], there))
		}
	}
	text := fmt.Sprintf("Conventions of %s (optimizer.preset: %s)", whose[mine], mine)
	if len(apart) == 0 {
		return text + "; nothing of them differs here from those of " + whose[other] + "."
	}
	text += ": " + strings.ReplaceAll(strings.Join(apart, "; "), "PyTorch have", "PyTorch has") + "."
	if slices.Contains(slices.Collect(maps.Keys(d.Presets)), other) || other == rule.Paper {
		text += fmt.Sprintf(" --set optimizer.preset=%s takes the others.", other)
	}
	if o.Values["eps_inside"] != nil {
		text += " Where eps stands decides what is penalized."
	}
	return text
}
