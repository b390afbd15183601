package cli

import (
	"slices"
	"strings"

	"shadowflow/internal/plural"
	"shadowflow/rule"
	"shadowflow/schema"
)

const momentsUsage = `what the optimizer remembers, by name, with --memory state: "m=6.8,6.2;v=43.5,57.4"`

var errMomentsUnused = misuse("--moments: of no use with --memory full, which eliminates the memory; want --memory state")

// momentsOf reads the arrays of a rule's state, in its order, for so many parameters; nil from an empty text.
func momentsOf(text string, r *rule.Rule, dim int) ([][]float64, error) {
	if text == "" {
		return nil, nil
	}
	out := make([][]float64, len(r.State))
	for _, part := range strings.Split(text, ";") {
		name, numbers, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if !ok {
			return nil, misuse("--moments: %q: want name=numbers, like m=6.8,6.2", part)
		}
		i := slices.Index(r.State, name)
		switch {
		case len(r.State) == 0:
			return nil, misuse("--moments: optimizer %s remembers nothing", r.Name)
		case i < 0:
			return nil, misuse("--moments: %q: unknown moment; %s", name, schema.Suggest(name, r.State))
		case out[i] != nil:
			return nil, misuse("--moments: %s is given twice", name)
		}
		var err error
		if out[i], err = floats("--moments: "+name, numbers); err != nil {
			return nil, err
		}
		if n := r.Length(i, dim); len(out[i]) != n {
			return nil, misuse("--moments: %s has %s: want %d, where the objective has %s", name, plural.Count(len(out[i]), "number"), n, plural.Count(dim, "parameter"))
		}
		if j := slices.IndexFunc(out[i], func(v float64) bool { return v < 0 }); j >= 0 && r.NonNegative(i) {
			return nil, misuse("--moments: %s: number %d is %g: it is a memory of what is never negative, so want 0 or more", name, j+1, out[i][j])
		}
	}
	for i, v := range out {
		if v == nil {
			return nil, misuse("--moments: %s is missing: optimizer %s remembers %s", r.State[i], r.Name, strings.Join(r.State, ", "))
		}
	}
	return out, nil
}
