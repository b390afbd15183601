package formula

import (
	"math"
	"math/big"
	"slices"
)

// rebuild replaces every symbol of e by what the function returns.
func (e Expr) rebuild(replace func(symbol string) Expr) Expr {
	c := collector{err: e.err}
	for _, t := range e.terms {
		out := rational(t.coef)
		for _, f := range t.factors {
			var base Expr
			switch {
			case f.symbol != "":
				base = replace(f.symbol)
			case f.abs:
				base = f.sum.rebuild(replace).Abs()
			default:
				base = f.sum.rebuild(replace)
			}
			out = out.Mul(base.Pow(f.exp.num, f.exp.den))
		}
		c.add(out)
	}
	return c.sum()
}

// Substitute replaces symbols by expressions.
func (e Expr) Substitute(by map[string]Expr) Expr {
	return e.rebuild(func(symbol string) Expr {
		if x, ok := by[symbol]; ok {
			return x
		}
		return Symbol(symbol)
	})
}

// Derivative returns de/dx for the symbol x.
func (e Expr) Derivative(x string) Expr {
	c := collector{err: e.err}
	for _, t := range e.terms {
		for i, f := range t.factors {
			inner := Expr{}
			switch {
			case f.symbol == x:
				inner = Fraction(1, 1)
			case f.symbol == "":
				inner = f.sum.Derivative(x)
			}
			if inner.IsZero() {
				continue
			}
			if f.abs { // d|s| = s/|s| ds
				inner = inner.Mul(f.sum).Mul(product(big.NewRat(1, 1), absTo(f.sum, exponent{-1, 1})))
			}
			rest := slices.Clone(t.factors)
			rest[i] = f.to(f.exp.plus(exponent{-1, 1}))
			power := new(big.Rat).Mul(t.coef, big.NewRat(f.exp.num, f.exp.den))
			c.add(product(power, rest...).Mul(inner))
		}
	}
	return c.sum()
}

// Value computes e; an unknown symbol makes it NaN, and so does what could not be made.
func (e Expr) Value(symbols map[string]float64) float64 {
	if e.err != nil {
		return math.NaN()
	}
	sum := 0.0
	for _, t := range e.terms {
		out, _ := t.coef.Float64()
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
			out *= math.Pow(base, f.exp.float())
		}
		sum += out
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
func (e Expr) Leading(x string) Expr {
	c := collector{err: e.err}
	for _, t := range e.terms {
		out := rational(t.coef)
		for _, f := range t.factors {
			base := product(big.NewRat(1, 1), f)
			if f.symbol == "" && len(f.sum.terms) > 1 {
				base = base.Substitute(map[string]Expr{x: {}})
			}
			out = out.Mul(base)
		}
		c.add(out)
	}
	all := c.sum()
	if all.err != nil {
		return all
	}
	var leading []term
	var lowest exponent
	for i, t := range all.terms {
		d := t.degree(x)
		switch {
		case i == 0 || d.less(lowest):
			leading, lowest = []term{t}, d
		case !lowest.less(d):
			leading = append(leading, t)
		}
	}
	return checked(leading)
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
