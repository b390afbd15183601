package formula

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Parse reads a formula: numbers, names, + - * / ^ with a number as exponent, parentheses, sqrt(x) and abs(x).
func Parse(s string) (Expr, error) {
	if len(s) > maxLength {
		return Expr{}, fmt.Errorf("formula of %d characters: want at most %d", len(s), maxLength)
	}
	p := &parser{s: s}
	e, err := p.sum(0)
	if err == nil && p.skip() != 0 {
		err = p.fail("an operator or the end")
	}
	if err != nil {
		return Expr{}, fmt.Errorf("formula %q: %w", s, err)
	}
	return e, nil
}

const (
	maxLength = 300
	maxDepth  = 20
)

type parser struct {
	s  string
	at int
}

// skip passes blanks and returns the next character, 0 at the end.
func (p *parser) skip() rune {
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\t') {
		p.at++
	}
	if p.at == len(p.s) {
		return 0
	}
	c, _ := utf8.DecodeRuneInString(p.s[p.at:])
	return c
}

func (p *parser) fail(want string) error {
	if p.at >= len(p.s) {
		return fmt.Errorf("ends where %s should follow", want)
	}
	return fmt.Errorf("character %d, %q: want %s", p.at+1, p.s[p.at:], want)
}

func (p *parser) sum(depth int) (Expr, error) {
	if depth > maxDepth {
		return Expr{}, fmt.Errorf("more than %d levels deep", maxDepth)
	}
	negative := p.skip() == '-'
	if negative {
		p.at++
	}
	e, err := p.product(depth)
	if negative {
		e = e.Neg()
	}
	for err == nil {
		op := p.skip()
		if op != '+' && op != '-' {
			break
		}
		p.at++
		var f Expr
		if f, err = p.product(depth); op == '-' {
			f = f.Neg()
		}
		e = e.Add(f)
		if len(e.terms) > maxTerms {
			return Expr{}, fmt.Errorf("more than %d terms when expanded", maxTerms)
		}
	}
	return e, err
}

func (p *parser) product(depth int) (Expr, error) {
	e, err := p.power(depth)
	for err == nil {
		op := p.skip()
		if op != '*' && op != '/' {
			break
		}
		p.at++
		var f Expr
		if f, err = p.power(depth); err != nil {
			break
		}
		if op == '/' {
			if f, err = f.Pow(-1, 1); err != nil {
				break
			}
		}
		if len(e.terms)*len(f.terms) > maxTerms {
			return Expr{}, fmt.Errorf("more than %d terms when expanded", maxTerms)
		}
		e = e.Mul(f)
	}
	return e, err
}

func (p *parser) power(depth int) (Expr, error) {
	base, err := p.atom(depth)
	if err != nil || p.skip() != '^' {
		return base, err
	}
	p.at++
	if p.skip() == '-' {
		return Expr{}, p.fail("a number; write 1/x for a negative power")
	}
	start := p.at
	exp, err := p.atom(depth)
	if err != nil {
		return Expr{}, err
	}
	if len(exp.terms) != 1 || len(exp.terms[0].factors) != 0 {
		p.at = start
		return Expr{}, p.fail("a number as exponent")
	}
	c := exp.terms[0].coef
	if !c.Num().IsInt64() || !c.Denom().IsInt64() || c.Num().Int64() > maxExponent || c.Num().Int64() < -maxExponent || c.Denom().Int64() > maxExponent {
		p.at = start
		return Expr{}, p.fail(fmt.Sprintf("an exponent of at most %d", maxExponent))
	}
	if n := len(base.terms); n > 1 && c.IsInt() && c.Num().Int64() > maxExpand {
		p.at = start
		return Expr{}, p.fail(fmt.Sprintf("a sum to at most the power %d", maxExpand))
	}
	return base.Pow(c.Num().Int64(), c.Denom().Int64())
}

func (p *parser) atom(depth int) (Expr, error) {
	c := p.skip()
	switch {
	case c == '(':
		return p.parenthesis(depth)
	case unicode.IsDigit(c):
		start := p.at
		for p.at < len(p.s) && p.s[p.at] >= '0' && p.s[p.at] <= '9' {
			p.at++
		}
		n, err := strconv.ParseInt(p.s[start:p.at], 10, 32)
		if err != nil {
			p.at = start
			return Expr{}, p.fail("a whole number below 2^31")
		}
		return Number(n, 1), nil
	case unicode.IsLetter(c):
		start := p.at
		for p.at < len(p.s) {
			r, size := utf8.DecodeRuneInString(p.s[p.at:])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
				break
			}
			p.at += size
		}
		return p.named(p.s[start:p.at], depth)
	}
	return Expr{}, p.fail("a number, a name or (")
}

func (p *parser) parenthesis(depth int) (Expr, error) {
	p.at++
	e, err := p.sum(depth + 1)
	if err == nil && p.skip() != ')' {
		err = p.fail(")")
	}
	p.at++
	return e, err
}

func (p *parser) named(name string, depth int) (Expr, error) {
	if p.skip() != '(' {
		return Symbol(name), nil
	}
	if name != "sqrt" && name != "abs" {
		return Expr{}, fmt.Errorf("no function %q: there are sqrt and abs", name)
	}
	e, err := p.parenthesis(depth)
	if err == nil && name == "abs" {
		e, err = e.Pow(2, 1)
	}
	if err != nil {
		return Expr{}, err
	}
	return e.Pow(1, 2)
}
