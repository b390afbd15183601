package sweep

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/schema"
)

// A tableKey is a key of the config that the table shows, and its column.
type tableKey struct {
	path   string
	column record.Column
}

// paths returns the dotted paths of keys.
func paths(keys []tableKey) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.path
	}
	return out
}

// tableKeys are the keys of the table: those of the sweep, a section given as a whole by the keys that differ in it. All runs are asked once, for together
// they are many.
func (s *Sweep) tableKeys(ctx context.Context) ([]tableKey, error) {
	candidates, ofSection := s.candidates()
	types := make([]record.ColumnType, len(candidates)) // "" as long as no run says
	varies := make([]bool, len(candidates))
	var first []any
	for _, r := range s.Runs {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		values := r.Config.Values(candidates)
		if first == nil {
			first = values
		}
		for i, v := range values {
			varies[i] = varies[i] || ofSection[i] && !reflect.DeepEqual(v, first[i])
			if types[i] == "" {
				types[i] = typeOf(v)
			}
		}
	}
	var out []tableKey
	for i, path := range candidates {
		if ofSection[i] && !varies[i] {
			continue
		}
		if types[i] == "" {
			types[i] = record.IntColumn
		}
		out = append(out, tableKey{path, record.Column{Name: columnOf(path), Type: types[i], Meaning: "value of the config's key"}})
	}
	return out, nil
}

// candidates are the keys that the sweep gives values and all of the sections that it gives as a whole, and which are of such a section.
func (s *Sweep) candidates() (keys []string, ofSection []bool) {
	add := func(key string, section bool) {
		if i := slices.Index(keys, key); i >= 0 {
			ofSection[i] = ofSection[i] && section
			return
		}
		keys, ofSection = append(keys, key), append(ofSection, section)
	}
	for _, key := range s.Keys {
		if !config.Schema().IsSection(key) {
			add(key, false)
			continue
		}
		for _, path := range config.Schema().Paths() {
			if strings.HasPrefix(path, key+".") {
				add(path, true)
			}
		}
	}
	return keys, ofSection
}

// columnOf returns the name of a key's column. What loss it is, and how large, are two columns.
func columnOf(key string) string {
	if key == "loss" {
		return "config.loss"
	}
	return key
}

// typeOf returns the type of the column of a key that has a value somewhere, "" where the value does not say it: a whole number may yet
// be beside one that is too large for a column of such.
func typeOf(value any) record.ColumnType {
	switch v := value.(type) {
	case nil:
		return ""
	case int:
		return record.IntColumn
	case float64:
		return record.FloatColumn
	case uint64:
		if v <= math.MaxInt64 {
			return ""
		}
	}
	return record.TextColumn
}

// valueOf returns a key's value for a column.
func valueOf(value any, typ record.ColumnType) record.Value {
	switch v := value.(type) {
	case nil:
		return record.Value{}
	case float64:
		return record.Float(v)
	case int:
		return record.Int(int64(v))
	case uint64:
		if typ == record.IntColumn {
			return record.Int(int64(v))
		}
	}
	return record.Text(schema.Format(value))
}
