package sweep

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// file is a sweep file as read: what the runs are made of.
type file struct {
	path       string
	name       string
	baseName   string // of the config's file, or the sweep file's with the key
	base       []byte // the config that all runs start from, as YAML
	baseNode   ast.Node
	dimensions []dimension // the last varies fastest
	atLoss     []float64
}

// A dimension is an axis of the sweep: each run takes one of its choices.
type dimension struct {
	key     string // of the sweep file
	node    ast.Node
	choices []choice
}

// keys returns the keys that the choices give values.
func (d dimension) keys() []string {
	var keys []string
	for _, c := range d.choices {
		for _, s := range c {
			if !slices.Contains(keys, s.key) {
				keys = append(keys, s.key)
			}
		}
	}
	return keys
}

// A choice is a set of keys that are given values together.
type choice []setting

// A setting gives a key of the config a value.
type setting struct {
	key, value string // dotted, and YAML on one line
	node       ast.Node
}

func (s setting) override() string { return s.key + "=" + s.value }

// fileKeys are the keys of a sweep file.
func fileKeys() []string { return []string{"name", "base", "grid", "zip", "list", "seeds", "at_loss"} }

// parseFile reads a sweep file without making its runs. Relative paths of base are looked for beside the file.
func parseFile(path string, src []byte) (*file, error) {
	f := &file{path: path, name: trimExtension(filepath.Base(path)), baseName: path + ": base"}
	body, err := parseYAML(path, src)
	if err != nil {
		return nil, err
	}
	values, ok := pairs(body)
	if !ok {
		return nil, fail(path, body, "", "expected keys and values: %v", fileKeys())
	}
	byKey := map[string]*ast.MappingValueNode{}
	for _, v := range values {
		key := v.Key.GetToken().Value
		if !slices.Contains(fileKeys(), key) {
			return nil, fail(path, v.Key, key, "unknown key of a sweep; %s", nearest(key, fileKeys()))
		}
		if byKey[key] != nil {
			return nil, fail(path, v.Key, key, "given twice")
		}
		byKey[key] = v
	}
	readers := []struct {
		key  string
		read func(at, node ast.Node) error
	}{
		{"name", f.readName}, {"base", f.readBase}, {"list", f.readList}, {"zip", f.readZip}, {"grid", f.readGrid},
		{"seeds", f.readSeeds}, {"at_loss", f.readAtLoss},
	}
	for _, r := range readers {
		if v := byKey[r.key]; v != nil {
			if err := r.read(v.Key, v.Value); err != nil {
				return nil, err
			}
		}
	}
	return f, f.checkOnce()
}

// checkOnce refuses a key that two dimensions give values: the later would win silently.
func (f *file) checkOnce() error {
	by := map[string]string{}
	for _, d := range f.dimensions {
		for _, s := range d.keys() {
			if other, ok := by[s]; ok {
				return fail(f.path, d.node, d.key, "gives values to %s, and so does %s", s, other)
			}
			by[s] = d.key
		}
	}
	return nil
}

func trimExtension(name string) string { return name[:len(name)-len(filepath.Ext(name))] }

func (f *file) readName(at, node ast.Node) error {
	n, ok := node.(*ast.StringNode)
	if !ok || n.Value == "" || n.Value != filepath.Base(n.Value) || n.Value == "." || n.Value == ".." {
		return fail(f.path, at, "name", "expected a name that a directory may have")
	}
	f.name = n.Value
	return nil
}

// readBase takes a config, or the path of one.
func (f *file) readBase(at, node ast.Node) error {
	if n, ok := node.(*ast.StringNode); ok {
		path := n.Value
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.path), path)
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return fail(f.path, node, "base", "cannot read the config: %v", err)
		}
		f.baseName, f.base = path, src
		return nil
	}
	if _, ok := pairs(node); !ok {
		return fail(f.path, at, "base", "expected the keys of a config, or the path of one")
	}
	text, err := flowText(node)
	if err != nil {
		return fail(f.path, at, "base", "%v", err)
	}
	f.base, f.baseNode = []byte(text), node
	return nil
}

// readGrid makes a dimension of each key.
func (f *file) readGrid(at, node ast.Node) error {
	axes, err := f.axes("grid", at, node, "")
	if err != nil {
		return err
	}
	f.dimensions = append(f.dimensions, axes...)
	return nil
}

// readZip makes one dimension of lists of the same length.
func (f *file) readZip(at, node ast.Node) error {
	axes, err := f.axes("zip", at, node, "")
	if err != nil || len(axes) == 0 {
		return err
	}
	together := dimension{key: "zip", node: at, choices: make([]choice, len(axes[0].choices))}
	for _, a := range axes {
		if len(a.choices) != len(together.choices) {
			return fail(f.path, a.node, a.key, "%d values, and %s has %d; lists of a zip are of one length",
				len(a.choices), axes[0].key, len(together.choices))
		}
		for i, c := range a.choices {
			together.choices[i] = append(together.choices[i], c...)
		}
	}
	f.dimensions = append(f.dimensions, together)
	return nil
}

// axes reads keys with lists of values; keys may be dotted or nested.
func (f *file) axes(name string, at, node ast.Node, prefix string) ([]dimension, error) {
	values, ok := pairs(node)
	if !ok {
		return nil, fail(f.path, at, name, "expected keys with lists of values, like optimizer.beta2: [0.9, 0.99]")
	}
	var out []dimension
	for _, v := range values {
		key := prefix + v.Key.GetToken().Value
		path := name + ": " + key
		switch n := v.Value.(type) {
		case *ast.SequenceNode:
			if len(n.Values) == 0 {
				return nil, fail(f.path, v.Key, path, "an empty list makes no runs; give values, or leave the key out")
			}
			d := dimension{key: path, node: v.Key}
			for _, item := range n.Values {
				s, err := f.setting(path, key, item)
				if err != nil {
					return nil, err
				}
				d.choices = append(d.choices, choice{s})
			}
			out = append(out, d)
		case *ast.MappingNode, *ast.MappingValueNode:
			nested, err := f.axes(name, v.Key, n, key+".")
			if err != nil {
				return nil, err
			}
			out = append(out, nested...)
		default:
			return nil, fail(f.path, v.Key, path, "expected a list of values, like [0.9, 0.99]")
		}
	}
	return out, nil
}

func (f *file) setting(path, key string, node ast.Node) (setting, error) {
	text, err := flowText(node)
	if err != nil {
		return setting{}, fail(f.path, node, path, "%v", err)
	}
	return setting{key: key, value: text, node: node}, nil
}

// readList makes one dimension, each choice of which is a set of keys written out.
func (f *file) readList(at, node ast.Node) error {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return fail(f.path, at, "list", "expected a list of keys and values, like - {optimizer.beta2: 0.9}")
	}
	if len(list.Values) == 0 {
		return fail(f.path, at, "list", "an empty list makes no runs; give values, or leave the key out")
	}
	d := dimension{key: "list", node: at}
	for i, item := range list.Values {
		path := fmt.Sprintf("list: item %d", i+1)
		values, ok := pairs(item)
		if !ok {
			return fail(f.path, item, path, "expected keys and values, like {optimizer.beta2: 0.9}")
		}
		var c choice
		for _, v := range values {
			s, err := f.setting(path, v.Key.GetToken().Value, v.Value)
			if err != nil {
				return err
			}
			s.node = v.Key
			c = append(c, s)
		}
		d.choices = append(d.choices, c)
	}
	f.dimensions = append(f.dimensions, d)
	return nil
}

// maxSeeds bounds the seeds of a sweep given by their number.
const maxSeeds = 100_000

// readSeeds takes a number of seeds, counted from 0, or a list of them. They vary fastest.
func (f *file) readSeeds(at, node ast.Node) error {
	d := dimension{key: "seeds", node: at}
	switch n := node.(type) {
	case *ast.IntegerNode:
		count, err := strconv.Atoi(n.GetToken().Value)
		if err != nil || count < 1 || count > maxSeeds {
			return fail(f.path, node, "seeds", "%s; expected how many, from 1 to %d, or a list", n.GetToken().Value, maxSeeds)
		}
		for seed := range count {
			d.choices = append(d.choices, choice{{key: "seed", value: strconv.Itoa(seed), node: node}})
		}
	case *ast.SequenceNode:
		if len(n.Values) == 0 {
			return fail(f.path, at, "seeds", "an empty list makes no runs; give seeds, or leave the key out")
		}
		for _, item := range n.Values {
			s, err := f.setting("seeds", "seed", item)
			if err != nil {
				return err
			}
			d.choices = append(d.choices, choice{s})
		}
	default:
		return fail(f.path, at, "seeds", "expected how many, or a list of seeds")
	}
	f.dimensions = append(f.dimensions, d)
	return nil
}

// readAtLoss takes training losses at which the table shows each measurement.
func (f *file) readAtLoss(at, node ast.Node) error {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return fail(f.path, at, "at_loss", "expected a list of training losses, like [0.1, 0.01]")
	}
	for _, item := range list.Values {
		x, err := strconv.ParseFloat(item.GetToken().Value, 64)
		if err != nil || !(x > 0) || math.IsInf(x, 0) {
			return fail(f.path, item, "at_loss", "expected numbers above 0, got %s", item.GetToken().Value)
		}
		f.atLoss = append(f.atLoss, x)
	}
	return nil
}

// count returns the number of runs, as a float64 since it may be too large for an int.
func (f *file) count() float64 {
	n := 1.0
	for _, d := range f.dimensions {
		n *= float64(len(d.choices))
	}
	return n
}
