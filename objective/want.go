package objective

import (
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/plural"
)

// Want names what Evaluate computes beside the loss. The zero Want is the loss alone. Results go into the caller's slices of Dim elements,
// which must not overlap one another, nor theta.
type Want[T graph.Float] struct {
	// Gradient receives the gradient; nil: not wanted.
	Gradient []T
	// Vectors are directions v, and Products receive the Hessian times each, as many. The gradient that they share is computed once.
	Vectors, Products [][]T
	// Direction is one made from the gradient; nil: none. Field receives it, and HField the Hessian times it; either may be nil.
	Direction     *Direction
	Field, HField []T
	// Lines are directions u, and Bends receive the third derivative D^3E(theta)[u, u], as many: the gradient of the curvature u'Hu.
	// D^3E(theta)[u, v] is half of what the bend along u + v has beyond those along u and v.
	Lines, Bends [][]T
}

// Evaluation is what a pass over a batch tells beside what goes into slices.
type Evaluation struct {
	Loss float64 // mean over the examples
	// Correct is the number of examples classified rightly, of each window of a text the share of its tokens; NaN where nothing is classified.
	Correct float64
	// R2 is the coefficient of determination of predicted numbers, 1 less the sum of the squared residuals over that of the squared
	// deviations from the batch's mean, and the mean of it over several numbers an example; NaN where no numbers are predicted, or one of
	// them is constant.
	R2       float64
	Examples int
}

// Accuracy returns the share of examples classified rightly, NaN where nothing is classified.
func (e Evaluation) Accuracy() float64 { return e.Correct / float64(e.Examples) }

// Check reports what is wrong with a want for dim parameters.
func (w Want[T]) Check(dim int) error {
	if len(w.Vectors) != len(w.Products) {
		return fmt.Errorf("objective: %s and room for %s: want as many", plural.Count(len(w.Vectors), "vector"), plural.Count(len(w.Products), "product"))
	}
	if (w.Direction == nil) != (w.Field == nil && w.HField == nil) {
		return fmt.Errorf("objective: Direction, Field and HField: want a direction and room for it or its product, or none of them")
	}
	if len(w.Lines) != len(w.Bends) {
		return fmt.Errorf("objective: %s and room for %s: want as many", plural.Count(len(w.Lines), "line"), plural.Count(len(w.Bends), "bend"))
	}
	for _, v := range slices.Concat(w.Vectors, w.Lines) {
		if len(v) != dim {
			return fmt.Errorf("objective: a vector of %s: want %d", plural.Count(len(v), "number"), dim)
		}
	}
	for _, r := range slices.Concat(w.Products, w.Bends) {
		if len(r) != dim {
			return fmt.Errorf("objective: room for %s of a product: want %d", plural.Count(len(r), "number"), dim)
		}
	}
	for _, r := range [...][]T{w.Gradient, w.Field, w.HField} {
		if r != nil && len(r) != dim {
			return fmt.Errorf("objective: room for %s of a result: want %d", plural.Count(len(r), "number"), dim)
		}
	}
	return nil
}

// Kind is what a Want asks for, apart from where it goes: what a program is compiled for, and kept by.
type Kind struct {
	Gradient      bool
	Vectors       int // number of them
	Direction     *Direction
	Field, HField bool
	Lines         int // number of them
}

// Kind returns the want's kind.
func (w Want[T]) Kind() Kind {
	return Kind{w.Gradient != nil, len(w.Vectors), w.Direction, w.Field != nil, w.HField != nil, len(w.Lines)}
}

// Inputs appends the slices that a program of this want reads beside theta and the batch, in the order of [Kind.Record].
func (w Want[T]) Inputs(to [][]T) [][]T {
	return append(append(to, w.Vectors...), w.Lines...)
}

// Results appends the slices that receive the results, in the order of [Kind.Record].
func (w Want[T]) Results(to [][]T) [][]T {
	if w.Gradient != nil {
		to = append(to, w.Gradient)
	}
	to = append(append(to, w.Products...), w.Bends...)
	if w.Field != nil {
		to = append(to, w.Field)
	}
	if w.HField != nil {
		to = append(to, w.HField)
	}
	return to
}

// Record adds to a program of a loss, a scalar made from theta, what it reads as parameters, and the results made from them.
func (k Kind) Record(loss, theta graph.Value) (inputs, results []graph.Value) {
	if k == (Kind{}) {
		return nil, nil
	}
	g := graph.Grad(loss, theta)[0]
	times := func(v graph.Value) graph.Value {
		return graph.JVP([]graph.Value{g}, []graph.Value{theta}, []graph.Value{v})[0]
	}
	if k.Gradient {
		results = append(results, g)
	}
	for i := range k.Vectors {
		v := theta.Builder().Param(fmt.Sprintf("v%d", i), theta.DType(), theta.Size())
		inputs, results = append(inputs, v), append(results, times(v))
	}
	for i := range k.Lines {
		u := theta.Builder().Param(fmt.Sprintf("u%d", i), theta.DType(), theta.Size())
		inputs, results = append(inputs, u), append(results, bend(loss, theta, u))
	}
	if k.Direction == nil {
		return inputs, results
	}
	field := k.Direction.Make(g, theta) // a constant of the product, though it is made from the gradient
	if k.Field {
		results = append(results, field)
	}
	if k.HField {
		results = append(results, times(field))
	}
	return inputs, results
}

// bend returns D^3E(theta)[u, u], the gradient of the second derivative of the loss along u: reverse mode over the loss's series on the line
// theta + t u, which takes fewer products than the series of the gradient.
func bend(loss, theta, u graph.Value) graph.Value {
	line := graph.NewJet()
	line.Set(theta, func(a, b int) graph.Value {
		if a == 1 && b == 0 {
			return u
		}
		return graph.Value{}
	})
	curvature := line.Coef(loss, 2, 0)
	return graph.Grad(curvature.Mul(curvature.Like(2)), theta)[0]
}
