package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"shadowflow/dataset"
	"shadowflow/schema"
)

// A keyTable is what Config's struct tags say about its keys.
type keyTable struct {
	fields   []*field // in the order of the structs
	byKey    map[string]*field
	sections []string
}

// A field is one key: a leaf of the Config.
type field struct {
	key     string // dotted
	section string // what is before the last dot, or ""
	name    string // what is behind it
	index   []int  // for reflect.Value.FieldByIndex
	typ     reflect.Type

	doc       string
	interval  *schema.Interval
	words     []string
	uses      []string // values of the section's selector that the key is for; nil: all
	selector  string   // key of the section's selector, or ""
	unhashed  bool
	omitEmpty bool
}

func newSchema() *keyTable {
	s := &keyTable{byKey: map[string]*field{}}
	s.add(reflect.TypeFor[Config](), "", nil)
	docs := dataDocs()
	for _, f := range s.fields {
		if f.section == "data" {
			f.doc = docs[f.name]
		}
		if f.key == "data.name" {
			f.words = dataset.Names()
		}
	}
	return s
}

func (s *keyTable) add(typ reflect.Type, section string, index []int) {
	selector := ""
	first := len(s.fields)
	for i := range typ.NumField() {
		sf := typ.Field(i)
		name, flags, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		key := name
		if section != "" {
			key = section + "." + name
		}
		at := append(slices.Clone(index), i)
		if sf.Type.Kind() == reflect.Struct {
			s.sections = append(s.sections, key)
			s.add(sf.Type, key, at)
			continue
		}
		f := &field{
			key: key, section: section, name: name, index: at, typ: sf.Type,
			doc:       sf.Tag.Get("doc"),
			interval:  schema.ParseInterval(sf.Tag.Get("range")),
			words:     splitWords(sf.Tag.Get("oneof")),
			uses:      splitWords(sf.Tag.Get("for")),
			unhashed:  sf.Tag.Get("hash") == "-",
			omitEmpty: flags == "omitempty",
		}
		if sf.Tag.Get("selector") != "" {
			selector = key
		}
		s.fields = append(s.fields, f)
		s.byKey[key] = f
	}
	for _, f := range s.fields[first:] {
		if f.section == section && f.key != selector {
			f.selector = selector
		}
	}
}

// names returns the keys of a section, without its name.
func (s *keyTable) names(section string) []string {
	var names []string
	for _, f := range s.fields {
		if f.section == section {
			names = append(names, f.name)
		}
	}
	if section == "" {
		names = append(names, s.sections...)
	}
	return names
}

// value returns the field of c that f describes.
func (f *field) value(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(f.index)
}

// chosen returns the value of the selector that decides about f.
func (s *keyTable) chosen(f *field, c *Config) string {
	return s.byKey[f.selector].value(c).String()
}

// used reports whether c's selectors give the key a meaning.
func (s *keyTable) used(f *field, c *Config) bool {
	if f.selector == "" || f.uses == nil {
		return true
	}
	return slices.Contains(f.uses, s.chosen(f, c))
}

func splitWords(tag string) []string {
	if tag == "" {
		return nil
	}
	return strings.Split(tag, "|")
}

// A Key documents one key of a config.
type Key struct {
	// Key is the dotted key, as --set takes it.
	Key string
	// Type is the kind of its value, like "a whole number" or "true or false".
	Type string
	// Default is the value when the key is left out, as YAML; where it depends on
	// the section's selector, each value and what it holds for.
	Default string
	// Values says which values are allowed, empty if all of the type are.
	Values string
	// For says which values of the section's selector give the key a meaning,
	// empty if all do.
	For string
	// Doc is its meaning.
	Doc string
}

// Keys returns every key of a config, in the order in which a resolved config is
// written.
func Keys() []Key {
	s := newSchema()
	keys := make([]Key, 0, len(s.fields))
	for _, f := range s.fields {
		k := Key{Key: f.key, Type: typeName(f.typ), Default: s.defaultText(f), Doc: f.doc}
		switch {
		case f.words != nil:
			k.Values = strings.Join(f.words, ", ")
		case f.interval != nil:
			k.Values = f.interval.String()
		}
		if f.uses != nil {
			k.For = fmt.Sprintf("%s: %s", f.selector, strings.Join(f.uses, ", "))
		}
		keys = append(keys, k)
	}
	return keys
}

// defaultText returns the default of a key, for each choice that it is for.
func (s *keyTable) defaultText(f *field) string {
	if f.uses == nil {
		return formatValue(f.value(Default()))
	}
	var values []string
	users := map[string][]string{}
	for _, choice := range f.uses {
		v := formatValue(f.value(defaultsFor(choices{
			model: choice, optimizer: choice, batch: choice, regularizer: choice, flow: choice,
		})))
		if users[v] == nil {
			values = append(values, v)
		}
		users[v] = append(users[v], choice)
	}
	if len(values) == 1 {
		return values[0]
	}
	for i, v := range values {
		values[i] = fmt.Sprintf("%s (%s)", v, strings.Join(users[v], ", "))
	}
	return strings.Join(values, "; ")
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Int, reflect.Uint64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list of " + strings.TrimPrefix(typeName(t.Elem()), "a ") + "s"
	}
	return "text"
}

// dataDocs documents the keys of dataset.Spec, which is not written for this table.
func dataDocs() map[string]string {
	return map[string]string{
		"name":          "digits: embedded, 1,297 images to train and 500 to test; idx: the MNIST family; cifar10, cifar100: the official binary version; npz: arrays X, y and, if there, X_test, y_test; images: a folder of JPEG or PNG files for each class",
		"path":          "where the data is (cifar10, cifar100, npz, images): a file, or a folder",
		"train_images":  "idx: file of the training images, plain or .gz",
		"train_labels":  "idx: file of the training labels, plain or .gz",
		"test_images":   "idx: file of the test images, plain or .gz",
		"test_labels":   "idx: file of the test labels, plain or .gz",
		"size":          "images: height and width that they are resized to, in pixels",
		"test_fraction": "images, npz: fraction of each class that becomes the test part, at least 0 and below 1; null: 0.2 for images, 0 for npz",
		"coarse_labels": "cifar100: the 20 coarse classes instead of the 100 fine ones",
		"classes":       "idx, npz: number of classes; 0: one more than the largest label",
		"standardize":   "subtract each channel's mean over the training part and divide by its population deviation",
		"subset":        "number of training examples to keep, balanced over the classes; 0: all",
		"test_subset":   "number of test examples to keep, balanced over the classes; 0: all",
		"subset_seed":   "seed of the choice of the subsets",
		"augment":       "crop and flip the training images at random at each step; the loss is then not one function",
	}
}
