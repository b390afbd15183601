package rule

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Config names a rule of the literature and its hyperparameters. Start from [Defaults]; a rule uses the fields that [Keys]
// lists for it and no others.
type Config struct {
	Name string
	// LR is the step size, the paper's h: above 0.
	LR float64
	// Beta1 is the decay of the first moment (momentum), the paper's beta: in [0, 1).
	Beta1 float64
	// Beta2 is the decay of the second moment, the paper's rho; in Lion that of its average: in [0, 1).
	Beta2 float64
	// Eps keeps the denominator from zero: above 0.
	Eps float64
	// WeightDecay is the decoupled weight decay lambda: 0 or above.
	WeightDecay float64
	// EpsInside puts eps under the square root, sqrt(v + eps), as the paper does; else sqrt(v) + eps, as PyTorch does. It
	// matters where gradients are near or below sqrt(eps) or eps.
	EpsInside bool
	// BiasCorrection divides each moment by the sum of its weights, which matters while the memory fills.
	BiasCorrection bool
}

// key is a hyperparameter as users write it.
type key struct {
	name string
	want string // its range
	get  func(c *Config) string
	set  func(c *Config, value string) error
	ok   func(c *Config) bool
}

func number(name, want string, field func(c *Config) *float64, ok func(v float64) bool) key {
	return key{
		name: name, want: want,
		get: func(c *Config) string { return strconv.FormatFloat(*field(c), 'g', -1, 64) },
		set: func(c *Config, value string) error {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return fmt.Errorf("%s = %q is not a number: want %s", name, value, want)
			}
			*field(c) = v
			return nil
		},
		ok: func(c *Config) bool { return ok(*field(c)) },
	}
}

func flag(name string, field func(c *Config) *bool) key {
	return key{
		name: name, want: "true or false",
		get: func(c *Config) string { return strconv.FormatBool(*field(c)) },
		set: func(c *Config, value string) error {
			v, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("%s = %q: want true or false", name, value)
			}
			*field(c) = v
			return nil
		},
		ok: func(*Config) bool { return true },
	}
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
func decay(v float64) bool    { return v >= 0 && v < 1 }

func keys() []key {
	return []key{
		number("lr", "a number above 0", func(c *Config) *float64 { return &c.LR }, positive),
		number("beta1", "a number in [0, 1)", func(c *Config) *float64 { return &c.Beta1 }, decay),
		number("beta2", "a number in [0, 1)", func(c *Config) *float64 { return &c.Beta2 }, decay),
		number("eps", "a number above 0", func(c *Config) *float64 { return &c.Eps }, positive),
		number("weight_decay", "a number of at least 0", func(c *Config) *float64 { return &c.WeightDecay },
			func(v float64) bool { return v == 0 || positive(v) }),
		flag("eps_inside", func(c *Config) *bool { return &c.EpsInside }),
		flag("bias_correction", func(c *Config) *bool { return &c.BiasCorrection }),
	}
}

// Names returns the names of the rules.
func Names() []string {
	var names []string
	for _, e := range catalog() {
		names = append(names, e.defaults.Name)
	}
	return names
}

// Keys returns the names of the hyperparameters that a rule uses, lr first.
func Keys(name string) ([]string, error) {
	e, err := find(name)
	if err != nil {
		return nil, err
	}
	return strings.Fields(e.keys), nil
}

// Defaults returns a rule's hyperparameters as most code has them, with the paper's eps inside the root.
func Defaults(name string) (Config, error) {
	e, err := find(name)
	if err != nil {
		return Config{}, err
	}
	return e.defaults, nil
}

// Parse returns the rule's defaults with the given hyperparameters, which it checks.
func Parse(name string, values map[string]string) (Config, error) {
	c, err := Defaults(name)
	if err != nil {
		return Config{}, err
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if err := c.Set(k, values[k]); err != nil {
			return Config{}, err
		}
	}
	return c, c.Validate()
}

// Set gives the hyperparameter called key a value, written as people write it.
func (c *Config) Set(key, value string) error {
	e, err := find(c.Name)
	if err != nil {
		return err
	}
	used := strings.Fields(e.keys)
	if !slices.Contains(used, key) {
		return fmt.Errorf("optimizer %s: no hyperparameter %q: did you mean %s? (it has %s)",
			c.Name, key, nearest(key, used), strings.Join(used, ", "))
	}
	for _, k := range keys() {
		if k.name == key {
			if err := k.set(c, value); err != nil {
				return fmt.Errorf("optimizer %s: %w", c.Name, err)
			}
			return c.check(k)
		}
	}
	return nil
}

// Get returns the value of the hyperparameter called key as Set takes it, "" if there is none of that name.
func (c Config) Get(key string) string {
	for _, k := range keys() {
		if k.name == key {
			return k.get(&c)
		}
	}
	return ""
}

// Validate returns an error that names the first hyperparameter out of its range, and the range.
func (c Config) Validate() error {
	e, err := find(c.Name)
	if err != nil {
		return err
	}
	for _, k := range keys() {
		if slices.Contains(strings.Fields(e.keys), k.name) {
			if err := c.check(k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Config) check(k key) error {
	if k.ok(c) {
		return nil
	}
	return fmt.Errorf("optimizer %s: %s = %s: want %s", c.Name, k.name, k.get(c), k.want)
}

// Rule returns the rule, after checking the hyperparameters. The step size is not part of it.
func (c Config) Rule() (*Rule, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	e, err := find(c.Name)
	if err != nil {
		return nil, err
	}
	r := e.build(c)
	r.Name = c.Name
	return r, nil
}

// String returns the config as users write it: adam(lr=0.001, beta1=0.9, ...).
func (c Config) String() string {
	used, err := Keys(c.Name)
	if err != nil {
		return c.Name
	}
	for i, k := range used {
		used[i] = k + "=" + c.Get(k)
	}
	return c.Name + "(" + strings.Join(used, ", ") + ")"
}

func find(name string) (entry, error) {
	for _, e := range catalog() {
		if e.defaults.Name == name {
			return e, nil
		}
	}
	return entry{}, fmt.Errorf("no optimizer %q: did you mean %s? (there are %s)", name, nearest(name, Names()), strings.Join(Names(), ", "))
}

// nearest returns the candidate with the smallest edit distance from the name.
func nearest(name string, candidates []string) string {
	return slices.MinFunc(candidates, func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
}
