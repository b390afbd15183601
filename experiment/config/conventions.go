package config

import (
	"fmt"
	"strings"

	"shadowflow/rule"
	"shadowflow/schema"
)

// Conventions says in plain words whose conventions are in force, what is otherwise under the others, how to get those, and which keys would stay, for
// they are set; empty where there are no others. Of groups whose rule is another it says so, too, and of each rule what its definition notes.
func (o Optimizer) Conventions() string {
	var text []string
	c := o.conventions()
	if c.other != "" {
		text = append(text, fmt.Sprintf("Conventions: optimizer.preset is %s.", c.mine))
		switch {
		case len(c.apart) > 0:
			text = append(text, fmt.Sprintf("--set optimizer.preset=%s takes the others, of keys that are left out: %s.", c.other, strings.Join(c.apart, "; ")))
		case len(c.set) == 0:
			text = append(text, fmt.Sprintf("No default of %s is another under %s.", o.Name, c.other))
		}
		if len(c.set) > 0 {
			text = append(text, fmt.Sprintf("Under %s, too, stays what is set: %s.", c.other, strings.Join(c.set, "; ")))
		}
		if c.eps {
			text = append(text, "Where eps stands decides what is penalized.")
		}
	}
	text = append(text, c.noted(o.Name)...)
	said := map[string]bool{o.Name: true}
	for _, g := range o.parts {
		c, name := g.Optimizer.conventions(), g.Optimizer.Name
		if !said[name] && len(c.apart) > 0 {
			text = append(text, fmt.Sprintf("The preset of %s in optimizer.groups is %s; what differs under %s: %s.", name, c.mine, c.other, strings.Join(c.apart, "; ")))
		}
		if !said[name] {
			text = append(text, c.noted(name)...)
		}
		said[name] = true
	}
	return strings.Join(text, " ")
}

// conventions are whose conventions are in force, and whose are the others, none where other is empty.
type conventions struct {
	mine, other string
	// apart says what is otherwise under the others, and set which of the keys whose defaults differ are set, so that they stay.
	apart, set []string
	eps        bool   // where eps stands is otherwise
	note       string // of the definition
}

// noted is the sentence of the definition's note, none where it has none.
func (c conventions) noted(name string) []string {
	if c.note == "" {
		return nil
	}
	return []string{fmt.Sprintf("Of %s: %s.", name, c.note)}
}

// Deviations returns the hyperparameters, lr aside, that are set to another value than their default under the optimizer's preset, in the
// order of its definition.
func (o Optimizer) Deviations() []schema.Key {
	d, err := o.definition()
	if err != nil {
		return nil
	}
	preset, _ := o.Values["preset"].(string)
	var out []schema.Key
	for _, k := range d.Let {
		if have, ok := o.Values[k.Name]; ok && have != d.Preset(preset, k) {
			out = append(out, k)
		}
	}
	return out
}

// conventions compares the defaults under both.
func (o Optimizer) conventions() (c conventions) {
	d, err := o.definition()
	if err != nil {
		return conventions{}
	}
	if c.note = d.Note; len(d.Presets) == 0 {
		return c
	}
	c.mine, _ = o.Values["preset"].(string)
	if c.other = rule.PyTorch; c.mine == c.other {
		c.other = rule.Paper
	}
	for _, k := range d.Keys() {
		have, here, there := o.Values[k.Name], d.Preset(c.mine, k), d.Preset(c.other, k)
		if k.Name == "lr" {
			have = o.LR
		}
		switch {
		case here == there && (have == here || k.Type != schema.Flag):
		case here == there:
			c.set = append(c.set, fmt.Sprintf("%s is %v (by default %v under both)", k.Name, have, here))
		case have != here:
			c.set = append(c.set, fmt.Sprintf("%s is %v (by default %v, there %v)", k.Name, have, here, there))
		default:
			c.apart = append(c.apart, fmt.Sprintf("%s is %v, there %v", k.Name, have, there))
			c.eps = c.eps || k.Name == "eps_inside"
		}
	}
	if o.ClipNorm != 0 {
		exact, guarded := "c/norm", "c/(norm + 1e-6)"
		if c.mine == rule.PyTorch {
			exact, guarded = guarded, exact
		}
		c.apart = append(c.apart, fmt.Sprintf("the factor of clip_norm is %s, there %s", exact, guarded))
	}
	return c
}
