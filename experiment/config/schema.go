package config

import (
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

// newSchema returns the schema of configs with optimizers of their own, beside the built-in ones whose names they do not take.
func newSchema(own []*rule.Definition) *schema.Schema {
	optimizers := map[string][]schema.Key{}
	names := rule.Names()
	for _, name := range names {
		of, err := rule.Keys(name)
		if err != nil {
			panic(err) // a name of its own
		}
		optimizers[name] = of
	}
	for _, d := range own {
		if optimizers[d.Name] == nil {
			names = append(names, d.Name)
		}
		optimizers[d.Name] = append(d.Keys(), definitionKeys...)
	}
	var keys []schema.Key
	for _, k := range schema.KeysOf(defaults()) {
		switch k.Path() {
		case "data.name":
			k.Words = dataset.Names()
		case "objective.name":
			k.Words = append([]string{Network}, closed.Names()...)
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
			images.When = append(k.When[:len(k.When):len(k.When)], schema.Condition{Key: "model.name", Words: others("gpt", nn.Names())})
			windows.When = append(k.When[:len(k.When):len(k.When)], schema.Condition{Key: "model.name", Words: []string{"gpt"}})
			windows.Default = windowsAtOnce
			keys = append(keys[:len(keys)-1], images, windows)
		case "optimizer.name":
			for _, name := range names {
				keys = append(keys, keysOf(k, name, optimizers[name])...)
			}
		}
	}
	return schema.New(keys)
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
