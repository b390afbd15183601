package rule

import "slices"

// Kinks returns the names of the functions in the rule's formulas whose values or slopes jump, sorted, each once: across such a place no modified
// equation has its order. Of a rule that is code alone nothing is known.
func (r *Rule) Kinks() []string {
	if r.family == nil {
		return nil
	}
	out := r.family.displacement.Kinks()
	for _, m := range r.family.entries {
		out = append(out, m.formula.Kinks()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
