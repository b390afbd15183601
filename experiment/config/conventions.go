package config

import (
	"fmt"
	"strings"

	"shadowflow/rule"
)

// Conventions says in plain words whose conventions are in force, what differs under the others, and how to get those; empty where there are
// no others. Of groups whose rule is another it says so, too.
func (o Optimizer) Conventions() string {
	said := map[string]bool{o.Name: true}
	text := o.conventions()
	for _, g := range o.parts {
		if own := g.Optimizer.conventions(); own != "" && !said[g.Optimizer.Name] {
			text = strings.TrimSpace(fmt.Sprintf("%s %s: %s", text, g.Optimizer.Name, own))
		}
		said[g.Optimizer.Name] = true
	}
	return text
}

func (o Optimizer) conventions() string {
	d, err := o.definition()
	if err != nil || len(d.Presets) == 0 {
		return ""
	}
	mine, _ := o.Values["preset"].(string)
	other := rule.PyTorch
	if mine == other {
		other = rule.Paper
	}
	var apart []string
	for _, k := range d.Keys() {
		have, there := o.Values[k.Name], d.Preset(other, k)
		if k.Name == "lr" {
			have = o.LR
		}
		if have != there && d.Preset(mine, k) != there {
			apart = append(apart, fmt.Sprintf("%s is %v, there %v", k.Name, have, there))
		}
	}
	text := fmt.Sprintf("Conventions: optimizer.preset is %s. ", mine)
	if len(apart) == 0 {
		return text + fmt.Sprintf("No default of %s is another under %s.", o.Name, other)
	}
	text += fmt.Sprintf("--set optimizer.preset=%s takes the others: %s.", other, strings.Join(apart, "; "))
	if o.Values["eps_inside"] != nil {
		text += " Where eps stands decides what is penalized."
	}
	return text
}
