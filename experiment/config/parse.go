package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"shadowflow/dataset"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Parse reads a config from YAML and then applies overrides, each
// "key=value" with a dotted key and a YAML value: "optimizer.beta2=0.99",
// "model.hidden=[64,64]", "data={name: npz, path: x.npz}". Keys left out have their
// defaults. name is what errors call src; a nil src is an empty config.
//
// The error is a Errors with everything that is wrong. A key that the
// section's name (or mode, kind, method) has no use for is an error, except for a key of
// src whose section was given another name by an override: that one is dropped.
func Parse(name string, src []byte, overrides []string) (*Config, error) {
	p := &reader{schema: newSchema()}
	p.parse(name, string(src), "", 0)
	for i, override := range overrides {
		p.override(override, i+1)
	}
	c := p.resolve()
	if len(p.errors) > 0 {
		return nil, p.errors
	}
	return c, nil
}

// An assignment is a key that the text gives a value.
type assignment struct {
	field  *field
	node   ast.Node
	source string
	origin int // 0 for the file, n for the n-th override
}

type reader struct {
	schema      *keyTable
	assignments []*assignment
	errors      Errors
}

// fail notes an error; at is the node that it is about, nil if there is none.
func (p *reader) fail(at ast.Node, source string, origin int, key, problem string) {
	e := &Error{Source: source, Key: key, Problem: problem}
	if at != nil && origin == 0 {
		e.place(at.GetToken())
	}
	p.errors = append(p.errors, e)
}

// place sets the error's place in the text to that of a token.
func (e *Error) place(tok *token.Token) {
	if tok != nil && tok.Position != nil {
		e.Line, e.Column = tok.Position.Line, tok.Position.Column
	}
}

// override parses one key=value.
func (p *reader) override(text string, origin int) {
	source := "--set " + text
	key, value, ok := strings.Cut(text, "=")
	key = strings.TrimSpace(key)
	if !ok || key == "" {
		p.fail(nil, source, origin, "", "expected key=value, like optimizer.beta2=0.99")
		return
	}
	p.parse(source, value, key, origin)
}

// parse reads YAML that is the value of a dotted key, or the whole config if key is "".
func (p *reader) parse(source, text, key string, origin int) {
	if !utf8.ValidString(text) {
		p.fail(nil, source, origin, key, "not UTF-8 text")
		return
	}
	file, err := parseYAML(text)
	if err != nil {
		p.syntax(err, source, key, origin)
		return
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	switch {
	case len(bodies) > 1:
		p.fail(bodies[1], source, origin, key, "a second YAML document; expected one")
	case len(bodies) == 1:
		p.walk(bodies[0], bodies[0], key, source, origin)
	case key != "":
		p.walk(nil, nil, key, source, origin)
	}
}

// parseYAML turns a panic of the parser, which reads foreign text, into an error.
func parseYAML(text string) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not YAML that can be read: %v", r)
		}
	}()
	return parser.ParseBytes([]byte(text), 0)
}

func (p *reader) syntax(err error, source, key string, origin int) {
	e := &Error{Source: source, Key: key, Problem: "not YAML: " + err.Error()}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		e.Problem = "not YAML: " + syntax.GetMessage()
		if origin == 0 {
			e.place(syntax.GetToken())
		}
	}
	p.errors = append(p.errors, e)
}

// walk collects the assignments below a node, which is the value of a dotted key;
// at is the node that errors about the key itself point to.
func (p *reader) walk(at, node ast.Node, key, source string, origin int) {
	if f := p.schema.byKey[key]; f != nil {
		p.assign(&assignment{field: f, node: node, source: source, origin: origin})
		return
	}
	if key != "" && !slices.Contains(p.schema.sections, key) {
		section, name := splitKey(key)
		p.fail(at, source, origin, key, "unknown key; "+suggestKey(section, name, p.schema))
		return
	}
	switch n := node.(type) {
	case nil, *ast.NullNode:
	case *ast.MappingNode:
		for _, v := range n.Values {
			p.walkValue(v, key, source, origin)
		}
	case *ast.MappingValueNode:
		p.walkValue(n, key, source, origin)
	default:
		p.fail(at, source, origin, key, "expected keys and values, got "+describe(node))
	}
}

func (p *reader) walkValue(v *ast.MappingValueNode, section, source string, origin int) {
	name := v.Key.GetToken().Value
	if section != "" {
		name = section + "." + name
	}
	p.walk(v.Key, v.Value, name, source, origin)
}

// assign notes an assignment; a later one of the same key replaces the earlier.
func (p *reader) assign(a *assignment) {
	for i, b := range p.assignments {
		if b.field == a.field {
			if b.origin == 0 && a.origin == 0 {
				p.fail(a.node, a.source, 0, a.field.key, "given twice")
			}
			p.assignments = append(p.assignments[:i], p.assignments[i+1:]...)
			break
		}
	}
	p.assignments = append(p.assignments, a)
}

// resolve turns the assignments into a Config. The selectors come first, since the
// other defaults depend on them.
func (p *reader) resolve() *Config {
	c := Default()
	for _, a := range p.assignments {
		if p.isSelector(a.field) {
			p.set(c, a)
		}
	}
	c = defaultsFor(choices{
		model: c.Model.Name, optimizer: c.Optimizer.Name, batch: c.Batch.Mode,
		regularizer: c.Regularizer.Kind, flow: c.Flow.Method,
	})
	for _, a := range p.assignments {
		if !p.isSelector(a.field) && p.useful(c, a) {
			p.set(c, a)
		}
	}
	if len(p.errors) == 0 {
		p.checkTogether(c)
	}
	return c
}

func (p *reader) isSelector(f *field) bool {
	for _, g := range p.schema.fields {
		if g.selector == f.key {
			return true
		}
	}
	return false
}

// useful reports whether the key has a meaning with c's selectors, and if not,
// whether that is an error.
func (p *reader) useful(c *Config, a *assignment) bool {
	if p.schema.used(a.field, c) {
		return true
	}
	selector := p.schema.byKey[a.field.selector]
	chosen := p.schema.chosen(a.field, c)
	if !slices.Contains(selector.words, chosen) {
		return false // that is the error to report
	}
	if by := p.find(selector.key); by != nil && by.origin > 0 && a.origin == 0 {
		return false
	}
	p.fail(a.node, a.source, a.origin, a.field.key, fmt.Sprintf("of no use with %s: %s; it is for %s",
		selector.key, chosen, strings.Join(a.field.uses, ", ")))
	return false
}

func (p *reader) find(key string) *assignment {
	for _, a := range p.assignments {
		if a.field.key == key {
			return a
		}
	}
	return nil
}

func (p *reader) set(c *Config, a *assignment) {
	v := a.field.value(c)
	problem := setValue(v, a.node)
	if problem == "" {
		problem = checkValue(v, a.field)
	}
	if problem != "" {
		p.fail(a.node, a.source, a.origin, a.field.key, problem)
	}
}

// checkTogether checks what concerns several keys at once.
func (p *reader) checkTogether(c *Config) {
	var wrong *dataset.FieldError
	if err := c.Data.Validate(); errors.As(err, &wrong) {
		p.failKey("data."+wrong.Field, wrong.Problem)
	}
	for i, order := range c.Flow.Orders {
		if i > 0 && order <= c.Flow.Orders[i-1] {
			p.failKey("flow.orders", "expected different orders, the lowest first")
		}
	}
}

// failKey reports a problem at the place where the key, or one of its section, was given.
func (p *reader) failKey(key, problem string) {
	a := p.find(key)
	section, _ := splitKey(key)
	for i := 0; a == nil && i < len(p.assignments); i++ {
		if p.assignments[i].field.section == section {
			a = p.assignments[i]
		}
	}
	if a == nil {
		p.fail(nil, "config", 0, key, problem)
		return
	}
	p.fail(a.node, a.source, a.origin, key, problem)
}

func splitKey(key string) (section, name string) {
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		return key[:i], key[i+1:]
	}
	return "", key
}

// Read parses the config in a file; see Parse. Without a path it is the default config with the overrides.
func Read(path string, overrides []string) (*Config, error) {
	if path == "" {
		return Parse("defaults", nil, overrides)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src, overrides)
}
