package config

import (
	"fmt"
	"math"
	"reflect"
	"shadowflow/schema"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// setValue stores a node's value in v, and returns what is wrong with it, or "". A nil
// node, or null, is an absent value: only pointers, lists and texts may be that.
func setValue(v reflect.Value, node ast.Node) (problem string) {
	if _, null := node.(*ast.NullNode); null || node == nil {
		switch v.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.String:
			v.SetZero()
			return ""
		}
		return fmt.Sprintf("expected %s, got nothing", typeName(v.Type()))
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return setValue(v.Elem(), node)
	case reflect.Slice:
		return setList(v, node)
	case reflect.String:
		return setText(v, node)
	case reflect.Bool:
		b, ok := node.(*ast.BoolNode)
		if !ok {
			return "expected true or false, got " + describe(node)
		}
		v.SetBool(b.Value)
		return ""
	}
	text, ok := numberText(node)
	if !ok {
		return fmt.Sprintf("expected %s, got %s", typeName(v.Type()), describe(node))
	}
	return setNumber(v, text)
}

func setList(v reflect.Value, node ast.Node) (problem string) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		return fmt.Sprintf("expected %s like [64, 64], got %s", typeName(v.Type()), describe(node))
	}
	if len(seq.Values) == 0 {
		v.SetZero()
		return ""
	}
	list := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		if problem := setValue(list.Index(i), item); problem != "" {
			return fmt.Sprintf("item %d: %s", i+1, problem)
		}
	}
	v.Set(list)
	return ""
}

func setText(v reflect.Value, node ast.Node) (problem string) {
	switch n := node.(type) {
	case *ast.StringNode:
		v.SetString(n.Value)
		return ""
	case *ast.LiteralNode:
		v.SetString(n.Value.Value)
		return ""
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return fmt.Sprintf("expected text, got %s; put it in quotes if it is meant as text", describe(node))
	}
	return "expected text, got " + describe(node)
}

// setNumber parses a number. Whole numbers may be written as 1e5.
func setNumber(v reflect.Value, text string) (problem string) {
	text = strings.ReplaceAll(text, "_", "")
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Sprintf("expected %s, got %s", typeName(v.Type()), text)
	}
	switch v.Kind() {
	case reflect.Uint64:
		if u, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 10, 64); err == nil {
			v.SetUint(u)
			return ""
		}
		if f < 0 {
			return fmt.Sprintf("%s is negative", text)
		}
		if f != math.Trunc(f) || f > 1<<53 {
			return fmt.Sprintf("expected a whole number below 2^64, got %s", text)
		}
		v.SetUint(uint64(f))
	case reflect.Int:
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return fmt.Sprintf("expected a whole number, got %s", text)
		}
		v.SetInt(int64(f))
	default:
		v.SetFloat(f)
	}
	return ""
}

// numberText returns the text of a plain scalar that may be a number. YAML 1.1 does not
// count 1e-3 among the numbers, so it arrives as a string.
func numberText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	case *ast.InfinityNode, *ast.NanNode:
		return strings.Replace(n.GetToken().Value, ".", "", 1), true
	case *ast.StringNode:
		return n.Value, n.Token.Type == token.StringType && looksNumeric(n.Value)
	}
	return "", false
}

func looksNumeric(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// checkValue says what is wrong with a field's value, or "".
func checkValue(v reflect.Value, f *field) (problem string) {
	switch v.Kind() {
	case reflect.String:
		if f.words != nil && !slices.Contains(f.words, v.String()) {
			return fmt.Sprintf("unknown value %q; %s", v.String(), schema.Suggest(v.String(), f.words))
		}
	case reflect.Slice:
		for i := range v.Len() {
			if problem := checkValue(v.Index(i), f); problem != "" {
				return fmt.Sprintf("item %d: %s", i+1, problem)
			}
		}
	case reflect.Int:
		return checkRange(float64(v.Int()), f.interval)
	case reflect.Float64:
		return checkRange(v.Float(), f.interval)
	case reflect.Pointer:
		if !v.IsNil() {
			return checkValue(v.Elem(), f)
		}
	}
	return ""
}

func checkRange(x float64, r *schema.Interval) (problem string) {
	if r == nil || r.Contains(x) {
		return ""
	}
	if r.Unbounded() {
		return fmt.Sprintf("%s is out of range; expected a finite number, %s", schema.FormatNumber(x), r.Notation())
	}
	return fmt.Sprintf("%s is out of range; expected a number %s, %s", schema.FormatNumber(x), r, r.Notation())
}

// describe says what kind of thing a node is, for an error.
func describe(node ast.Node) string {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode:
		return fmt.Sprintf("the text %q", n.Value)
	case *ast.LiteralNode:
		return "a block of text"
	case *ast.BoolNode:
		return n.GetToken().Value
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return "a YAML anchor, alias or tag, which configs do not use"
	}
	return "the number " + node.GetToken().Value
}
