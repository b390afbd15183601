package formula

import (
	"errors"
	"math"
	"math/big"
)

// Pow returns e to the power num/den; den is not 0. Sums under a root count as positive; symbols may be of either sign.
func (e Expr) Pow(num, den int64) Expr {
	p := exponentOf(num, den)
	switch {
	case e.err != nil:
		return e
	case p.num == 0:
		return Fraction(1, 1)
	case e.IsZero() && p.num < 0:
		return Expr{err: ErrDivision}
	case e.IsZero() || p == exponent{1, 1}:
		return e
	case len(e.terms) > 1:
		return product(big.NewRat(1, 1), sumTo(e, p))
	}
	t := e.terms[0]
	out := powerOf(t.coef, p)
	for _, f := range t.factors {
		g := f.to(f.exp.times(p))
		if f.exp.even() && !g.exp.even() && f.symbol != "" { // sqrt(x^2) = |x|
			g = absTo(Symbol(f.symbol), g.exp)
		}
		out = out.Mul(product(big.NewRat(1, 1), g))
	}
	return out
}

// powerOf returns a number to a power. A root that is no fraction stands as it is.
func powerOf(c *big.Rat, p exponent) Expr {
	if !p.bounded() || (c.Num().BitLen()+c.Denom().BitLen())*int(max(p.num, -p.num)) > 2*maxBits && !isOne(c) {
		return Expr{err: errTooLong}
	}
	root, ok := rationalRoot(c, p.den)
	switch {
	case c.Sign() < 0 && p.den%2 == 0:
		return Expr{err: errors.New("a root of the negative number " + c.RatString())}
	case !ok:
		return product(big.NewRat(1, 1), sumTo(rational(c), p))
	case p.num < 0:
		root.Inv(root)
	}
	return rational(ratPow(root, max(p.num, -p.num)))
}

func isOne(c *big.Rat) bool {
	return c.IsInt() && c.Num().IsInt64() && max(c.Num().Int64(), -c.Num().Int64()) == 1
}

// rationalRoot returns the n-th root of c, false if it is not a fraction.
func rationalRoot(c *big.Rat, n int64) (*big.Rat, bool) {
	if n == 1 {
		return new(big.Rat).Set(c), true
	}
	root := func(v *big.Int) *big.Int {
		f, _ := new(big.Float).SetInt(v).Float64()
		out, _ := big.NewFloat(math.Round(math.Pow(min(f, math.MaxFloat64), 1/float64(n)))).Int(nil)
		return out
	}
	if c.Sign() < 0 {
		return nil, false
	}
	out := new(big.Rat).SetFrac(root(c.Num()), root(c.Denom()))
	return out, ratPow(out, n).Cmp(c) == 0
}

func ratPow(c *big.Rat, n int64) *big.Rat {
	out := big.NewRat(1, 1)
	for range n {
		out.Mul(out, c)
	}
	return out
}

// Sqrt returns the square root of e.
func (e Expr) Sqrt() Expr { return e.Pow(1, 2) }

// Abs returns |e|. Roots count as positive.
func (e Expr) Abs() Expr {
	switch {
	case e.err != nil || len(e.terms) == 0:
		return e
	case len(e.terms) > 1:
		return product(big.NewRat(1, 1), absTo(e, exponent{1, 1}))
	}
	out := rational(new(big.Rat).Abs(e.terms[0].coef))
	for _, f := range e.terms[0].factors {
		switch {
		case f.symbol != "" && !f.exp.even():
			f = absTo(Symbol(f.symbol), f.exp)
		case f.isSum() && f.exp.den == 1 && !f.exp.even():
			f = absTo(f.sum, f.exp)
		}
		out = out.Mul(product(big.NewRat(1, 1), f))
	}
	return out
}

// Div returns e / f.
func (e Expr) Div(f Expr) Expr { return e.Mul(f.Pow(-1, 1)) }
