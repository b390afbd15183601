package formula

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Expr is a sum of products of powers, in a normal form: like terms are collected, products of sums expanded, and powers of
// one base gathered. The zero Expr is 0. It serves reading, not computing: numbers come from [Formula.Graph].
//
// Whatever cannot be made, by a division by zero or because it would grow beyond what anyone reads, is an Expr that says why, and so
// is all that is made of it: see [Expr.Err].
type Expr struct {
	terms []term
	size  int // of the terms
	err   error
}

// term is coef times its factors, each of another base, in order of their keys.
type term struct {
	coef    *big.Rat
	factors []factor
}

// factor is a base to a power other than 0. The base is a symbol, an absolute value, or a sum.
type factor struct {
	key    string // tells bases apart
	symbol string // if not empty, the base
	abs    bool   // the base is |sum|
	sum    Expr
	exp    exponent
}

func symbolTo(name string, exp exponent) factor { return factor{key: name, symbol: name, exp: exp} }
func sumTo(e Expr, exp exponent) factor         { return factor{key: "(" + e.key() + ")", sum: e, exp: exp} }
func absTo(e Expr, exp exponent) factor {
	return factor{key: "|" + e.key() + "|", abs: true, sum: e, exp: exp}
}

// isSum reports whether the base is a sum.
func (f factor) isSum() bool { return f.symbol == "" && !f.abs }

// to returns the factor with another power.
func (f factor) to(exp exponent) factor {
	f.exp = exp
	return f
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
func (e exponent) bounded() bool             { return max(e.num, -e.num, e.den) <= maxExponent }

// Bounds that keep a formula a formula, and the work on it small.
const (
	maxExponent = 64
	maxExpand   = 6    // the highest power of a sum that is multiplied out
	maxTerms    = 400  // of a sum, and of the products of two
	maxParts    = 4000 // terms and factors in all, those of sums in sums too
	maxBits     = 2400 // of a coefficient
)

// errTooLong is the error of what outgrew the bounds.
var errTooLong = errors.New("the formula grows too long to be written down")

// ErrDivision is the error of a division by zero.
var ErrDivision = errors.New("division by zero")

// Err returns why e could not be made, nil if it could.
func (e Expr) Err() error { return e.err }

// checked returns the sum of the terms, which are in normal form, if it is within the bounds.
func checked(terms []term) Expr {
	e := Expr{terms: terms}
	for _, t := range terms {
		e.size++
		for _, f := range t.factors {
			if e.size += 1 + f.sum.size; !f.exp.bounded() {
				return Expr{err: fmt.Errorf("%w: the exponent %d/%d is beyond %d", errTooLong, f.exp.num, f.exp.den, maxExponent)}
			}
		}
		if t.coef.Num().BitLen()+t.coef.Denom().BitLen() > maxBits {
			return Expr{err: fmt.Errorf("%w: a number of %d binary digits", errTooLong, t.coef.Num().BitLen()+t.coef.Denom().BitLen())}
		}
	}
	if len(terms) > maxTerms || e.size > maxParts {
		return Expr{err: fmt.Errorf("%w: %d terms of %d parts", errTooLong, len(terms), e.size)}
	}
	return e
}

func rational(c *big.Rat) Expr {
	if c.Sign() == 0 {
		return Expr{}
	}
	return checked([]term{{coef: c}})
}

// Fraction returns the number num/den; den is not 0.
func Fraction(num, den int64) Expr { return rational(big.NewRat(num, den)) }

// decimal returns a number as it is written, one that float64 can hold.
func decimal(text string) Expr {
	c, ok := new(big.Rat).SetString(text)
	if !ok {
		return Expr{err: fmt.Errorf("%s is not a number", text)}
	}
	return rational(c)
}

// Symbol returns the variable of that name.
func Symbol(name string) Expr { return product(big.NewRat(1, 1), symbolTo(name, exponent{1, 1})) }

// IsZero reports whether e is 0.
func (e Expr) IsZero() bool { return e.err == nil && len(e.terms) == 0 }

// Equal reports whether the normal forms agree.
func (e Expr) Equal(f Expr) bool { return e.Sub(f).IsZero() }

func (t term) key() string {
	var s strings.Builder
	for _, f := range t.factors {
		fmt.Fprintf(&s, "%s^%d/%d ", f.key, f.exp.num, f.exp.den)
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

// collector adds up terms.
type collector struct {
	terms []term
	at    map[string]int // by key
	err   error
}

func (c *collector) add(e Expr) {
	if c.at == nil {
		c.at = map[string]int{}
	}
	if c.err == nil {
		c.err = e.err
	}
	for _, t := range e.terms {
		k := t.key()
		if i, ok := c.at[k]; ok {
			c.terms[i].coef = new(big.Rat).Add(c.terms[i].coef, t.coef)
			continue
		}
		c.at[k] = len(c.terms)
		c.terms = append(c.terms, t)
	}
}

func (c *collector) sum() Expr {
	if c.err != nil {
		return Expr{err: c.err}
	}
	return checked(slices.DeleteFunc(c.terms, func(t term) bool { return t.coef.Sign() == 0 }))
}

// Add returns e + f.
func (e Expr) Add(f Expr) Expr {
	var c collector
	c.add(e)
	c.add(f)
	return c.sum()
}

// Neg returns -e.
func (e Expr) Neg() Expr { return e.Mul(Fraction(-1, 1)) }

// Sub returns e - f.
func (e Expr) Sub(f Expr) Expr { return e.Add(f.Neg()) }

// Mul returns e f, expanded.
func (e Expr) Mul(f Expr) Expr {
	c := collector{err: e.err}
	switch {
	case c.err == nil && f.err != nil:
		c.err = f.err
	case len(e.terms)*len(f.terms) > maxTerms:
		c.err = fmt.Errorf("%w: a product of %d and %d terms", errTooLong, len(e.terms), len(f.terms))
	}
	for _, s := range e.terms {
		for _, t := range f.terms {
			if c.err == nil {
				c.add(s.mul(t))
			}
		}
	}
	return c.sum()
}

// mul returns the product of two terms; a base that is a sum may come to a whole power, which is expanded.
func (t term) mul(u term) Expr {
	factors := slices.Clone(t.factors)
	for _, f := range u.factors {
		i := slices.IndexFunc(factors, func(g factor) bool { return g.key == f.key })
		if i < 0 {
			factors = append(factors, f)
			continue
		}
		factors[i] = f.to(f.exp.plus(factors[i].exp))
	}
	return product(new(big.Rat).Mul(t.coef, u.coef), factors...)
}

// product makes a product of factors of different bases an expression.
func product(coef *big.Rat, factors ...factor) Expr {
	factors = slices.DeleteFunc(factors, func(f factor) bool { return f.exp.num == 0 })
	for i, f := range factors {
		rest := func() Expr { return product(coef, slices.Delete(slices.Clone(factors), i, i+1)...) }
		switch {
		case f.abs && f.exp.even(): // |x|^2 = x^2
			return rest().Mul(f.sum.Pow(f.exp.num, f.exp.den))
		case f.abs && len(f.sum.terms) == 1: // |x| x^2 = |x|^3
			base := f.sum.terms[0].factors[0].key
			j := slices.IndexFunc(factors, func(g factor) bool { return g.key == base && g.exp.even() })
			if j >= 0 {
				joined := slices.Clone(factors)
				joined[i] = f.to(f.exp.plus(factors[j].exp))
				return product(coef, slices.Delete(joined, j, j+1)...)
			}
		case f.isSum() && f.exp.den == 1 && f.sum.isNumber(): // a root that came to a whole power
			return rest().Mul(f.sum.Pow(f.exp.num, 1))
		case f.isSum() && f.exp.den == 1 && f.exp.num > 0 && f.exp.num <= maxExpand:
			out := rest()
			for range f.exp.num {
				out = out.Mul(f.sum)
			}
			return out
		}
	}
	slices.SortFunc(factors, func(a, b factor) int { return strings.Compare(a.key, b.key) })
	return checked([]term{{coef, factors}})
}

// isNumber reports whether e is a number other than 0.
func (e Expr) isNumber() bool {
	return e.err == nil && len(e.terms) == 1 && len(e.terms[0].factors) == 0
}
