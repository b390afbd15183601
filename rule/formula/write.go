package formula

import (
	"fmt"
	"strings"
)

// How closely a formula holds together as it is written.
const (
	looseComparison = iota
	looseSum
	looseProduct
	looseSign
	loosePower
	tight
)

func (f *Formula) binding() int {
	switch f.Op {
	case ">":
		return looseComparison
	case "+", "-":
		return looseSum
	case "*", "/":
		return looseProduct
	case Negate:
		return looseSign
	case "^":
		return loosePower
	}
	if f.Op == "" && f.number < 0 {
		return looseSign
	}
	return tight
}

// String returns the formula as text, as it can be read again.
func (f *Formula) String() string {
	// within writes a part in parentheses where it holds together less closely than it must.
	within := func(part *Formula, must int) string {
		if part.binding() < must {
			return "(" + part.String() + ")"
		}
		return part.String()
	}
	switch f.Op {
	case "":
		return f.Name + f.text
	case ">", "+", "-", "*", "/":
		level := f.binding()
		return within(f.Args[0], level) + " " + f.Op + " " + within(f.Args[1], level+1)
	case Negate:
		return "-" + within(f.Args[0], looseSign)
	case "^":
		// An exponent is all that follows, as it is read: no more levels are written than were there.
		return within(f.Args[0], tight) + "^" + within(f.Args[1], looseSign)
	}
	return f.Op + "(" + f.list(", ", (*Formula).String) + ")"
}

func (f *Formula) list(separator string, write func(*Formula) string) string {
	parts := make([]string, len(f.Args))
	for i, a := range f.Args {
		parts[i] = write(a)
	}
	return strings.Join(parts, separator)
}

// LaTeX returns the formula in LaTeX's math.
func (f *Formula) LaTeX() string {
	within := func(part *Formula, must int) string {
		if part.binding() < must && part.Op != "/" { // a fraction shows what belongs to it
			return latex{}.group(part.LaTeX())
		}
		return part.LaTeX()
	}
	switch f.Op {
	case "":
		if f.Name != "" {
			return latex{}.symbol(f.Name)
		}
		return latexNumber(f.text)
	case ">":
		return f.Args[0].LaTeX() + " > " + f.Args[1].LaTeX()
	case "+", "-":
		right := within(f.Args[1], looseProduct)
		if f.Args[1].binding() == looseSign {
			right = latex{}.group(right)
		}
		return f.Args[0].LaTeX() + " " + f.Op + " " + right
	case "*":
		between := `\,`
		if _, number := f.Args[1].IsNumber(); number {
			between = ` \cdot `
		}
		return within(f.Args[0], looseProduct) + between + within(f.Args[1], loosePower)
	case "/":
		return latex{}.quotient(f.Args[0].LaTeX(), f.Args[1].LaTeX(), false)
	case Negate:
		return "-" + within(f.Args[0], looseSign)
	case "^":
		base := f.Args[0].LaTeX()
		if f.Args[0].binding() < tight {
			base = latex{}.group(base)
		}
		return latex{}.power(base, f.Args[1].LaTeX())
	case "sqrt":
		return latex{}.root(f.Args[0].LaTeX())
	case "abs":
		return latex{}.abs(f.Args[0].LaTeX())
	}
	name := `\operatorname{` + f.Op + `}`
	switch f.Op {
	case "exp", "log", "tanh", "max", "min":
		name = `\` + f.Op
	}
	return name + latex{}.group(f.list(", ", (*Formula).LaTeX))
}

// latexNumber writes 1.5e-8 as 1.5 \cdot 10^{-8}.
func latexNumber(text string) string {
	mantissa, exponent, ok := strings.Cut(strings.ToLower(text), "e")
	switch {
	case !ok:
		return text
	case mantissa == "1":
		return fmt.Sprintf("10^{%s}", strings.TrimPrefix(exponent, "+"))
	}
	return fmt.Sprintf(`%s \cdot 10^{%s}`, mantissa, strings.TrimPrefix(exponent, "+"))
}
