package config

import (
	"errors"

	"shadowflow/dataset"
	"shadowflow/schema"
)

// Resolve returns the config of a document's settings and those that override it. Keys left out have their defaults.
//
// The error is a schema.Errors with everything that is wrong. A key that the section's name (or mode, kind, method) has no use for is an
// error, except for a key of the document whose section was given another name by an override: that one is dropped.
func Resolve(document []schema.Setting, overrides ...[]schema.Setting) (*Config, error) {
	own, groups, err := ownDefinitions(append([][]schema.Setting{document}, overrides...))
	if err != nil {
		return nil, err
	}
	s := Schema()
	if own != nil {
		s = newSchema(own)
	}
	r := s.Resolve(groups[0], groups[1:]...)
	c := &Config{}
	r.Values.Store(c)
	c.Data.Context = c.Model.Context
	if r.Err() == nil {
		checkTogether(r, c)
		c.resolveGroups(r, own)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// New returns the config of some settings; see Resolve.
func New(settings ...schema.Setting) (*Config, error) { return Resolve(settings) }

// Default returns the run with no arguments: full-batch Adam on the
// handwritten digits.
func Default() *Config {
	c, err := New()
	if err != nil {
		panic(err) // the defaults are right
	}
	return c
}

// Parse reads a config from YAML and then applies overrides, each as --set takes it: settings key=value with commas between them, of
// dotted keys and YAML values: "optimizer.beta2=0.99,model.hidden=[64,64]", "data={name: npz, path: x.npz}". name is what errors call src;
// a nil src is an empty config.
func Parse(name string, src []byte, overrides []string) (*Config, error) {
	document, err := schema.Parse(name, src)
	if err != nil {
		return nil, err
	}
	groups := make([][]schema.Setting, len(overrides))
	var wrong []error
	for i, text := range overrides {
		groups[i], err = schema.ParseSet("--set", text)
		wrong = append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return Resolve(document, groups...)
}

// Read parses the config in a file; see Parse.
func Read(path string, overrides []string) (*Config, error) {
	src, err := schema.Source(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src, overrides)
}

// checkTogether checks what concerns several keys at once.
func checkTogether(r *schema.Resolved, c *Config) {
	var wrong *dataset.FieldError
	if c.Objective.Name == Network && errors.As(c.Data.Validate(), &wrong) {
		r.Fail("data."+wrong.Field, wrong.Problem)
	}
	if wrong := c.checkSchedule(); wrong != nil {
		r.Fail("schedule."+wrong.Key, wrong.Problem)
	}
}

// YAML returns the config as resolved: every key that has a meaning in it, with its
// value. Parse makes the same Config of it.
func (c *Config) YAML() []byte { return c.schema().YAML(schema.Load(*c), nil) }

// Hash returns a name for what the run computes: equal configs have equal hashes,
// and so have configs that differ only in what cannot change the results.
func (c *Config) Hash() string {
	return c.schema().Hash(schema.Load(*c), func(k *schema.Key) bool { return !k.Inert })
}

// OfSeeds returns the config with each of some seeds, and their hashes: at a small part of the cost of resolving each.
func (c *Config) OfSeeds(seeds []uint64) (configs []*Config, hashes []string) {
	values := make([]any, len(seeds))
	for i, seed := range seeds {
		one := *c
		one.Seed, values[i] = seed, seed
		configs = append(configs, &one)
	}
	return configs, c.schema().Hashes(schema.Load(*c), func(k *schema.Key) bool { return !k.Inert }, "seed", values)
}

// Kind returns a name for what the time of a step depends on: configs of one kind differ in numbers that change no shapes.
func (c *Config) Kind() string {
	k := *c
	if k.Bias.Scale != 0 {
		k.Bias.Scale = 1
	}
	return k.schema().Hash(schema.Load(k), func(k *schema.Key) bool { return !k.Inert && !k.Timeless })
}

// Get returns the value of a dotted key: a number, a bool, a string or a list; nil if the key has no meaning in the config.
func (c *Config) Get(key string) any { return c.Values([]string{key})[0] }

// Values returns the values of dotted keys in their order, each as Get does, at little more than the cost of one.
func (c *Config) Values(keys []string) []any {
	s, values := c.schema(), schema.Load(*c)
	out := make([]any, len(keys))
	for i, key := range keys {
		out[i] = s.Get(key, values)
	}
	return out
}
