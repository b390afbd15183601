package closed

import (
	"fmt"
	"math"

	"shadowflow/objective"
	"shadowflow/schema"
)

// form is a loss by name: what it may be given, and what it makes of it. Its values are checked, and those left out are the defaults.
type form struct {
	name string
	keys []schema.Key
	make func(v schema.Values) (*objective.Function, error)
}

// get returns the value of a key.
func get[T any](v schema.Values, key string) T { return v[key].(T) }

func forms() []form {
	return []form{
		{"bilinear", []schema.Key{pairs}, newBilinear},
		{"cubic", []schema.Key{pairs}, newCubic},
		{"quadratic", []schema.Key{
			{Name: "spectrum", Type: schema.Numbers, Default: []float64{1, 4, 10}, Doc: "eigenvalues of the Hessian, at most 1000"},
			whole("rotation", 1, 0, math.MaxInt32, "seed of the eigenvectors; 0 for the axes"),
		}, newQuadratic},
		{"logistic", []schema.Key{
			whole("samples", 40, 1, 10_000, "number of generated examples"),
			whole("features", 4, 1, 1_000, "number of parameters"),
			whole("batches", 1, 1, 10_000, "number of parts of the examples"),
			{Name: "ridge", Type: schema.Number, Default: 0.01, Range: schema.ParseInterval("[0,inf)"), Doc: "weight of the squared two-norm of theta"},
			seed,
		}, newLogistic},
		{"factorization", []schema.Key{
			whole("rows", 5, 1, 2_000, "rows of the matrix"),
			whole("columns", 4, 1, 2_000, "columns of the matrix"),
			whole("rank", 2, 1, 200, "rank of the matrix and of its factors"),
			whole("batches", 1, 1, 2_000, "number of parts of the rows"),
			seed,
		}, newFactorization},
		{"rosenbrock", []schema.Key{whole("dim", 2, 2, 1_000_000, "number of parameters")}, newRosenbrock},
	}
}

var (
	pairs = schema.Key{Name: "pairs", Type: schema.Pairs, Default: [][2]float64{{2, 1.5}}, Doc: "inputs x and targets y, a pair a batch"}
	seed  = schema.Key{Name: "seed", Type: schema.Seed, Default: uint64(1), Doc: "seed of the generated data"}
)

func whole(name string, def, least, most int, doc string) schema.Key {
	return schema.Key{Name: name, Type: schema.Whole, Default: def, Range: schema.ParseInterval(fmt.Sprintf("[%d,%d]", least, most)), Doc: doc}
}

// Names returns the names of the losses.
func Names() []string {
	var names []string
	for _, f := range forms() {
		names = append(names, f.name)
	}
	return names
}

// Keys returns the options of the loss of that name; none if there is no such loss.
func Keys(name string) []schema.Key {
	for _, f := range forms() {
		if f.name == name {
			return f.keys
		}
	}
	return nil
}

// New makes the loss of that name. Options that are left out of the values are the keys' defaults. An unknown name or option, or a value
// of another type or out of its range, is an error that says what would be right.
func New(name string, given map[string]any) (*objective.Function, error) {
	for _, f := range forms() {
		if f.name != name {
			continue
		}
		v, err := schema.Complete(f.keys, given)
		if err != nil {
			return nil, fmt.Errorf("objective %s: %w", name, err)
		}
		made, err := f.make(v)
		if err != nil {
			return nil, fmt.Errorf("objective %s: %w", name, err)
		}
		return made, nil
	}
	return nil, fmt.Errorf("no objective %q; %s", name, schema.Suggest(name, Names()))
}
