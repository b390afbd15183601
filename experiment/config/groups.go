package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"shadowflow/rule"
	"shadowflow/schema"
)

// Group is a group of the section optimizer: which weights it holds, and what their optimizer is.
type Group struct {
	rule.Group
	Optimizer Optimizer
}

// group is a group as its keys say it.
type group struct {
	Match []string `yaml:"match,omitempty" doc:"patterns of weights' names, one of which matches: * stands for any characters, ? for one, [ab] for one of some"`
	Dims  []int    `yaml:"dims,omitempty" range:"[0,16]" doc:"numbers of dimensions, one of which a weight has: 1 of biases and norms, 2 of matrices, 4 of kernels"`
	Scale *float64 `yaml:"lr_scale" range:"[0,inf)" doc:"factor of optimizer.lr, in the place of lr; 0: the weights stay as they are"`
	Name  string   `yaml:"name" selector:"true" doc:"update rule of these weights; with another than optimizer.name, lr and hyperparameters are by default that rule's own, else optimizer's"`
	LR    float64  `yaml:"lr"`
	L2    float64  `yaml:"l2"`

	Values map[string]any `yaml:",inline"`
}

// groupPath is the key of groups.
const groupPath = "optimizer.groups"

// ofAll are the keys that are of all weights.
var ofAll = []string{"groups", "clip_value", "clip_norm", "sam", "moments", "moments_steps"}

// Parts returns the groups of the section, in order.
func (o Optimizer) Parts() []Group { return o.parts }

// Part returns the optimizer of a group's weights, of those counted from 1; 0 stands for the section's own, of the weights that
// no group holds.
func (o Optimizer) Part(group int) Optimizer {
	if group > 0 {
		return o.parts[group-1].Optimizer
	}
	o.parts, o.placed, o.Groups = nil, nil, nil
	return o
}

// Holds returns which weights are in a group, counted from 1; for 0, those that are left to the optimizer itself.
func (o Optimizer) Holds(group int) string {
	if group > 0 {
		return o.parts[group-1].String()
	}
	return rule.Rest
}

// resolveGroups reads the groups of a config; own are the optimizers that the config defines.
func (c *Config) resolveGroups(r *schema.Resolved, own []*rule.Definition) {
	given, _ := r.Given(groupPath)
	items, _ := given.Items()
	o := &c.Optimizer
	o.Groups = nil
	if len(items) == 0 {
		return
	}
	keys := o.groupSchema(own, nil)
	for i, item := range items {
		g, settings, err := o.group(item, own, keys)
		if err != nil {
			r.FailInside(groupPath, fmt.Sprintf("group %d", 1+i), err)
			continue
		}
		o.parts, o.placed, o.Groups = append(o.parts, g), append(o.placed, item), append(o.Groups, settings)
	}
}

// group reads one, and returns its settings as resolved: what it needs to be read again under the same optimizer. s is the schema of a group that
// defines no optimizer itself.
func (o *Optimizer) group(item schema.Setting, own []*rule.Definition, s *schema.Schema) (Group, []schema.Setting, schema.Errors) {
	inside, _ := item.Value.([]schema.Setting)
	inside = slices.Clone(inside)
	var wrong schema.Errors
	for i, s := range inside {
		_, isText := s.Text()
		switch {
		case slices.Contains(ofAll, s.Key), s.Key == "state" && isText:
			wrong = append(wrong, flatten(s.KeyError("optimizer."+s.Key, "it is of all weights; give it in the section optimizer"))...)
		case isText && (s.Key == "match" || s.Key == "dims"): // a list of one
			inside[i].Value = []any{s.Value}
		}
	}
	if wrong != nil {
		return Group{}, nil, wrong
	}
	item.Key, item.Value = "optimizer", inside
	defined, kept, err := ownDefinitions([][]schema.Setting{{item}})
	if err != nil {
		return Group{}, nil, flatten(err)
	}
	if defined != nil {
		s = o.groupSchema(append(slices.Clone(own), defined...), defined)
	}
	r := s.Resolve(kept[0])
	var read struct {
		Optimizer group `yaml:"optimizer"`
	}
	r.Values.Store(&read)
	g := o.made(read.Optimizer)
	if key, problem := g.Validate(); problem != "" {
		r.Fail("optimizer."+key, problem)
	}
	if _, both := r.Given("optimizer.lr"); both && read.Optimizer.Scale != nil && defined == nil {
		r.Fail("optimizer.lr_scale", "lr is given as well; give one of them")
	}
	if err := r.Err(); err != nil {
		return Group{}, nil, flatten(err)
	}
	return g, o.settings(s, r), nil
}

// made returns the group that keys say.
func (o *Optimizer) made(k group) Group {
	g := Group{Group: rule.Group{Match: k.Match, Dims: k.Dims}, Optimizer: Optimizer{Name: k.Name, LR: k.LR, L2: k.L2, Values: k.Values}}
	if k.Scale != nil {
		g.Scale = *k.Scale
		g.Optimizer.LR = o.LR * g.Scale
	} else {
		g.Scale = k.LR / o.LR
	}
	if k.Name == o.Name && k.Values["update"] == nil {
		g.Optimizer.Values = maps.Clone(o.Values)
		maps.Copy(g.Optimizer.Values, k.Values)
	}
	return g
}

// settings returns those of a group as resolved: of the same rule those that it was given, for the others are the optimizer's; of
// another all.
func (o *Optimizer) settings(s *schema.Schema, r *schema.Resolved) []schema.Setting {
	var out []schema.Setting
	_, scaled := r.Given("optimizer.lr_scale")
	own := r.Values["optimizer.name"] != o.Name || r.Values["optimizer.update"] != nil
	for _, path := range s.Paths() {
		k := s.Find(path, r.Values)
		if k == nil {
			continue
		}
		v := r.Values[path]
		_, given := r.Given(path)
		unsaid := v == nil || k.Sparse && reflect.DeepEqual(v, k.Default) || path == "optimizer.lr" && scaled
		if given || own && !unsaid {
			out = append(out, schema.Set(k.Name, v))
		}
	}
	return out
}

// groupSchema returns the schema of a group, for which the optimizer's values are the defaults of the same rule's. own are the
// optimizers that the config defines, defined those among them that the group does.
func (o *Optimizer) groupSchema(own, defined []*rule.Definition) *schema.Schema {
	keys := groupOwnKeys()
	name := len(keys) - 1
	if keys[name].Default = o.Name; defined != nil {
		keys[name].Default = defined[0].Name
	}
	seen := map[string]bool{}
	for _, k := range configKeys(own) {
		same := len(k.When) > 0 && slices.Equal(k.When[0].Words, []string{o.Name}) && defined == nil
		switch {
		case k.Path() == "optimizer.name":
			keys[name].Words = k.Words
			continue
		case k.Path() == "optimizer.l2":
			k.Default = o.L2
		case k.Section != "optimizer" || len(k.When) == 0 || same && (seen[k.Name] || slices.Contains(rule.DefinitionKeys(), k.Name)):
			continue
		case k.Path() == presetPath:
			if preset := o.Values["preset"]; preset != nil {
				k.Default = preset
			}
			if defined == nil {
				k.When = []schema.Condition{{Key: "optimizer.name", Words: others(o.Name, k.When[0].Words)}}
			}
		case same:
			k.Default, k.When, seen[k.Name] = o.Values[k.Name], k.When[:1], true
			if k.Name == "lr" {
				k.Default = o.LR
			}
		}
		keys = append(keys, k)
	}
	s := schema.New(keys)
	s.Hint = hint
	return s
}

// groupOwnKeys are the keys that a group has of its own, and at last its name.
func groupOwnKeys() []schema.Key {
	return schema.KeysOf(struct {
		Optimizer group `yaml:"optimizer"`
	}{})
}

// groupKeys are all that a group may have, for editors; of a key that is not the same of all optimizers, any value.
func groupKeys(keys []schema.Key) []schema.Key {
	out := groupOwnKeys()
	for _, k := range keys {
		if k.Section != "optimizer" || len(k.When) == 0 && k.Name != "l2" {
			continue
		}
		i := slices.IndexFunc(out, func(other schema.Key) bool { return other.Name == k.Name })
		if i < 0 {
			out = append(out, k)
		} else if !reflect.DeepEqual(out[i].Range, k.Range) {
			out[i].Range = nil
		}
	}
	return out
}

// placeError returns an error with the place of the group's key that it is about.
func (o Optimizer) placeError(err error) error {
	var wrong *rule.GroupError
	if !errors.As(err, &wrong) {
		return err
	}
	at := o.placed[wrong.Group]
	inside, _ := at.Value.([]schema.Setting)
	for _, s := range inside {
		if s.Key == wrong.Key {
			at = s
		}
	}
	return at.ValueError(groupPath, "group %d: %s: %s", 1+wrong.Group, wrong.Key, wrong.Problem)
}

// flatten returns the errors of settings that an error is made of.
func flatten(err error) schema.Errors {
	var one *schema.Error
	var many schema.Errors
	switch joined, ok := err.(interface{ Unwrap() []error }); {
	case errors.As(err, &many):
		return many
	case ok:
		for _, e := range joined.Unwrap() {
			many = append(many, flatten(e)...)
		}
	case errors.As(err, &one):
		many = append(many, one)
	case err != nil:
		many = append(many, &schema.Error{Problem: err.Error()})
	}
	return many
}
