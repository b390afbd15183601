package sweep

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/schema"
)

// Limit is the number of runs that a sweep may have unless its user says that so many are meant.
const Limit = 1000

// hardLimit is the number of runs that a sweep may have in any case: each takes some kilobytes, and a directory.
const hardLimit = 100_000

// A Sweep is a list of runs.
type Sweep struct {
	Name string
	// Keys are the dotted keys of the config that the sweep gives values, in the order of the file; seed is the last if there.
	Keys []string
	// AtLoss are the training losses at which the table shows the measurements.
	AtLoss []float64
	Runs   []Run
	// Source is the sweep file, with its base in it; Read makes the same sweep of it.
	Source []byte

	slurm   []schema.Setting
	halving *halving // nil for none
}

// A Run is one config of a sweep.
type Run struct {
	Index  int
	Config *config.Config
	Hash   string
	// Settings are the values that the sweep gave to keys, in the order of the file.
	Settings []schema.Setting

	alike int // the first of the runs that differ from it in their seeds alone
}

// DirName returns the name of the run's directory: its place and the start of its config's hash.
func (r Run) DirName() string { return fmt.Sprintf("%04d-%s", r.Index, r.shortHash()) }

// Lengths of what names of directories have of a hash, in hexadecimal digits: of 64 bits, two of the 100,000 runs that a sweep may have agree once in some
// billions of sweeps. Earlier versions took 32 bits, which most such sweeps have twice; what a directory holds is compared with all of the hash.
const (
	shortLength   = 16
	earlierLength = 8
)

func (r Run) shortHash() string { return r.Hash[:shortLength] }

// String returns the settings in which the run differs from others, like "optimizer.beta2=0.99 seed=1".
func (r Run) String() string {
	parts := make([]string, len(r.Settings))
	for i, s := range r.Settings {
		parts[i] = s.String()
	}
	return strings.Join(parts, " ")
}

// Value returns the value of a dotted key in the run's config as YAML, "" if it has no meaning there.
func (r Run) Value(key string) string {
	if v := r.Config.Get(key); v != nil {
		return schema.Format(v)
	}
	return ""
}

// TooManyError says that a sweep has more runs than are made without asking.
type TooManyError struct {
	File  string
	Runs  float64
	Limit int
}

func (e *TooManyError) Error() string {
	if e.Runs > hardLimit {
		return fmt.Sprintf("%s: %.0f runs, more than the %d that a sweep may have: make several of it", e.File, e.Runs, hardLimit)
	}
	return fmt.Sprintf("%s: %.0f runs, more than %d; if so many are meant, say --yes", e.File, e.Runs, e.Limit)
}

// New makes the runs of a sweep and checks all of their configs; see Parse.
func New(spec Spec, limit int) (*Sweep, error) {
	dimensions, err := spec.dimensions()
	if err != nil {
		return nil, err
	}
	count := 1.0 // as a float64, since it may be too large for an int
	for _, d := range dimensions {
		count *= float64(len(d.choices))
	}
	if limit > 0 && count > float64(limit) || count > hardLimit {
		return nil, &TooManyError{spec.source(), count, limit}
	}
	if err := spec.override(dimensions); err != nil {
		return nil, err
	}
	s := &Sweep{Name: spec.Name, AtLoss: spec.AtLoss, Source: spec.yaml(), slurm: spec.Slurm}
	for _, d := range dimensions {
		s.Keys = append(s.Keys, d.keys()...)
	}
	if s.halving, err = resolveHalving(spec.Halving, spec.at["halving"]); err != nil {
		return nil, err
	}
	s.Runs, err = spec.expand(dimensions, int(count))
	return s, err
}

// source is what errors about the whole sweep call it.
func (s *Spec) source() string {
	if s.file == "" {
		return s.Name
	}
	return s.file
}

// maxReported is how many of a sweep's errors are worth reading.
const maxReported = 10

// expand makes and checks all configs.
func (s *Spec) expand(dimensions []dimension, n int) ([]Run, error) {
	runs := make([]Run, 0, n)
	seen := map[string]int{}
	var problems []error
	said := map[string]bool{}
	each := max(1, len(s.Seeds)) // runs that differ in their seeds alone
	for first := 0; first < n; first += each {
		c, err := config.Resolve(s.Base, pick(dimensions, first))
		if err != nil {
			for _, e := range unjoin(err) {
				if !said[e.Error()] {
					said[e.Error()] = true
					problems = append(problems, e)
				}
			}
			if len(problems) >= maxReported {
				break
			}
			continue
		}
		configs, hashes := []*config.Config{c}, []string(nil)
		if s.Seeds == nil {
			hashes = []string{c.Hash()}
		} else {
			configs, hashes = c.OfSeeds(s.Seeds)
		}
		for k, hash := range hashes {
			run := Run{Index: first + k, Settings: pick(dimensions, first+k), Config: configs[k], Hash: hash, alike: first}
			if j, ok := seen[hash]; ok && len(problems) == 0 {
				problems = append(problems, &schema.Error{Place: schema.Place{Source: s.source()},
					Problem: fmt.Sprintf("runs %d and %d are the same config: %s", j, run.Index, run)})
			}
			seen[hash] = run.Index
			runs = append(runs, run)
		}
	}
	return runs, errors.Join(problems...)
}

func unjoin(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}

// pick returns the settings at a place in the order.
func pick(dimensions []dimension, index int) []schema.Setting {
	picked := make([]choice, len(dimensions))
	for i := len(dimensions) - 1; i >= 0; i-- {
		choices := dimensions[i].choices
		picked[i] = choices[index%len(choices)]
		index /= len(choices)
	}
	return slices.Concat(picked...)
}
