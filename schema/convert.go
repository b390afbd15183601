package schema

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"shadowflow/internal/visible"
	"strconv"
	"strings"
)

// Convert returns a setting's value as the Go type of the key's type, after checking it; or what is wrong with it.
func (k *Key) Convert(value any) (converted any, problem string) {
	if value == nil && k.Optional {
		return nil, ""
	}
	converted, problem = k.Type.convert(value)
	if problem == "" {
		problem = k.check(converted)
	}
	return converted, problem
}

func (t Type) convert(value any) (converted any, problem string) {
	switch t {
	case Text:
		return toText(value)
	case Flag:
		if b, ok := value.(bool); ok {
			return b, ""
		}
		return nil, "expected true or false, got " + describe(value)
	case Numbers:
		return toList[float64](t, Number, value)
	case Wholes:
		return toList[int](t, Whole, value)
	case Texts:
		return toList[string](t, Text, value)
	case Pairs:
		return toPairs(value)
	case Tree:
		return toTree(value)
	case Trees:
		return toList[[]Setting](t, Tree, value)
	}
	n, ok := numeralOf(value)
	if !ok {
		return nil, fmt.Sprintf("expected %s, got %s", t, describe(value))
	}
	return t.number(strings.ReplaceAll(n.text, "_", ""))
}

func toText(value any) (any, string) {
	switch v := value.(type) {
	case nil:
		return "", ""
	case string:
		return v, ""
	case numeral:
		if v.word {
			return v.text, ""
		}
	}
	problem := "expected text, got " + describe(value)
	switch value.(type) {
	case numeral, bool:
		problem += "; put it in quotes if it is meant as text"
	}
	return nil, problem
}

// toList converts a list; one without items is nil.
func toList[T any](list, item Type, value any) (any, string) {
	items, ok := listOf(value)
	if !ok {
		example := map[Type]string{Texts: "[one, two]", Trees: "[{name: one}, {name: two}]"}[list]
		return nil, fmt.Sprintf("expected %s like %s, got %s", list, cmp.Or(example, "[64, 64]"), describe(value))
	}
	var out []T
	for i, v := range items {
		converted, problem := item.convert(v)
		if problem != "" {
			return nil, inItem(i, problem)
		}
		out = append(out, converted.(T))
	}
	return out, ""
}

func toPairs(value any) (any, string) {
	items, ok := listOf(value)
	if !ok {
		return nil, fmt.Sprintf("expected %s, got %s", Pairs, describe(value))
	}
	var out [][2]float64
	for i, v := range items {
		pair, problem := toList[float64](Numbers, Number, v)
		if problem != "" {
			return nil, inItem(i, problem)
		}
		if n := pair.([]float64); len(n) == 2 {
			out = append(out, [2]float64(n))
			continue
		}
		return nil, inItem(i, fmt.Sprintf("expected two numbers, got %d", len(pair.([]float64))))
	}
	return out, ""
}

// toTree converts keys and values, without the places where they stand.
func toTree(value any) (any, string) {
	inside, ok := value.([]Setting)
	if !ok && value != nil {
		return nil, "expected keys and values, got " + describe(value)
	}
	var out []Setting
	for _, s := range inside {
		plain := Setting{Key: s.Key, Value: s.Value}
		if _, nested := s.Value.([]Setting); nested {
			plain.Value, _ = toTree(s.Value)
		}
		out = append(out, plain)
	}
	return out, ""
}

// listOf returns the items of a list, or of a Go slice or array; nil is a list without any.
func listOf(value any) ([]any, bool) {
	var out []any
	switch v := value.(type) {
	case nil:
		return nil, true
	case []Setting:
		return nil, false
	case items:
		for _, item := range v {
			out = append(out, item.Value)
		}
		return out, true
	}
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return nil, false
	}
	for i := range v.Len() {
		out = append(out, v.Index(i).Interface())
	}
	return out, true
}

// numeralOf returns a number as text.
func numeralOf(value any) (numeral, bool) {
	if n, ok := value.(numeral); ok {
		return n, true
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return numeral{text: strconv.FormatInt(v.Int(), 10)}, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return numeral{text: strconv.FormatUint(v.Uint(), 10)}, true
	case reflect.Float32, reflect.Float64:
		return numeral{text: strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())}, true
	}
	return numeral{}, false
}

// number parses a number. Whole numbers may be written as 1e5.
func (t Type) number(text string) (any, string) {
	x, beyond, ok := parseNumber(text)
	switch {
	case !ok:
		return nil, fmt.Sprintf("expected %s, got %s", t, visible.Name(text))
	case beyond != "":
		return nil, beyond
	}
	const exact = 1 << 53 // whole numbers beyond it are not told apart
	switch t {
	case Seed:
		if u, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 10, 64); err == nil {
			return u, ""
		}
		if x < 0 {
			return nil, visible.Name(text) + " is negative"
		}
		if x != math.Trunc(x) || x > exact {
			return nil, fmt.Sprintf("expected a whole number below 2^64, got %s", visible.Name(text))
		}
		return uint64(x), ""
	case Whole:
		if x != math.Trunc(x) {
			return nil, fmt.Sprintf("expected a whole number, got %s", visible.Name(text))
		}
		if math.Abs(x) > exact {
			return nil, fmt.Sprintf("expected a whole number of at most 2^53 in size, got %s", visible.Name(text))
		}
		return int(x), ""
	}
	return x, ""
}
