package sweep

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"shadowflow/experiment/config"
)

// Limit is the number of runs that a sweep may have unless its user says that so many are meant.
const Limit = 1000

// hardLimit is the number of runs that are refused in any case: expanding them would take the memory.
const hardLimit = 1_000_000

// A Sweep is a list of runs.
type Sweep struct {
	Name string
	// Keys are the dotted keys of the config that the sweep gives values, in the order of the file; seed is the last if there.
	Keys []string
	// AtLoss are the training losses at which the table shows the measurements.
	AtLoss []float64
	Runs   []Run
	// Source is the sweep file, with its base in it.
	Source []byte
}

// A Run is one config of a sweep.
type Run struct {
	Index  int
	Config *config.Config
	Hash   string
	// Settings are the values that the sweep gave to keys, as dotted key and YAML, in the order of the file.
	Settings [][2]string
}

// DirName returns the name of the run's directory: its place and the start of its config's hash.
func (r Run) DirName() string { return fmt.Sprintf("%04d-%s", r.Index, r.shortHash()) }

func (r Run) shortHash() string { return r.Hash[:8] }

// String returns the settings in which the run differs from others, like "optimizer.beta2=0.99 seed=1".
func (r Run) String() string {
	parts := make([]string, len(r.Settings))
	for i, s := range r.Settings {
		parts[i] = s[0] + "=" + s[1]
	}
	return strings.Join(parts, " ")
}

// Value returns the value of a dotted key in the run's config as YAML, "" if it has no meaning there.
func (r Run) Value(key string) string { return settingOf(r.Config, key) }

// settingOf looks a key up in the config as resolved, which has one key a line, sections indented.
func settingOf(c *config.Config, key string) string {
	section, name := "", key
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		section, name = key[:i], key[i+1:]
	}
	at := ""
	for line := range strings.Lines(string(c.YAML())) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "  ")
		k, v, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !indented {
			at = ""
			if v == "" {
				at = k
				continue
			}
		}
		if at == section && k == name {
			return strings.TrimSpace(v)
		}
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
	return fmt.Sprintf("%s: %.0f runs, more than %d; if so many are meant, say --yes", e.File, e.Runs, e.Limit)
}

// Read reads a sweep file; see Parse.
func Read(path string, limit int) (*Sweep, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src, limit)
}

// Parse reads a sweep from YAML:
//
//	name: betas                          # default: the file's name
//	base: {steps: 500}                   # a config, or the path of one beside the file
//	list: [{model: {name: cnn}}, {}]     # sets of keys written out
//	zip: {optimizer.lr: [1e-3, 1e-4], steps: [500, 5000]}
//	grid: {optimizer.beta2: [0.9, 0.99]}
//	seeds: 5                             # 0 to 4, or a list
//	at_loss: [0.01]                      # training losses at which the table shows the measurements
//
// The runs are all combinations of an item of list, a position of zip, a value of each key of grid, and a seed, in this order:
// list varies slowest, then zip, then the keys of grid as they are written, and the seed fastest. Everything is checked before
// anything is returned: the error says which key of which line, and if runs are alike. More than limit runs are a
// *TooManyError; a limit of 0 stands for none.
func Parse(path string, src []byte, limit int) (*Sweep, error) {
	f, err := parseFile(path, src)
	if err != nil {
		return nil, err
	}
	if n := f.count(); limit > 0 && n > float64(limit) || n > hardLimit {
		return nil, &TooManyError{path, n, limit}
	}
	s := &Sweep{Name: f.name, AtLoss: f.atLoss, Keys: f.keys()}
	if s.Runs, err = f.expand(); err != nil {
		return nil, err
	}
	s.Source, err = f.alone(src)
	return s, err
}

// keys returns the keys that get values; sections given as a whole count as one key.
func (f *file) keys() []string {
	var keys []string
	for _, d := range f.dimensions {
		keys = append(keys, d.keys()...)
	}
	return keys
}

// alone returns the sweep file so that it stands on its own: a base that is another file is put in.
func (f *file) alone(src []byte) ([]byte, error) {
	if f.baseNode != nil || f.base == nil {
		return src, nil
	}
	base, err := parseYAML(f.baseName, f.base)
	if err != nil {
		return nil, err
	}
	body, err := parseYAML(f.path, src)
	if err != nil {
		return nil, err
	}
	values, _ := pairs(body)
	var out bytes.Buffer
	for _, v := range values {
		key, node := v.Key.GetToken().Value, v.Value
		if key == "base" {
			node = base
		}
		text, err := flowText(node)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%s: %s\n", key, text)
	}
	return out.Bytes(), nil
}

// maxReported is how many of a sweep's errors are worth reading.
const maxReported = 10

// expand makes and checks all configs.
func (f *file) expand() ([]Run, error) {
	n := int(f.count())
	runs := make([]Run, 0, n)
	seen := map[string]int{}
	var problems []error
	said := map[string]bool{}
	for i := range n {
		run, err := f.run(i)
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
		if j, ok := seen[run.Hash]; ok && len(problems) == 0 {
			problems = append(problems, fail(f.path, nil, "", "runs %d and %d are the same config: %s", j, i, run))
		}
		seen[run.Hash] = i
		runs = append(runs, run)
	}
	return runs, errors.Join(problems...)
}

func unjoin(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}

// run makes the config at a place in the order.
func (f *file) run(index int) (Run, error) {
	picked := make([]choice, len(f.dimensions))
	for i, rest := len(f.dimensions)-1, index; i >= 0; i-- {
		choices := f.dimensions[i].choices
		picked[i] = choices[rest%len(choices)]
		rest /= len(choices)
	}
	r := Run{Index: index}
	var overrides []string
	where := map[string]ast.Node{}
	for _, s := range slices.Concat(picked...) {
		overrides = append(overrides, s.override())
		where["--set "+s.override()] = s.node
		r.Settings = append(r.Settings, [2]string{s.key, s.value})
	}
	c, err := config.Parse(f.baseName, f.base, overrides)
	if err != nil {
		return r, f.locate(err, where)
	}
	r.Config, r.Hash = c, c.Hash()
	return r, nil
}

// locate makes a config's errors point into the sweep file.
func (f *file) locate(err error, where map[string]ast.Node) error {
	var all config.Errors
	if !errors.As(err, &all) {
		return err
	}
	out := make([]error, len(all))
	for i, e := range all {
		at, overridden := where[e.Source]
		switch {
		case overridden:
			out[i] = fail(f.path, at, e.Key, "%s", e.Problem)
		case f.baseNode != nil || f.base == nil:
			out[i] = fail(f.path, f.baseNode, "base: "+e.Key, "%s", e.Problem)
		default:
			out[i] = e
		}
	}
	return errors.Join(out...)
}
