package sweep

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// FileError says what is wrong in a sweep file, and where.
type FileError struct {
	File         string
	Line, Column int // from 1; 0 where no line is to blame
	Key          string
	Problem      string
}

func (e *FileError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	return b.String() + ": " + e.Problem
}

// fail returns a FileError at a node, which may be nil.
func fail(file string, at ast.Node, key, problem string, args ...any) error {
	e := &FileError{File: file, Key: key, Problem: fmt.Sprintf(problem, args...)}
	if at != nil {
		if tok := at.GetToken(); tok != nil && tok.Position != nil {
			e.Line, e.Column = tok.Position.Line, tok.Position.Column
		}
	}
	return e
}

// parseYAML returns the body of the only document, nil if there is nothing in it.
func parseYAML(file string, src []byte) (body ast.Node, err error) {
	if !utf8.Valid(src) {
		return nil, fail(file, nil, "", "not UTF-8 text")
	}
	defer func() { // the parser reads foreign text
		if r := recover(); r != nil {
			body, err = nil, fail(file, nil, "", "not YAML that can be read: %v", r)
		}
	}()
	parsed, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, syntaxError(file, err)
	}
	for _, doc := range parsed.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			return nil, fail(file, doc.Body, "", "a second YAML document; expected one")
		default:
			body = doc.Body
		}
	}
	return body, nil
}

func syntaxError(file string, err error) error {
	e := &FileError{File: file, Problem: "not YAML: " + err.Error()}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		e.Problem = "not YAML: " + syntax.GetMessage()
		if tok := syntax.GetToken(); tok != nil && tok.Position != nil {
			e.Line, e.Column = tok.Position.Line, tok.Position.Column
		}
	}
	return e
}

// pairs returns the keys and values of a mapping.
func pairs(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return nil, true
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// flowText writes a node as YAML on one line, numbers as they were written.
func flowText(node ast.Node) (string, error) {
	if values, ok := pairs(node); ok && len(values) > 0 {
		items := make([]string, len(values))
		for i, v := range values {
			text, err := flowText(v.Value)
			if err != nil {
				return "", err
			}
			items[i] = v.Key.GetToken().Value + ": " + text
		}
		return "{" + strings.Join(items, ", ") + "}", nil
	}
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return "null", nil
	case *ast.MappingNode:
		return "{}", nil
	case *ast.SequenceNode:
		items := make([]string, len(n.Values))
		for i, v := range n.Values {
			text, err := flowText(v)
			if err != nil {
				return "", err
			}
			items[i] = text
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	case *ast.StringNode:
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil && n.Token.Type == token.StringType {
			return n.Value, nil // 1e-3, which YAML 1.1 takes for a text
		}
		return strconv.Quote(n.Value), nil
	case *ast.LiteralNode:
		return strconv.Quote(n.Value.Value), nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, nil
	}
	return "", errors.New("a YAML anchor, alias or tag, which sweeps do not use")
}

// nearest says which of the names may have been meant.
func nearest(got string, names []string) string {
	all := "expected one of " + strings.Join(names, ", ")
	if len(got) > 64 {
		return all
	}
	distance := func(name string) int { return levenshtein.ComputeDistance(got, name) }
	best := slices.MinFunc(names, func(a, b string) int { return distance(a) - distance(b) })
	if distance(best) > max(2, len(got)/2) {
		return all
	}
	return fmt.Sprintf("did you mean %s?", best)
}
