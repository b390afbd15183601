package rule

import "shadowflow/rule/formula"

// displacement returns what a step subtracts, U times lr, as a formula. A division of U by lr is cancelled: where a schedule takes lr to 0, what such
// an optimizer does beside its gradient goes on, and 0/0 would not.
func displacement(update *formula.Formula) *formula.Formula {
	if f := timesLR(update); f != nil {
		return f
	}
	return formula.Apply("*", update, formula.Variable("lr"))
}

// timesLR returns a formula times lr where a division by lr is cancelled by that, else nil.
func timesLR(f *formula.Formula) *formula.Formula {
	switch {
	case f.Op == "/" && f.Args[1].Name == "lr":
		return f.Args[0]
	case f.Op == "+" || f.Op == "-":
		if timesLR(f.Args[0]) == nil && timesLR(f.Args[1]) == nil {
			return nil
		}
		return formula.Apply(f.Op, displacement(f.Args[0]), displacement(f.Args[1]))
	case f.Op == formula.Negate:
		if inner := timesLR(f.Args[0]); inner != nil {
			return formula.Apply(f.Op, inner)
		}
	case f.Op == "*" || f.Op == "/":
		if first := timesLR(f.Args[0]); first != nil {
			return formula.Apply(f.Op, first, f.Args[1])
		}
		if f.Op == "*" {
			if second := timesLR(f.Args[1]); second != nil {
				return formula.Apply(f.Op, f.Args[0], second)
			}
		}
	}
	return nil
}
