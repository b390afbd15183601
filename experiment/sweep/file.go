package sweep

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"shadowflow/schema"
)

// Read reads a sweep file; see Parse.
func Read(path string, limit int, overrides ...[]schema.Setting) (*Sweep, error) {
	src, err := schema.Source(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src, limit, overrides...)
}

// Parse reads a sweep from YAML:
//
//	name: betas                          # default: the file's name
//	base: {steps: 500}                   # a config, or the path of one beside the file
//	list: [{model: {name: cnn}}, {}]     # sets of keys written out
//	zip: {optimizer.lr: [1e-3, 1e-4], steps: [500, 5000]}
//	sample: {n: 50, seed: 0, method: latin-hypercube, keys: {optimizer.lr: {log: [1e-4, 1e-2]}}}
//	grid: {optimizer.beta2: [0.9, 0.99]}
//	seeds: 5                             # 0 to 4, or a list
//	at_loss: [0.01]                      # training losses at which the table shows the measurements
//	halving: {first: 100, eta: 3}        # stop hopeless runs early; off where there is none
//	slurm: {partition: long, cpus: 4}    # what Slurm is asked for where it makes the runs
//
// The runs are in the order that Spec tells. Everything is checked before anything is returned:
// the error says which key of which line, and if runs are alike. More than limit runs are a *TooManyError; a limit of 0 stands for none.
func Parse(path string, src []byte, limit int, overrides ...[]schema.Setting) (*Sweep, error) {
	name := filepath.Base(path)
	spec := Spec{Name: name[:len(name)-len(filepath.Ext(name))], Overrides: overrides, file: path, at: map[string]schema.Setting{}}
	settings, err := schema.Parse(path, src)
	if err != nil {
		return nil, err
	}
	alone := len(overrides) == 0
	for _, s := range settings {
		spec.at[s.Key] = s
		read, ok := readers[s.Key]
		if !ok {
			return nil, s.KeyError(s.Key, "unknown key of a sweep; %s", schema.Suggest(s.Key, fileKeys))
		}
		if err := read(&spec, s); err != nil {
			return nil, err
		}
		if _, isPath := s.Value.(string); isPath && s.Key == "base" {
			alone = false
		}
	}
	if problem := checkName(spec.Name); problem != "" {
		return nil, fmt.Errorf("%q: the sweep is named after its file, but %q %s; say name: in the file", path, spec.Name, problem)
	}
	sweep, err := New(spec, limit)
	if err == nil && alone { // the file as it was written, with its comments
		sweep.Source = src
	}
	return sweep, err
}

// fileKeys are the keys of a sweep file.
var fileKeys = []string{"name", "base", "grid", "zip", "sample", "list", "seeds", "at_loss", "halving", "slurm"}

// readers take what the keys of a sweep file say.
var readers = map[string]func(*Spec, schema.Setting) error{
	"name": (*Spec).readName, "base": (*Spec).readBase, "list": (*Spec).readList, "seeds": (*Spec).readSeeds, "at_loss": (*Spec).readAtLoss,
	"halving": (*Spec).readHalving, "slurm": (*Spec).readSlurm, "sample": (*Spec).readSample,
	"grid": func(s *Spec, at schema.Setting) (err error) { s.Grid, err = lists(at, "grid", ""); return err },
	"zip":  func(s *Spec, at schema.Setting) (err error) { s.Zip, err = lists(at, "zip", ""); return err },
}

func (s *Spec) readName(at schema.Setting) error {
	name, ok := at.Value.(string)
	if !ok {
		return at.KeyError("name", "expected a name that a directory may have")
	}
	if problem := checkName(name); problem != "" {
		return at.KeyError("name", "%q %s; expected a name that a directory may have", name, problem)
	}
	s.Name = name
	return nil
}

// checkName says what keeps a name from being that of a sweep's directory on all systems, "" if nothing does.
func checkName(name string) string {
	const most = 100
	switch {
	case name == "" || name == "." || name == "..":
		return "names no directory"
	case len(name) > most:
		return fmt.Sprintf("is longer than %d bytes", most)
	case strings.ContainsAny(name, `/\`):
		return "has a separator of paths"
	case strings.ContainsAny(name, `:*?"<>|`) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "has a character that names of files may not have"
	case strings.Trim(name, " ") != name || strings.HasSuffix(name, "."):
		return "begins or ends with a space, or ends with a point"
	case strings.EqualFold(filepath.Ext(name), ".yaml") || strings.EqualFold(filepath.Ext(name), ".yml"):
		return "looks like the name of a file"
	}
	return ""
}

// readBase takes a config, or the path of one, which is looked for beside the file.
func (s *Spec) readBase(at schema.Setting) error {
	switch v := at.Value.(type) {
	case nil:
		return nil
	case []schema.Setting:
		s.Base = v
		return nil
	case string:
		path := v
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(s.file), path)
		}
		src, err := schema.Source(path)
		if err != nil {
			return at.ValueError("base", "cannot read the config: %v", err)
		}
		s.Base, err = schema.Parse(path, src)
		return err
	}
	return at.KeyError("base", "expected the keys of a config, or the path of one")
}

// lists takes keys with lists of values; keys may be dotted or nested.
func lists(at schema.Setting, name, prefix string) ([]schema.Setting, error) {
	inside, ok := at.Value.([]schema.Setting)
	if !ok && at.Value != nil {
		return nil, at.KeyError(name, "expected keys with lists of values, like optimizer.beta2: [0.9, 0.99]")
	}
	var out []schema.Setting
	for _, s := range inside {
		s.Key = prefix + s.Key
		if _, nested := s.Value.([]schema.Setting); !nested {
			out = append(out, s)
			continue
		}
		deeper, err := lists(s, name, s.Key+".")
		if err != nil {
			return nil, err
		}
		out = append(out, deeper...)
	}
	return out, nil
}

func (s *Spec) readList(at schema.Setting) error {
	items, ok := at.Items()
	if !ok {
		return at.KeyError("list", "expected a list of keys and values, like - {optimizer.beta2: 0.9}")
	}
	s.List = [][]schema.Setting{}
	for _, item := range items {
		settings, ok := item.Value.([]schema.Setting)
		if !ok && item.Value != nil {
			return item.ValueError("list", "expected keys and values, like {optimizer.beta2: 0.9}")
		}
		s.List = append(s.List, settings)
	}
	return nil
}

// MaxSeeds bounds the seeds of a sweep given by their number.
const MaxSeeds = 100_000

// readSeeds takes a number of seeds, counted from 0, or a list of them.
func (s *Spec) readSeeds(at schema.Setting) error {
	items, ok := at.Items()
	if !ok {
		count := schema.Key{Type: schema.Whole, Range: schema.ParseInterval("[1,100000]")}
		n, problem := count.Convert(at.Value)
		if problem != "" {
			return at.ValueError("seeds", "%s; expected how many, from 1 to %d, or a list of seeds", problem, MaxSeeds)
		}
		s.Seeds = Seeds(n.(int))
		return nil
	}
	s.Seeds = []uint64{}
	for _, item := range items {
		seed, problem := (&schema.Key{Type: schema.Seed}).Convert(item.Value)
		if problem != "" {
			return item.ValueError("seeds", "%s", problem)
		}
		s.Seeds = append(s.Seeds, seed.(uint64))
	}
	return nil
}

// readAtLoss takes training losses at which the table shows each measurement.
func (s *Spec) readAtLoss(at schema.Setting) error {
	key := schema.Key{Type: schema.Numbers, Range: schema.ParseInterval("(0,inf)")}
	losses, problem := key.Convert(at.Value)
	if problem != "" {
		return at.ValueError("at_loss", "%s", problem)
	}
	s.AtLoss = losses.([]float64)
	return nil
}
