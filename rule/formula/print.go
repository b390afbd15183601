package formula

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// String returns the formula as text, and what could not be made as the reason.
func (e Expr) String() string { return e.print(text{}) }

// LaTeX returns the formula in LaTeX's math.
func (e Expr) LaTeX() string { return e.print(latex{}) }

// Factor returns e as text that other factors may follow: in parentheses, unless it is a product.
func (e Expr) Factor() string { return e.asFactor(text{}) }

// FactorLaTeX is Factor in LaTeX's math.
func (e Expr) FactorLaTeX() string { return e.asFactor(latex{}) }

func (e Expr) asFactor(s style) string {
	if e.err == nil && len(e.terms) == 1 && e.terms[0].coef.IsInt() && e.terms[0].coef.Sign() > 0 &&
		!slices.ContainsFunc(e.terms[0].factors, func(f factor) bool { return f.exp.num < 0 }) {
		return e.print(s)
	}
	return s.group(e.print(s))
}

// style is a way to write the parts of a formula.
type style interface {
	symbol(name string) string
	group(s string) string
	abs(s string) string
	root(s string) string
	power(base, exp string) string
	product(factors []string) string
	quotient(num, den string, denIsProduct bool) string
	// separates reports whether a quotient shows what belongs to it without parentheses.
	separates() bool
}

type text struct{}

func (text) symbol(name string) string { return name }
func (text) group(s string) string     { return "(" + s + ")" }
func (text) abs(s string) string       { return "|" + s + "|" }
func (text) root(s string) string      { return "sqrt(" + s + ")" }
func (text) product(f []string) string { return strings.Join(f, " ") }
func (text) power(base, exp string) string {
	if strings.Contains(exp, "/") {
		exp = "(" + exp + ")"
	}
	return base + "^" + exp
}
func (text) quotient(num, den string, denIsProduct bool) string {
	if denIsProduct {
		den = "(" + den + ")"
	}
	return num + " / " + den
}

func (text) separates() bool { return false }

type latex struct{}

// greek are the names that LaTeX has a letter for, "omicron" and the like left out.
var greek = []string{
	"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau",
	"phi", "chi", "psi", "omega",
}

// symbol writes corrected(m) as m with a hat, beta1 as \beta_1, x_long as x_{long}.
func (l latex) symbol(name string) string {
	if inner, ok := strings.CutPrefix(name, "corrected("); ok {
		return `\hat{` + l.symbol(strings.TrimSuffix(inner, ")")) + `}`
	}
	switch name {
	case "eps":
		return `\varepsilon`
	case "weight_decay":
		return `\lambda`
	}
	if head, tail, ok := strings.Cut(name, "_"); ok && head != "" {
		return l.symbol(head) + "_{" + strings.ReplaceAll(tail, "_", `\_`) + "}"
	}
	if head := strings.TrimRight(name, "0123456789"); head != name && head != "" {
		if tail := name[len(head):]; len(tail) > 1 {
			return l.symbol(head) + "_{" + tail + "}"
		}
		return l.symbol(head) + "_" + name[len(head):]
	}
	switch {
	case slices.Contains(greek, name):
		return `\` + name
	case utf8.RuneCountInString(name) > 1:
		return `\mathrm{` + name + `}`
	}
	return name
}
func (latex) group(s string) string         { return `\left(` + s + `\right)` }
func (latex) abs(s string) string           { return `\left|` + s + `\right|` }
func (latex) root(s string) string          { return `\sqrt{` + s + `}` }
func (latex) product(f []string) string     { return strings.Join(f, `\,`) }
func (latex) separates() bool               { return true }
func (latex) power(base, exp string) string { return base + "^{" + exp + "}" }
func (latex) quotient(num, den string, _ bool) string {
	return `\frac{` + num + `}{` + den + `}`
}

// print writes e in the shorter of two forms: its terms with what they share taken out, or over their common denominator.
func (e Expr) print(s style) string {
	switch {
	case e.err != nil:
		return e.err.Error()
	case e.IsZero():
		return "0"
	}
	shared, rest := e.takeOut(false)
	if common, over := e.takeOut(true); len(over.terms) < len(rest.terms) {
		shared, rest = common, over
	}
	shared, rest = cancel(shared, rest)
	if rest.err != nil {
		return e.sum(s)
	}
	if len(rest.terms) == 1 {
		whole := checked([]term{shared}).Mul(rest)
		switch {
		case whole.err != nil:
			return e.sum(s)
		case len(whole.terms) == 1:
			sign, t := whole.terms[0].print(s, "")
			return strings.TrimPrefix(sign, "+") + t
		}
		return whole.sum(s)
	}
	if len(shared.factors) == 0 && shared.coef.Cmp(big.NewRat(1, 1)) == 0 {
		return e.sum(s)
	}
	sign, t := shared.print(s, rest.sum(s))
	return strings.TrimPrefix(sign, "+") + t
}

// cancel takes a sum that is also in the denominator out of both.
func cancel(shared term, rest Expr) (term, Expr) {
	for i, f := range shared.factors {
		if f.isSum() && f.sum.Equal(rest) {
			factors := slices.Clone(shared.factors)
			if factors[i].exp = f.exp.plus(exponent{1, 1}); factors[i].exp.num == 0 {
				factors = slices.Delete(factors, i, i+1)
			}
			return term{shared.coef, factors}, Fraction(1, 1)
		}
	}
	return shared, rest
}

// sum writes terms one after another, a positive one first if there is one.
func (e Expr) sum(s style) string {
	terms := slices.Clone(e.terms)
	if i := slices.IndexFunc(terms, func(t term) bool { return t.coef.Sign() > 0 }); i > 0 {
		terms[0], terms[i] = terms[i], terms[0]
	}
	var out strings.Builder
	for i, t := range terms {
		sign, body := t.print(s, "")
		switch {
		case i == 0:
			out.WriteString(strings.TrimPrefix(sign, "+"))
		default:
			out.WriteString(" " + sign + " ")
		}
		out.WriteString(body)
	}
	return out.String()
}

// takeOut splits e into a factor that all terms share and the rest: of each sum in a denominator, the lowest power that occurs
// in all terms, or if whole the highest that occurs in any, so that no denominator remains.
func (e Expr) takeOut(whole bool) (term, Expr) {
	shared := term{coef: new(big.Rat).Abs(e.terms[0].coef)}
	for _, t := range e.terms[1:] {
		if new(big.Rat).Abs(t.coef).Cmp(shared.coef) != 0 {
			shared.coef = big.NewRat(1, 1)
		}
	}
	seen := map[string]bool{}
	for _, t := range e.terms {
		for _, f := range t.factors {
			if seen[f.key] {
				continue
			}
			seen[f.key] = true
			if exp, ok := e.sharedPower(f.key, whole && f.isSum()); ok {
				shared.factors = append(shared.factors, f.to(exp))
			}
		}
	}
	slices.SortFunc(shared.factors, func(a, b factor) int { return strings.Compare(a.key, b.key) })
	inverse := term{coef: new(big.Rat).Inv(shared.coef)}
	for _, f := range shared.factors {
		inverse.factors = append(inverse.factors, f.to(f.exp.times(exponent{-1, 1})))
	}
	return shared, e.Mul(checked([]term{inverse}))
}

// sharedPower returns the power of a base to take out of all terms.
func (e Expr) sharedPower(key string, whole bool) (exponent, bool) {
	var least, most exponent
	for i, t := range e.terms {
		exp := exponent{0, 1}
		if j := slices.IndexFunc(t.factors, func(f factor) bool { return f.key == key }); j >= 0 {
			exp = t.factors[j].exp
		}
		if i == 0 {
			least, most = exp, exp
		}
		if exp.less(least) {
			least = exp
		}
		if most.less(exp) {
			most = exp
		}
	}
	switch {
	case whole && least.num < 0:
		return least, true
	case most.num < 0:
		return most, true
	case least.num > 0:
		return least, true
	}
	return exponent{}, false
}

// print writes a term without its sign, times a sum that is given as written.
func (t term) print(s style, times string) (sign, body string) {
	sign = "+"
	if t.coef.Sign() < 0 {
		sign = "-"
	}
	var num, den []piece
	over, under := coefficient(new(big.Rat).Abs(t.coef))
	if over != "1" {
		num = append(num, piece{over, ""})
	}
	if under != "1" {
		den = append(den, piece{under, ""})
	}
	factors := slices.Clone(t.factors)
	slices.SortStableFunc(factors, func(a, b factor) int { return rank(a) - rank(b) })
	for _, f := range factors {
		if f.exp.num > 0 {
			num = append(num, f.print(s, f.exp))
		} else {
			den = append(den, f.print(s, f.exp.times(exponent{-1, 1})))
		}
	}
	if times != "" {
		num = append(num, piece{s.group(times), times})
	}
	if len(num) == 0 {
		num = []piece{{"1", ""}}
	}
	if len(den) == 0 {
		return sign, sideBySide(s, num, false)
	}
	return sign, s.quotient(sideBySide(s, num, s.separates()), sideBySide(s, den, s.separates()), len(den) > 1)
}

// coefficient writes a number as a fraction, or as a decimal where that is what people would write: 3.4445, but 3/2.
func coefficient(c *big.Rat) (over, under string) {
	const wide, places = 6, 12 // bits of a denominator that people write, digits that they read
	if c.Denom().BitLen() > wide {
		if digits, exact := c.FloatPrec(); exact && digits <= places {
			return c.FloatString(digits), "1"
		}
	}
	return c.Num().String(), c.Denom().String()
}

// piece is a written factor; bare, if not empty, is the same without its parentheses.
type piece struct{ written, bare string }

// sideBySide writes factors; a single one needs no parentheses where it stands apart.
func sideBySide(s style, pieces []piece, apart bool) string {
	if apart && len(pieces) == 1 && pieces[0].bare != "" {
		return pieces[0].bare
	}
	var out []string
	for _, p := range pieces {
		out = append(out, p.written)
	}
	return s.product(out)
}

// rank puts the constants first.
func rank(f factor) int {
	switch {
	case f.symbol != "" && len(f.symbol) > 1 && f.symbol != "theta":
		return 0
	case f.symbol != "":
		return 1
	}
	return 2
}

func (f factor) print(s style, exp exponent) piece {
	var base string
	switch {
	case f.symbol != "":
		base = s.symbol(f.symbol)
	case f.abs:
		base = s.abs(f.sum.print(s))
	default:
		base = f.sum.print(s)
	}
	if exp == (exponent{1, 2}) {
		return piece{s.root(base), ""}
	}
	bare := ""
	if f.isSum() {
		base, bare = s.group(base), base
	}
	switch {
	case exp == exponent{1, 1}:
		return piece{base, bare}
	case exp.den == 1:
		return piece{s.power(base, fmt.Sprint(exp.num)), ""}
	}
	return piece{s.power(base, fmt.Sprintf("%d/%d", exp.num, exp.den)), ""}
}
