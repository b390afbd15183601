package schema

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
)

// YAML writes every key that has a meaning beside the values, with its value, in the order of the schema. Parse and Resolve make the same
// values of it. comment, if not nil, returns what is said of a key in the line above it.
func (s *Schema) YAML(values Values, comment func(*Key) string) []byte {
	return s.write(values, comment, func(*Key) bool { return true })
}

// Tree returns the values of the keys that have a meaning, those of a section in a map, for JSON.
func (s *Schema) Tree(values Values) map[string]any {
	tree := bySection{}
	for _, k := range s.keys {
		v := values[k.Path()]
		switch inside := v.(type) {
		case []Setting:
			v = ordered(inside)
		case [][]Setting:
			list := make([]ordered, len(inside))
			for i, tree := range inside {
				list[i] = tree
			}
			v = list
		default:
			if isNil(v) {
				v = []any{}
			}
		}
		if k.failing(values) == nil {
			tree.put(k, v)
		}
	}
	return tree.tree(func(_ string, inside map[string]any) any { return inside })
}

// Hash returns a name for the values of the keys that are wanted: equal values have equal hashes.
func (s *Schema) Hash(values Values, wanted func(*Key) bool) string {
	sum := sha256.Sum256(s.write(values, nil, wanted))
	return hex.EncodeToString(sum[:16])
}

// Hashes returns the hashes of values with each of others in the place of a key's, which is in no section and on which no other key depends.
func (s *Schema) Hashes(values Values, wanted func(*Key) bool, key string, others []any) []string {
	before, behind, _ := strings.Cut("\n"+string(s.write(values, nil, wanted)), fmt.Sprintf("\n%s: %s\n", key, Format(values[key])))
	hashes := make([]string, len(others))
	for i, v := range others {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s: %s\n%s", before, key, Format(v), behind)[1:])
		hashes[i] = hex.EncodeToString(sum[:16])
	}
	return hashes
}

func (s *Schema) write(values Values, comment func(*Key) string, wanted func(*Key) bool) []byte {
	var b bytes.Buffer
	section := ""
	for _, k := range s.keys {
		v := values[k.Path()]
		if !wanted(k) || k.failing(values) != nil || k.Sparse && reflect.DeepEqual(v, k.Default) {
			continue
		}
		indent := ""
		if k.Section != "" {
			indent = "  "
			if k.Section != section {
				fmt.Fprintf(&b, "%s:\n", k.Section)
			}
		}
		section = k.Section
		if comment != nil {
			fmt.Fprintf(&b, "%s# %s\n", indent, comment(k))
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, k.Name, Format(v))
	}
	return b.Bytes()
}
