package schema

import (
	"errors"
	"fmt"
	"shadowflow/internal/visible"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Parse reads the settings that a YAML text holds, sections as they are nested. name is what errors call the text.
func Parse(name string, src []byte) ([]Setting, error) {
	t := text{source: name, places: true}
	body, err := t.parse(string(src))
	if err != nil {
		return nil, err
	}
	switch v := t.decode(body).(type) {
	case nil:
		return nil, nil
	case []Setting:
		return v, nil
	default:
		return nil, &Error{Place: t.placeOf(body), Problem: "expected keys and values, got " + describe(v)}
	}
}

// text is where YAML comes from: a file, in which lines and columns are worth telling, or a flag.
type text struct {
	source string
	places bool
}

// parse returns the body of the only document, nil if there is nothing in it.
func (t text) parse(src string) (body ast.Node, err error) {
	src = strings.TrimPrefix(src, "\ufeff")
	at := t.placeOf(nil)
	if problem := unreadable(src); problem != "" {
		return nil, &Error{Place: at, Problem: problem}
	}
	defer func() { // the parser reads foreign text
		if r := recover(); r != nil {
			body, err = nil, &Error{Place: at, Problem: fmt.Sprintf("not YAML that can be read: %.200s", fmt.Sprint(r))}
		}
	}()
	file, err := parser.ParseBytes([]byte(src), 0)
	if err != nil {
		return nil, t.syntaxError(err)
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			return nil, &Error{Place: t.placeOf(doc.Body), Problem: "a second YAML document; expected one"}
		default:
			body = doc.Body
		}
	}
	return body, nil
}

// The bounds of a text. The parser's time grows with the square of the depth, and of the keys of a section; no config comes near them.
const (
	maxLength = 1 << 20
	maxDepth  = 32
	maxMarks  = 20_000
)

// unreadable says why a text is not to be parsed, or "".
func unreadable(text string) (problem string) {
	switch {
	case !utf8.ValidString(text):
		return "not UTF-8 text"
	case len(text) > maxLength:
		return fmt.Sprintf("%d bytes, more than %d", len(text), maxLength)
	}
	for _, mark := range []string{":", "[", "{"} {
		if strings.Count(text, mark) > maxMarks {
			return fmt.Sprintf("more than %d times %q", maxMarks, mark)
		}
	}
	depth, line, indicators := 0, 1, 0
	blank := func(i int) bool { return i < 0 || i >= len(text) || strings.IndexByte(" \t\r\n", text[i]) >= 0 }
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '\n':
			line, indicators = line+1, 0
		case '-', '?', ':', '&', '!', '*': // each of these may open a level, on the same line
			if blank(i-1) && (blank(i+1) || c == '&' || c == '!' || c == '*') {
				indicators++
			}
		case '"', '\'':
			if opensQuotes(text, i) {
				end := endOfQuotes(text, i)
				line += strings.Count(text[i:min(end, len(text))], "\n")
				i = end
			}
		}
		if depth > maxDepth || indicators > maxDepth {
			return fmt.Sprintf("line %d: nested more than %d deep", line, maxDepth)
		}
	}
	return ""
}

// opensQuotes reports whether the quote at i may begin a text, and is no apostrophe in one.
func opensQuotes(text string, i int) bool {
	before := strings.TrimRight(text[:i], " \t")
	return before == "" || strings.IndexByte("=[{,:-\n", before[len(before)-1]) >= 0
}

// endOfQuotes returns where the text in quotes ends that begins at i.
func endOfQuotes(text string, i int) int {
	quote := text[i]
	for i++; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] != quote:
		case quote == '\'' && strings.HasPrefix(text[i:], "''"):
			i++
		default:
			return i
		}
	}
	return i
}

func (t text) syntaxError(err error) error {
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		return &Error{Place: t.placeOf(nil), Problem: "not YAML: " + visible.Name(err.Error())}
	}
	return &Error{Place: t.place(syntax.GetToken()), Problem: "not YAML: " + visible.Name(syntax.GetMessage())}
}

// decode returns what a node holds: nil, a bool, a string, a numeral, a list as items, or keys and values as []Setting.
func (t text) decode(node ast.Node) any {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode:
		return numeral{text: n.GetToken().Value}
	case *ast.InfinityNode, *ast.NanNode:
		return numeral{text: strings.Replace(n.GetToken().Value, ".", "", 1)}
	case *ast.StringNode:
		if n.Token.Type == token.StringType && looksNumeric(n.Value) {
			return numeral{text: n.Value, word: true}
		}
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.SequenceNode:
		list := make(items, len(n.Values))
		for i, item := range n.Values {
			list[i] = Setting{Value: t.decode(item), value: t.placeOf(item)}
		}
		return list
	case *ast.MappingNode:
		settings := make([]Setting, len(n.Values))
		for i, v := range n.Values {
			settings[i] = t.setting(v)
		}
		return settings
	case *ast.MappingValueNode:
		return []Setting{t.setting(n)}
	}
	return foreign{}
}

func (t text) setting(n *ast.MappingValueNode) Setting {
	s := Setting{Key: n.Key.GetToken().Value, Value: t.decode(n.Value), key: t.placeOf(n.Key), value: t.placeOf(n.Value)}
	if s.value.Line == 0 {
		s.value = s.key
	}
	s.lead = leadOf(n.Value)
	return s
}

// leadOf returns how many characters of a text's line belong to YAML before it, -1 if its columns are not those of its characters.
func leadOf(node ast.Node) int {
	s, ok := node.(*ast.StringNode)
	if !ok {
		return -1
	}
	switch tok := s.Token; {
	case strings.Contains(strings.TrimSpace(tok.Origin), "\n"), strings.Contains(tok.Origin, "\\"), strings.Contains(tok.Origin, "''"):
		return -1
	case tok.Type == token.SingleQuoteType || tok.Type == token.DoubleQuoteType:
		return 1
	}
	return 0
}

func (t text) placeOf(node ast.Node) Place {
	if node == nil {
		return Place{Source: t.source}
	}
	return t.place(node.GetToken())
}

func (t text) place(tok *token.Token) Place {
	at := Place{Source: t.source}
	if t.places && tok != nil && tok.Position != nil {
		at.Line, at.Column = tok.Position.Line, tok.Position.Column
	}
	return at
}

func looksNumeric(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return !errors.Is(err, strconv.ErrSyntax)
}
