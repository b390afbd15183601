package rule

import "slices"

// Kinks returns the names of the functions in the rule's formulas whose values or slopes jump, sorted, each once: across such a place no modified
// equation has its order. Of a rule that is code alone nothing is known.
func (r *Rule) Kinks() []string {
	if r.family == nil {
		return nil
	}
	out := r.family.kinks()
	slices.Sort(out)
	return slices.Compact(out)
}

func (f *family) kinks() []string {
	out := f.displacement.Kinks()
	for _, m := range f.entries {
		out = append(out, m.formula.Kinks()...)
	}
	return out
}

func (g *grouped) kinks() []string {
	var out []string
	for _, p := range g.parts {
		out = append(out, p.rule.Kinks()...)
	}
	return out
}
