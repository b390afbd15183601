package formula

import "slices"

// Kinks returns the names of the functions in f whose values or slopes jump, sorted, each once.
func (f *Formula) Kinks() []string {
	var out []string
	f.Visit(func(part *Formula) {
		switch part.Op {
		case "abs", "min", "max", "sign", If:
			out = append(out, part.Op)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}
