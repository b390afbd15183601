package config

import (
	"fmt"
	"math"
	"strings"

	"shadowflow/objective"
	"shadowflow/schema"
)

// objectiveKeys returns the options of a loss in closed form.
func objectiveKeys(name string) []schema.Key {
	whole := func(name string, def, least, most int, doc string) schema.Key {
		return schema.Key{Name: name, Type: schema.Whole, Default: def, Range: schema.ParseInterval(fmt.Sprintf("[%d,%d]", least, most)), Doc: doc}
	}
	pairs := schema.Key{Name: "pairs", Type: schema.Pairs, Default: [][2]float64{{2, 1.5}}, Doc: "inputs x and targets y, a pair a batch"}
	seed := whole("seed", 1, 0, math.MaxInt32, "seed of the generated data")
	keys := map[string][]schema.Key{
		"bilinear": {pairs},
		"cubic":    {pairs},
		"quadratic": {
			{Name: "spectrum", Type: schema.Numbers, Default: []float64{1, 4, 10}, Doc: "eigenvalues of the Hessian"},
			whole("rotation", 1, 0, math.MaxInt32, "seed of the eigenvectors; 0 for the axes"),
		},
		"logistic": {
			whole("samples", 40, 1, 10_000, "number of generated examples"),
			whole("features", 4, 1, 1_000, "number of parameters"),
			whole("batches", 1, 1, 10_000, "number of parts of the examples"),
			{Name: "ridge", Type: schema.Number, Default: 0.01, Range: schema.ParseInterval("[0,inf)"), Doc: "weight of the squared two-norm of theta"},
			seed,
		},
		"factorization": {
			whole("rows", 5, 1, 2_000, "rows of the matrix"),
			whole("columns", 4, 1, 2_000, "columns of the matrix"),
			whole("rank", 2, 1, 200, "rank of the matrix and of its factors"),
			whole("batches", 1, 1, 2_000, "number of parts of the rows"),
			seed,
		},
		"rosenbrock": {whole("dim", 2, 2, 1_000_000, "number of parameters")},
	}
	return keys[name]
}

// New returns the loss, which must be one in closed form, and the point to start from: theta, or the loss's own start.
func (o Objective) New() (objective.Objective, []float64, error) {
	if o.Name == Network {
		return nil, nil, fmt.Errorf("objective.name: %s; expected a loss in closed form, one of %s", Network, strings.Join(objective.Names(), ", "))
	}
	options := map[string]string{}
	for k, v := range o.Values {
		switch v := v.(type) {
		case [][2]float64:
			var pairs []string
			for _, p := range v {
				pairs = append(pairs, fmt.Sprintf("%v:%v", p[0], p[1]))
			}
			options[k] = strings.Join(pairs, ",")
		case []float64:
			options[k] = strings.ReplaceAll(strings.Trim(fmt.Sprint(v), "[]"), " ", ":")
		default:
			options[k] = fmt.Sprint(v)
		}
	}
	f, err := objective.New(o.Name, options)
	if err != nil {
		return nil, nil, err
	}
	if len(o.Theta) == 0 {
		return f, f.(objective.Starter).Start(), nil
	}
	if len(o.Theta) != f.Dim() {
		return nil, nil, fmt.Errorf("objective.theta: %d numbers; the objective %s has %d parameters", len(o.Theta), o.Name, f.Dim())
	}
	return f, o.Theta, nil
}
