package config

import (
	"fmt"
	"strings"

	"shadowflow/rule"
)

// Conventions says in plain words whose conventions are in force, what differs under the others, and how to get those; empty where there are
// no others. Of groups whose rule is another it says so, too.
func (o Optimizer) Conventions() string {
	var text []string
	if mine, other, apart := o.conventions(); other != "" {
		text = append(text, fmt.Sprintf("Conventions: optimizer.preset is %s.", mine))
		if len(apart) == 0 {
			text = append(text, fmt.Sprintf("No default of %s is another under %s.", o.Name, other))
		} else {
			text = append(text, fmt.Sprintf("--set optimizer.preset=%s takes the others: %s.", other, strings.Join(apart, "; ")))
		}
		if len(apart) > 0 && o.Values["eps_inside"] != nil {
			text = append(text, "Where eps stands decides what is penalized.")
		}
	}
	said := map[string]bool{o.Name: true}
	for _, g := range o.parts {
		mine, other, apart := g.Optimizer.conventions()
		if name := g.Optimizer.Name; !said[name] && len(apart) > 0 {
			text = append(text, fmt.Sprintf("The preset of %s in optimizer.groups is %s; what differs under %s: %s.", name, mine, other, strings.Join(apart, "; ")))
		}
		said[g.Optimizer.Name] = true
	}
	return strings.Join(text, " ")
}

// conventions returns whose conventions are in force, whose are the others, none where other is empty, and what differs.
func (o Optimizer) conventions() (mine, other string, apart []string) {
	d, err := o.definition()
	if err != nil || len(d.Presets) == 0 {
		return "", "", nil
	}
	mine, _ = o.Values["preset"].(string)
	if other = rule.PyTorch; mine == other {
		other = rule.Paper
	}
	for _, k := range d.Keys() {
		have, there := o.Values[k.Name], d.Preset(other, k)
		if k.Name == "lr" {
			have = o.LR
		}
		if have != there && d.Preset(mine, k) != there {
			apart = append(apart, fmt.Sprintf("%s is %v, there %v", k.Name, have, there))
		}
	}
	return mine, other, apart
}
