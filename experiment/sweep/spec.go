package sweep

import (
	"bytes"
	"fmt"
	"slices"

	"shadowflow/experiment/config"
	"shadowflow/internal/plural"
	"shadowflow/schema"
)

// A Spec says what the runs of a sweep are made of: all combinations of an item of List, a position of Zip, a draw of Sample, a value of each key of Grid,
// and a seed. List varies slowest, then Zip, then Sample, then the keys of Grid as they stand, and the seed fastest.
type Spec struct {
	Name string
	// Base is the config that all runs start from.
	Base []schema.Setting
	// Overrides are groups of settings that replace those of Base, later ones earlier ones. No other part gives their keys values.
	Overrides [][]schema.Setting
	// List are sets of keys that are given values together.
	List [][]schema.Setting
	// Zip and Grid give keys lists of values; those of Zip are of one length.
	Zip, Grid []schema.Setting
	// Sample draws values at random, by the settings of the section sample of a file.
	Sample []schema.Setting
	Seeds  []uint64
	// AtLoss are the training losses at which the table shows the measurements.
	AtLoss []float64
	// Halving stops hopeless runs early, by the settings of the section halving of a file; nil for none.
	Halving []schema.Setting
	// Slurm is what Slurm is asked for, settings of [Slurm].
	Slurm []schema.Setting

	file string                    // that it was read from
	at   map[string]schema.Setting // keys of the file
}

// Seeds returns n seeds, counted from 0.
func Seeds(n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = uint64(i)
	}
	return out
}

// A dimension is an axis of the sweep: each run takes one of its choices.
type dimension struct {
	name    string // in the sweep file
	setting schema.Setting
	choices []choice
}

// A choice is a set of keys that are given values together.
type choice []schema.Setting

// keys returns the keys that the choices give values.
func (d dimension) keys() []string {
	var keys []string
	for _, c := range d.choices {
		for _, s := range c {
			if !slices.Contains(keys, s.Key) {
				keys = append(keys, s.Key)
			}
		}
	}
	return keys
}

func (d dimension) fail(problem string, args ...any) error {
	return d.setting.KeyError(d.name, problem, args...)
}

// dimensions returns the axes, the last of which varies fastest.
func (s *Spec) dimensions() ([]dimension, error) {
	var out []dimension
	if s.List != nil {
		d := dimension{name: "list", setting: s.at["list"]}
		for _, c := range s.List {
			d.choices = append(d.choices, c)
		}
		out = append(out, d)
	}
	together, err := axes("zip", s.Zip)
	if err != nil {
		return nil, err
	}
	if len(together) > 0 {
		zip := dimension{name: "zip", setting: s.at["zip"], choices: make([]choice, len(together[0].choices))}
		for _, d := range together {
			if len(d.choices) != len(zip.choices) {
				return nil, d.fail("%s, and %s has %d; lists of a zip are of one length", plural.Count(len(d.choices), "value"), together[0].name, len(zip.choices))
			}
			for i, c := range d.choices {
				zip.choices[i] = append(zip.choices[i], c...)
			}
		}
		out = append(out, zip)
	}
	if s.Sample != nil {
		d, err := s.draws()
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	grid, err := axes("grid", s.Grid)
	if err != nil {
		return nil, err
	}
	out = append(out, grid...)
	if s.Seeds != nil {
		d := dimension{name: "seeds", setting: s.at["seeds"]}
		for _, seed := range s.Seeds {
			d.choices = append(d.choices, choice{schema.Set("seed", seed)})
		}
		out = append(out, d)
	}
	return out, check(out)
}

// axes returns a dimension for each key with a list of values.
func axes(name string, keys []schema.Setting) ([]dimension, error) {
	var out []dimension
	for _, s := range keys {
		d := dimension{name: name + ": " + s.Key, setting: s}
		items, ok := s.Items()
		if !ok {
			return nil, d.fail("expected a list of values, like [0.9, 0.99]")
		}
		for _, item := range items {
			d.choices = append(d.choices, choice{item})
		}
		out = append(out, d)
	}
	return out, nil
}

// check refuses dimensions without choices, and a key that two dimensions give values: the later would win silently.
func check(dimensions []dimension) error {
	by := map[string]string{}
	for _, d := range dimensions {
		if len(d.choices) == 0 {
			return d.fail("an empty list makes no runs; give values, or leave the key out")
		}
		for _, key := range d.keys() {
			if other, ok := by[key]; ok {
				return d.fail("gives values to %s, and so does %s", key, other)
			}
			by[key] = d.name
		}
	}
	return nil
}

// override puts the overrides into the base. It refuses those of a key that a dimension gives values, for they would not count.
func (s *Spec) override(dimensions []dimension) (err error) {
	if len(s.Overrides) == 0 {
		return nil
	}
	keys, err := config.SchemaOf(append([][]schema.Setting{s.Base}, s.Overrides...)...)
	if err != nil {
		return err
	}
	given, err := keys.Merge(nil, s.Overrides...)
	if err != nil {
		return err
	}
	defines := slices.ContainsFunc(given, func(s schema.Setting) bool { return s.Key == "optimizer.update" })
	for _, d := range dimensions {
		for _, c := range d.choices {
			inside, _ := keys.Merge(c) // what is wrong with it is said where it is resolved
			for _, g := range given {
				if defines && g.Key == "optimizer.lr" {
					continue // a definition states its default
				}
				if slices.ContainsFunc(inside, func(s schema.Setting) bool { return s.Key == g.Key }) {
					return g.KeyError(g.Key, "of no use, for the sweep gives it values: %s", d.name)
				}
			}
		}
	}
	s.Base, err = keys.Merge(s.Base, s.Overrides...)
	return err
}

// yaml writes the sweep file of a spec.
func (s *Spec) yaml() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "name: %s\n", schema.Format(s.Name))
	section := func(name string, settings []schema.Setting) {
		if len(settings) > 0 {
			fmt.Fprintf(&b, "%s:\n", name)
		}
		for _, s := range settings {
			fmt.Fprintf(&b, "  %s: %s\n", s.Key, schema.Format(s.Value))
		}
	}
	section("base", s.Base)
	if s.List != nil {
		fmt.Fprintln(&b, "list:")
	}
	for _, c := range s.List {
		fmt.Fprintf(&b, "- %s\n", schema.Format(c))
	}
	section("zip", s.Zip)
	section("sample", s.Sample)
	section("grid", s.Grid)
	switch {
	case s.Seeds == nil:
	case slices.Equal(s.Seeds, Seeds(len(s.Seeds))):
		fmt.Fprintf(&b, "seeds: %d\n", len(s.Seeds))
	default:
		fmt.Fprintf(&b, "seeds: %s\n", schema.Format(s.Seeds))
	}
	if s.AtLoss != nil {
		fmt.Fprintf(&b, "at_loss: %s\n", schema.Format(s.AtLoss))
	}
	section("halving", s.Halving)
	section("slurm", s.Slurm)
	return b.Bytes()
}
