package config

import (
	"slices"
	"sync"

	"shadowflow/dataset"
	"shadowflow/objective"
	"shadowflow/rule"
	"shadowflow/schema"
)

// Schema returns the schema of all configs.
var Schema = sync.OnceValue(newSchema)

func newSchema() *schema.Schema {
	var keys []schema.Key
	for _, k := range schema.KeysOf(defaults()) {
		switch k.Path() {
		case "data.name":
			k.Words = dataset.Names()
		case "objective.name":
			k.Words = append([]string{Network}, objective.Names()...)
		case "optimizer.name":
			k.Words = rule.Names()
		}
		keys = append(keys, k)
		switch k.Path() {
		case "objective.name":
			keys = append(keys, schema.Key{
				Section: "objective", Name: "theta", Type: schema.Numbers, Default: []float64(nil),
				Doc: "parameters to start from; empty: the objective's own start", When: []schema.Condition{{Key: k.Path(), Words: objective.Names()}},
			})
			for _, name := range objective.Names() {
				keys = append(keys, keysOf(k, name, objectiveKeys(name))...)
			}
		case "optimizer.name":
			for _, name := range rule.Names() {
				of, err := optimizerKeys(name)
				if err != nil {
					panic(err) // a name of its own
				}
				keys = append(keys, keysOf(k, name, of)...)
			}
		}
	}
	return schema.New(keys)
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
