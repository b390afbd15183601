package formula

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"shadowflow/internal/plural"
	"shadowflow/schema"
)

// What a formula may be at most.
const (
	maxLength = 1000 // bytes
	maxDepth  = 40   // parentheses, functions, signs and exponents in one another
)

// Error says where a formula is wrong.
type Error struct {
	Column int    // of the character, from 1
	Found  string // what stands there, empty at the end
	Want   string // what would be right
}

func (e *Error) Error() string {
	return fmt.Sprintf("column %d: %s", e.Column, e.Problem())
}

// Problem is the error without its place.
func (e *Error) Problem() string {
	if e.Found == "" {
		return "it ends where " + e.Want + " should follow"
	}
	return fmt.Sprintf("found %q: want %s", e.Found, e.Want)
}

// Parse reads a formula: numbers, names, + - * / ^, parentheses, and functions. A power binds to the right and more closely than a
// sign, as on paper: -x^2 is -(x^2). An error is an [*Error].
func Parse(s string) (*Formula, error) {
	p := &parser{s: s}
	if len(s) > maxLength {
		return nil, &Error{maxLength + 1, plural.Count(len(s), "character"), fmt.Sprintf("at most %d", maxLength)}
	}
	f, err := p.sum()
	if err == nil && p.peek() != atEnd {
		err = p.fail("an operator or the end")
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

type parser struct {
	s     string
	at    int
	depth int
}

// atEnd stands for the character behind the last.
const atEnd rune = -1

// peek passes blanks and returns the next character.
func (p *parser) peek() rune {
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.s) {
		return atEnd
	}
	c, _ := utf8.DecodeRuneInString(p.s[p.at:])
	return c
}

// column returns the number of the next character.
func (p *parser) column() int { return utf8.RuneCountInString(p.s[:p.at]) + 1 }

// fail returns the error that something else should be next.
func (p *parser) fail(want string) error {
	c := p.peek()
	if c == atEnd {
		return &Error{p.column(), "", want}
	}
	column, at := p.column(), p.at
	found := cmp.Or(p.word(), p.digits(), string(c))
	p.at = at
	return &Error{column, found, want}
}

func isLetter(c rune) bool { return unicode.IsLetter(c) }

// word takes a name, empty if none is next.
func (p *parser) word() string {
	start := p.at
	for p.at < len(p.s) {
		c, size := utf8.DecodeRuneInString(p.s[p.at:])
		if !isLetter(c) && (p.at == start || c != '_' && !unicode.IsDigit(c)) {
			break
		}
		p.at += size
	}
	return p.s[start:p.at]
}

// digits takes a number without a sign, empty if none is next.
func (p *parser) digits() string {
	start := p.at
	run := func() {
		for p.at < len(p.s) && p.s[p.at] >= '0' && p.s[p.at] <= '9' {
			p.at++
		}
	}
	run()
	if p.at < len(p.s) && p.s[p.at] == '.' {
		p.at++
		run()
	}
	if mantissa := p.at; p.at > start && p.at < len(p.s) && p.s[p.at]|0x20 == 'e' {
		if p.at++; p.at < len(p.s) && (p.s[p.at] == '+' || p.s[p.at] == '-') {
			p.at++
		}
		exponent := p.at
		if run(); p.at == exponent {
			p.at = mantissa
		}
	}
	return p.s[start:p.at]
}

// deeper is one more level of nesting around a part.
func (p *parser) deeper(part func() (*Formula, error)) (*Formula, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(fmt.Sprintf("at most %d levels in one another", maxDepth))
	}
	f, err := part()
	p.depth--
	return f, err
}

// operator takes one of the operators, none if another character is next.
func (p *parser) operator(among string) (op string, column int) {
	c := p.peek()
	if c == atEnd || !strings.ContainsRune(among, c) {
		return "", 0
	}
	column = p.column()
	p.at++
	return string(c), column
}

func (p *parser) sum() (*Formula, error) { return p.chain("+-", p.product) }

// comparison is what an if asks: a > b, a < b, or a sum, which may be the name of what is true or false.
func (p *parser) comparison() (*Formula, error) {
	a, err := p.sum()
	if err != nil {
		return nil, err
	}
	op, column := p.operator("<>")
	if op == "" {
		return a, nil
	}
	b, err := p.sum()
	if err != nil {
		return nil, err
	}
	if op == "<" {
		a, b = b, a
	}
	return apply(">", column, a, b), nil
}

func (p *parser) product() (*Formula, error) { return p.chain("*/", p.factor) }

// chain reads parts with operators between them, which bind to the left.
func (p *parser) chain(operators string, part func() (*Formula, error)) (*Formula, error) {
	f, err := part()
	for err == nil {
		op, column := p.operator(operators)
		if op == "" {
			break
		}
		var g *Formula
		if g, err = part(); err == nil {
			f = apply(op, column, f, g)
		}
	}
	return f, err
}

// factor is a power, or the negative of a factor.
func (p *parser) factor() (*Formula, error) {
	if _, column := p.operator("-"); column > 0 {
		f, err := p.deeper(p.factor)
		if err != nil {
			return nil, err
		}
		return apply(Negate, column, f), nil
	}
	base, err := p.atom()
	if err != nil {
		return nil, err
	}
	op, column := p.operator("^")
	if op == "" {
		return base, nil
	}
	exponent, err := p.deeper(p.factor)
	if err != nil {
		return nil, err
	}
	return apply(op, column, base, exponent), nil
}

func (p *parser) atom() (*Formula, error) {
	c := p.peek()
	column := p.column()
	switch {
	case c == '(':
		p.at++
		f, err := p.deeper(p.sum)
		if err != nil {
			return nil, err
		}
		return f, p.expect(")")
	case isLetter(c):
		start := p.at
		name := p.word()
		if p.peek() == '(' {
			p.at = start
			return p.call(name, column)
		}
		return &Formula{Name: name, Column: column, size: 1}, nil
	}
	start := p.at
	text := p.digits()
	v, err := schema.ParseNumber(text)
	if text == "." || text == "" {
		p.at = start
		return nil, p.fail("a number, a name or (")
	}
	if err != nil {
		p.at = start
		return nil, p.fail("a number that float64 can hold")
	}
	return &Formula{number: v, text: text, Column: column, size: 1}, nil
}

// call reads a function and its arguments.
func (p *parser) call(name string, column int) (*Formula, error) {
	op, known := operations[name]
	if !known {
		names := Functions()
		return nil, p.fail(fmt.Sprintf("one of the functions %s (did you mean %s?)", strings.Join(names, ", "), schema.Nearest(name, names)))
	}
	p.at += len(name)
	p.peek()
	p.at++
	args := make([]*Formula, op.args)
	for i := range args {
		var err error
		if i > 0 {
			if err = p.expect(fmt.Sprintf(", and another argument of %s, which takes %d", name, op.args)); err != nil {
				return nil, err
			}
		}
		part := p.sum
		if name == If && i == 0 {
			part = p.comparison
		}
		if args[i], err = p.deeper(part); err != nil {
			return nil, err
		}
	}
	if p.peek() == ',' && op.args == 1 {
		return nil, p.fail(fmt.Sprintf(") after the one argument of %s", name))
	} else if p.peek() == ',' {
		return nil, p.fail(fmt.Sprintf(") after the %d arguments of %s", op.args, name))
	}
	return apply(name, column, args...), p.expect(")")
}

// expect takes the character that want begins with.
func (p *parser) expect(want string) error {
	if p.peek() != rune(want[0]) {
		return p.fail(want)
	}
	p.at++
	return nil
}
