package config

import "shadowflow/schema"

// A Change is a key that has not the same value in two configs.
type Change struct {
	Key string
	// Before and Now are its values as YAML, empty where it has no meaning.
	Before, Now string
}

// Changes returns the keys whose values differ in a config that takes the place of this one, but for those that cannot change what is
// computed.
func (c *Config) Changes(now *Config) []Change {
	before, after := schema.Load(*c), schema.Load(*now)
	seen := map[string]bool{}
	var out []Change
	for _, path := range append(now.schema().Paths(), c.schema().Paths()...) {
		if seen[path] {
			continue
		}
		seen[path] = true
		was, is := c.schema().Find(path, before), now.schema().Find(path, after)
		if was != nil && was.Inert || is != nil && is.Inert {
			continue
		}
		change := Change{Key: path}
		if was != nil {
			change.Before = schema.Format(before[path])
		}
		if is != nil {
			change.Now = schema.Format(after[path])
		}
		if change.Before != change.Now {
			out = append(out, change)
		}
	}
	return out
}
