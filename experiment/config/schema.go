package config

import (
	"maps"
	"slices"
	"sync"

	"shadowflow/dataset"
	"shadowflow/nn"
	"shadowflow/objective/closed"
	"shadowflow/rule"
	"shadowflow/schema"
)

// Schema returns the schema of all configs that define no optimizer themselves.
var Schema = sync.OnceValue(func() *schema.Schema { return newSchema(nil) })

// SchemaOf returns the schema of configs with the optimizers that groups of settings define.
func SchemaOf(groups ...[]schema.Setting) (*schema.Schema, error) {
	own, _, err := ownDefinitions(groups)
	if err != nil || own == nil {
		return Schema(), err
	}
	return newSchema(own), nil
}

// Schema returns the schema of the config, with the optimizer that it defines if it does.
func (c *Config) Schema() *schema.Schema { return c.schema() }

func (c *Config) schema() *schema.Schema {
	if d, err := c.Optimizer.definition(); err == nil && c.Optimizer.Own() {
		return newSchema([]*rule.Definition{d})
	}
	return Schema()
}

// JSONSchema returns the schema of configs for editors, to be marshalled: those that define an optimizer themselves are configs too.
func (c *Config) JSONSchema(title string) any {
	if c.Optimizer.Own() {
		return c.schema().JSONSchema(title, nil)
	}
	return Schema().JSONSchema(title, &schema.Free{
		Section: "optimizer", Key: "update", Selector: "name", Pattern: `/|\\|\.ya?ml$`, Keys: definitionKeys,
	})
}

// newSchema returns the schema of configs with optimizers of their own, beside the built-in ones whose names they do not take.
func newSchema(own []*rule.Definition) *schema.Schema {
	keys := slices.Clone(configKeys(own))
	groups := slices.IndexFunc(keys, func(k schema.Key) bool { return k.Path() == groupPath })
	keys[groups].Inside = groupKeys(keys)
	s := schema.New(keys)
	s.Hint = hint
	return s
}

// builtinKeys are those of configs that define no optimizer themselves.
var builtinKeys = sync.OnceValue(func() []schema.Key { return makeKeys(nil) })

// configKeys returns the keys of configs with optimizers of their own, which are not the caller's to change.
func configKeys(own []*rule.Definition) []schema.Key {
	if len(own) == 0 {
		return builtinKeys()
	}
	return makeKeys(own)
}

func makeKeys(own []*rule.Definition) []schema.Key {
	optimizers, names := map[string]*rule.Definition{}, rule.Names()
	for _, name := range names {
		d, err := rule.Find(name)
		if err != nil {
			panic(err) // a name of its own
		}
		optimizers[name] = d
	}
	defined := map[string]bool{}
	for _, d := range own {
		if optimizers[d.Name] == nil {
			names = append(names, d.Name)
		}
		optimizers[d.Name], defined[d.Name] = d, true
	}
	var keys []schema.Key
	for _, k := range schema.KeysOf(defaults()) {
		switch k.Path() {
		case "data.name":
			k.Words = dataset.Names()
		case "objective.name":
			k.Words = append([]string{Network, Worker, Watched}, closed.Names()...)
		case "optimizer.name":
			k.Words = names
		}
		keys = append(keys, k)
		switch k.Path() {
		case "objective.name":
			keys = append(keys, schema.Key{
				Section: "objective", Name: "theta", Type: schema.Numbers, Default: []float64(nil),
				Doc: "parameters to start from; empty: the objective's own start", When: []schema.Condition{{Key: k.Path(), Words: closed.Names()}},
			})
			for _, name := range closed.Names() {
				keys = append(keys, keysOf(k, name, closed.Keys(name))...)
			}
		case "model.dim", "model.depth", "model.heads":
			keys = append(keys, ofGPT(k))
		case "batch.physical":
			images, windows := k, k
			images.When = append(k.When[:len(k.When):len(k.When)], schema.Condition{Key: "model.name", Words: append(others("gpt", nn.Names()), ONNX)})
			windows.When = append(k.When[:len(k.When):len(k.When)], schema.Condition{Key: "model.name", Words: []string{"gpt"}})
			windows.Default = windowsAtOnce
			keys = append(keys[:len(keys)-1], images, windows)
		case "optimizer.name":
			keys = append(keys, presetKeys(names, optimizers)...)
			for _, name := range names {
				keys = append(keys, optimizerKeys(k, optimizers[name])...)
				if defined[name] {
					keys = append(keys, keysOf(k, name, definitionKeys)...)
				}
			}
		}
	}
	return keys
}

// presetPath is the key that says whose conventions count.
const presetPath = "optimizer.preset"

// presetKeys returns the key of conventions, for the optimizers that there are several of.
func presetKeys(names []string, optimizers map[string]*rule.Definition) []schema.Key {
	var several, words []string
	for _, name := range names {
		for preset := range optimizers[name].Presets {
			if !slices.Contains(several, name) {
				several = append(several, name)
			}
			if !slices.Contains(words, preset) {
				words = append(words, preset)
			}
		}
	}
	if words == nil {
		return nil
	}
	slices.Sort(words)
	return []schema.Key{{
		Section: "optimizer", Name: "preset", Type: schema.Text, Words: append([]string{rule.Paper}, words...), Default: rule.Paper, Sparse: true,
		Doc:  "whose conventions are the defaults of the optimizer's keys: its definition's, which follow the papers, or those of torch.optim or, where it has none, of the authors' code in PyTorch, whose clipping counts too",
		When: []schema.Condition{{Key: "optimizer.name", Words: several}},
	}}
}

// optimizerKeys returns lr and the hyperparameters of an optimizer, those whose defaults depend on the conventions once for each.
func optimizerKeys(selector schema.Key, d *rule.Definition) []schema.Key {
	var keys []schema.Key
	for _, k := range d.Keys() {
		defaults := map[any][]string{k.Default: {rule.Paper}}
		for _, preset := range slices.Sorted(maps.Keys(d.Presets)) {
			v := d.Preset(preset, k)
			defaults[v] = append(defaults[v], preset)
		}
		if len(defaults) == 1 {
			keys = append(keys, keysOf(selector, d.Name, []schema.Key{k})...)
			continue
		}
		for _, preset := range append([]string{rule.Paper}, slices.Sorted(maps.Keys(d.Presets))...) {
			variant := k
			variant.Default = d.Preset(preset, k)
			if presets := defaults[variant.Default]; presets[0] == preset {
				variants := keysOf(selector, d.Name, []schema.Key{variant})
				variants[0].When = append(variants[0].When, schema.Condition{Key: presetPath, Words: presets})
				keys = append(keys, variants...)
			}
		}
	}
	return keys
}

// windowsAtOnce is the default size of a language model's micro-batch.
const windowsAtOnce = 32

// others returns the words but one.
func others(word string, words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == word })
}

// ofGPT returns a key of the vision transformer as GPT has it, with the default that this has by itself.
func ofGPT(k schema.Key) schema.Key {
	m := defaultModel()
	m.Name = "gpt"
	if a, err := nn.Named(m.Name); err == nil {
		g := a.(*nn.GPT)
		m.Dim, m.Depth, m.Heads = g.Dim, g.Depth, g.Heads
	}
	k.Default = schema.Load(Config{Model: m})[k.Path()]
	k.When = slices.Clone(k.When)
	k.When[len(k.When)-1].Words = []string{m.Name}
	return k
}

// definitionKeys are those of a definition in a config, beside the name and the keys that it makes.
var definitionKeys = []schema.Key{
	{Name: "title", Type: schema.Text, Default: "", Sparse: true, Doc: "what the optimizer is, a line"},
	{Name: "paper", Type: schema.Text, Default: "", Sparse: true, Doc: "where the optimizer comes from"},
	{Name: "remembers", Type: schema.Text, Default: "", Sparse: true, Doc: "what the optimizer remembers that no means of functions of the gradient are, where it does: why it has no equation without memory"},
	{Name: "note", Type: schema.Text, Default: "", Sparse: true, Doc: "what a library or the paper has otherwise that no preset sets, which a run's first line says"},
	{Name: "presets", Type: schema.Tree, Default: []schema.Setting(nil), Sparse: true, Doc: "other conventions: values of lr and hyperparameters, by name"},
	{Name: "let", Type: schema.Tree, Default: []schema.Setting(nil), Sparse: true, Doc: "hyperparameters of the optimizer, with their defaults"},
	{Name: "state", Type: schema.Tree, Default: []schema.Setting(nil), Sparse: true, Doc: "what the optimizer remembers: formulas, in order"},
	{Name: "update", Type: schema.Text, Default: "", Doc: "formula of the optimizer's update; a step subtracts lr times it"},
}

// keysOf returns keys that have a meaning for one value of their section's selector. Numbers in them change no step's time, except for
// whole ones, which are sizes.
func keysOf(selector schema.Key, value string, keys []schema.Key) []schema.Key {
	keys = slices.Clone(keys)
	for i := range keys {
		k := &keys[i]
		k.Section, k.When = selector.Section, []schema.Condition{{Key: selector.Path(), Words: []string{value}}}
		k.Timeless = k.Type == schema.Number || k.Type == schema.Seed
	}
	return keys
}
