// Package formula computes with the formulas of update rules: enough algebra to differentiate m / sqrt(v + eps), put m = g and v = g^2,
// and print the result as people write it. It serves reading, not computing: numbers come from the rules' graph code.
package formula

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

// Expr is a sum of products of powers, in a normal form: like terms are collected, products of sums expanded, and powers of
// one base gathered. The zero Expr is 0.
type Expr struct{ terms []term }

// term is coef times its factors, each of another base, in order of their keys.
type term struct {
	coef    *big.Rat
	factors []factor
}

// factor is a base to a power other than 0. The base is a symbol, an absolute value, or a sum.
type factor struct {
	symbol string // if not empty, the base
	abs    bool   // the base is |sum|
	sum    Expr
	exp    exponent
}

// exponent is a fraction in lowest terms with a positive denominator.
type exponent struct{ num, den int64 }

func exponentOf(num, den int64) exponent {
	if den < 0 {
		num, den = -num, -den
	}
	a, b := num, den
	for b != 0 {
		a, b = b, a%b
	}
	if a < 0 {
		a = -a
	}
	return exponent{num / a, den / a}
}

func (e exponent) plus(f exponent) exponent {
	return exponentOf(e.num*f.den+f.num*e.den, e.den*f.den)
}
func (e exponent) times(f exponent) exponent { return exponentOf(e.num*f.num, e.den*f.den) }
func (e exponent) even() bool                { return e.den == 1 && e.num%2 == 0 }
func (e exponent) float() float64            { return float64(e.num) / float64(e.den) }
func (e exponent) less(f exponent) bool      { return e.num*f.den < f.num*e.den }

// Bounds that keep a formula a formula.
const (
	maxExponent = 64
	maxTerms    = 400
	maxExpand   = 6
)

// Number returns the fraction num/den.
func Number(num, den int64) Expr {
	if num == 0 {
		return Expr{}
	}
	return Expr{[]term{{coef: big.NewRat(num, den)}}}
}

// Symbol returns the variable of that name.
func Symbol(name string) Expr {
	return Expr{[]term{{coef: big.NewRat(1, 1), factors: []factor{{symbol: name, exp: exponent{1, 1}}}}}}
}

// IsZero reports whether e is 0.
func (e Expr) IsZero() bool { return len(e.terms) == 0 }

// Equal reports whether the normal forms agree.
func (e Expr) Equal(f Expr) bool { return e.Sub(f).IsZero() }

func (f factor) baseKey() string {
	switch {
	case f.symbol != "":
		return f.symbol
	case f.abs:
		return "|" + f.sum.key() + "|"
	}
	return "(" + f.sum.key() + ")"
}

func (t term) key() string {
	var s strings.Builder
	for _, f := range t.factors {
		fmt.Fprintf(&s, "%s^%d/%d ", f.baseKey(), f.exp.num, f.exp.den)
	}
	return s.String()
}

func (e Expr) key() string {
	var parts []string
	for _, t := range e.terms {
		parts = append(parts, t.coef.RatString()+" "+t.key())
	}
	slices.Sort(parts)
	return strings.Join(parts, "+")
}

// Add returns e + f.
func (e Expr) Add(f Expr) Expr {
	terms := slices.Clone(e.terms)
	at := map[string]int{}
	for i, t := range terms {
		at[t.key()] = i
	}
	for _, t := range f.terms {
		k := t.key()
		if i, ok := at[k]; ok {
			terms[i] = term{new(big.Rat).Add(terms[i].coef, t.coef), t.factors}
			continue
		}
		at[k] = len(terms)
		terms = append(terms, t)
	}
	return Expr{slices.DeleteFunc(terms, func(t term) bool { return t.coef.Sign() == 0 })}
}

// Neg returns -e.
func (e Expr) Neg() Expr { return e.Mul(Number(-1, 1)) }

// Sub returns e - f.
func (e Expr) Sub(f Expr) Expr { return e.Add(f.Neg()) }

// Mul returns e f, expanded.
func (e Expr) Mul(f Expr) Expr {
	var out Expr
	for _, s := range e.terms {
		for _, t := range f.terms {
			out = out.Add(s.mul(t))
		}
	}
	return out
}

// mul returns the product of two terms; a base that is a sum may come to a whole power, which is expanded.
func (t term) mul(u term) Expr {
	factors := slices.Clone(t.factors)
	for _, f := range u.factors {
		key := f.baseKey()
		i := slices.IndexFunc(factors, func(g factor) bool { return g.baseKey() == key })
		if i < 0 {
			factors = append(factors, f)
			continue
		}
		f.exp = f.exp.plus(factors[i].exp)
		factors[i] = f
	}
	return normal(new(big.Rat).Mul(t.coef, u.coef), factors)
}

// normal makes a product of factors of different bases an expression.
func normal(coef *big.Rat, factors []factor) Expr {
	factors = slices.DeleteFunc(factors, func(f factor) bool { return f.exp.num == 0 })
	for i, f := range factors {
		rest := func() []factor { return slices.Delete(slices.Clone(factors), i, i+1) }
		switch {
		case f.abs && f.exp.even(): // |x|^2 = x^2
			p, err := f.sum.Pow(f.exp.num, 1)
			if err == nil {
				return normal(coef, rest()).Mul(p)
			}
		case f.abs && len(f.sum.terms) == 1: // |x| x^2 = |x|^3
			base := f.sum.terms[0].factors[0].baseKey()
			j := slices.IndexFunc(factors, func(g factor) bool { return g.baseKey() == base && g.exp.even() })
			if j >= 0 {
				f.exp = f.exp.plus(factors[j].exp)
				joined := slices.Clone(factors)
				joined[i] = f
				return normal(coef, slices.Delete(joined, j, j+1))
			}
		case f.symbol == "" && !f.abs && f.exp.den == 1 && f.exp.num > 0 && f.exp.num <= maxExpand:
			out := normal(coef, rest())
			for range f.exp.num {
				if len(out.terms) > maxTerms {
					break
				}
				out = out.Mul(f.sum)
			}
			return out
		}
	}
	slices.SortFunc(factors, func(a, b factor) int { return strings.Compare(a.baseKey(), b.baseKey()) })
	return Expr{[]term{{coef, factors}}}
}

// ErrDivision says that something was divided by zero.
var ErrDivision = errors.New("division by zero")

// Pow returns e to the power num/den. Sums under a root count as positive; symbols may be of either sign.
func (e Expr) Pow(num, den int64) (Expr, error) {
	p := exponentOf(num, den)
	switch {
	case p.num == 0:
		return Number(1, 1), nil
	case e.IsZero() && p.num < 0:
		return Expr{}, ErrDivision
	case e.IsZero() || p == exponent{1, 1}:
		return e, nil
	case len(e.terms) > 1:
		if err := bounded(p); err != nil {
			return Expr{}, err
		}
		return normal(big.NewRat(1, 1), []factor{{sum: e, exp: p}}), nil
	}
	t := e.terms[0]
	out, err := powNumber(t.coef, p)
	for _, f := range t.factors {
		if err != nil {
			return Expr{}, err
		}
		g := f
		g.exp = f.exp.times(p)
		if err = bounded(g.exp); f.exp.even() && !g.exp.even() && f.symbol != "" { // sqrt(x^2) = |x|
			g = factor{abs: true, sum: Symbol(f.symbol), exp: g.exp}
		}
		out = out.Mul(normal(big.NewRat(1, 1), []factor{g}))
	}
	return out, err
}

func bounded(p exponent) error {
	if max(p.num, -p.num, p.den) > maxExponent {
		return fmt.Errorf("exponent %d/%d is too large", p.num, p.den)
	}
	return nil
}

// powNumber returns a number to a power; a root must be that of a perfect power.
func powNumber(c *big.Rat, p exponent) (Expr, error) {
	if err := bounded(p); err != nil {
		return Expr{}, err
	}
	f, _ := c.Float64()
	root := new(big.Rat).SetFloat64(math.Round(math.Pow(f, 1/float64(p.den))))
	if p.den == 1 {
		root = c
	} else if root == nil || ratPow(root, p.den).Cmp(c) != 0 {
		return Expr{}, fmt.Errorf("the root of %s is not a whole number", c.RatString())
	}
	out := ratPow(root, max(p.num, -p.num))
	if p.num < 0 {
		out.Inv(out)
	}
	return Expr{[]term{{coef: out}}}, nil
}

func ratPow(c *big.Rat, n int64) *big.Rat {
	out := big.NewRat(1, 1)
	for range n {
		out.Mul(out, c)
	}
	return out
}

// Div returns e / f.
func (e Expr) Div(f Expr) (Expr, error) {
	inverse, err := f.Pow(-1, 1)
	return e.Mul(inverse), err
}

// rebuild replaces every symbol of e by what the function returns.
func (e Expr) rebuild(replace func(symbol string) Expr) (Expr, error) {
	var out Expr
	for _, t := range e.terms {
		product := Expr{[]term{{coef: t.coef}}}
		for _, f := range t.factors {
			var base Expr
			var err error
			if f.symbol != "" {
				base = replace(f.symbol)
			} else if base, err = f.sum.rebuild(replace); err != nil {
				return Expr{}, err
			}
			if f.abs {
				if base, err = base.Pow(2, 1); err == nil {
					base, err = base.Pow(1, 2)
				}
				if err != nil {
					return Expr{}, err
				}
			}
			if base, err = base.Pow(f.exp.num, f.exp.den); err != nil {
				return Expr{}, err
			}
			product = product.Mul(base)
		}
		out = out.Add(product)
	}
	return out, nil
}

// Substitute replaces symbols by expressions.
func (e Expr) Substitute(by map[string]Expr) (Expr, error) {
	return e.rebuild(func(symbol string) Expr {
		if x, ok := by[symbol]; ok {
			return x
		}
		return Symbol(symbol)
	})
}

// Derivative returns de/dx for the symbol x.
func (e Expr) Derivative(x string) Expr {
	var out Expr
	for _, t := range e.terms {
		for i, f := range t.factors {
			inner := Expr{}
			switch {
			case f.symbol == x:
				inner = Number(1, 1)
			case f.symbol == "":
				inner = f.sum.Derivative(x)
			}
			if inner.IsZero() {
				continue
			}
			if f.abs { // d|s| = s/|s| ds
				sign := normal(big.NewRat(1, 1), []factor{{abs: true, sum: f.sum, exp: exponent{-1, 1}}})
				inner = inner.Mul(f.sum).Mul(sign)
			}
			rest := slices.Clone(t.factors)
			rest[i].exp = f.exp.plus(exponent{-1, 1})
			power := new(big.Rat).Mul(t.coef, big.NewRat(f.exp.num, f.exp.den))
			out = out.Add(normal(power, rest).Mul(inner))
		}
	}
	return out
}

// Value computes e; an unknown symbol makes it NaN.
func (e Expr) Value(symbols map[string]float64) float64 {
	sum := 0.0
	for _, t := range e.terms {
		product, _ := t.coef.Float64()
		for _, f := range t.factors {
			base, ok := symbols[f.symbol]
			switch {
			case f.symbol == "":
				if base = f.sum.Value(symbols); f.abs {
					base = math.Abs(base)
				}
			case !ok:
				base = math.NaN()
			}
			product *= math.Pow(base, f.exp.float())
		}
		sum += product
	}
	return sum
}

// Uses reports whether the symbol occurs in e.
func (e Expr) Uses(symbol string) bool {
	for _, t := range e.terms {
		for _, f := range t.factors {
			if f.symbol == symbol || f.sum.Uses(symbol) {
				return true
			}
		}
	}
	return false
}

// Leading returns the terms of e that are largest as the symbol x tends to 0: x is set to 0 in all sums, as in sqrt(x^2 + eps), and the
// terms of lowest degree in x are kept.
func (e Expr) Leading(x string) (Expr, error) {
	var out Expr
	for _, t := range e.terms {
		product := Expr{[]term{{coef: t.coef}}}
		for _, f := range t.factors {
			base := Expr{[]term{{coef: big.NewRat(1, 1), factors: []factor{f}}}}
			if f.symbol == "" && !f.abs {
				var err error
				if base, err = base.Substitute(map[string]Expr{x: {}}); err != nil {
					return Expr{}, err
				}
			}
			product = product.Mul(base)
		}
		out = out.Add(product)
	}
	var leading Expr
	var lowest exponent
	for i, t := range out.terms {
		d := t.degree(x)
		switch {
		case i == 0 || d.less(lowest):
			leading, lowest = Expr{[]term{t}}, d
		case !lowest.less(d):
			leading.terms = append(leading.terms, t)
		}
	}
	return leading, nil
}

// degree returns the power of x, or |x|, in t.
func (t term) degree(x string) exponent {
	sum := exponent{0, 1}
	for _, f := range t.factors {
		if f.symbol == x || (f.abs && f.sum.Uses(x)) {
			sum = sum.plus(f.exp)
		}
	}
	return sum
}
