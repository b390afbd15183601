package network

import (
	"slices"
	"testing"

	"shadowflow/dataset"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/objective"
)

// Products with what is kept of a point have the bits of those that compute it anew, alone and several at once.
func TestLinearizedProductsAreThoseOfEvaluate(t *testing.T) {
	t.Run("mlp", func(t *testing.T) { testLinearized[float32](t, mlp(t), digits(t, 50), Options{}) })
	t.Run("mlp in float64", func(t *testing.T) { testLinearized[float64](t, mlp(t), digits(t, 50), Options{}) })
	t.Run("cnn", func(t *testing.T) {
		testLinearized[float32](t, build(t, &nn.CNN{Channels: []int{16, 16}, Dense: 8}), digits(t, 40), Options{})
	})
	t.Run("resnet", func(t *testing.T) { testLinearized[float32](t, resnet(t), digits(t, 30), Options{}) })
	t.Run("gpt", func(t *testing.T) { testLinearized[float32](t, gpt(t), windows(t, 20), Options{}) })
	t.Run("augmented", func(t *testing.T) {
		testLinearized[float32](t, resnet(t), digits(t, 30), Options{Augment: &dataset.Augmentation{Pad: 1, Flip: true}})
	})
}

func testLinearized[T graph.Float](t *testing.T, m *nn.Model, part dataset.Part, opt Options) {
	o := mustNew[T](t, m, part, opt)
	theta := vectorOf[T](o.Start())
	v, w := vectorOf[T](random(o.Dim(), 1)), vectorOf[T](random(o.Dim(), 2))
	elsewhere := slices.Clone(theta)
	for i := range elsewhere {
		elsewhere[i] += w[i] / 100
	}
	both := [][]T{make([]T, o.Dim()), make([]T, o.Dim())}
	evaluate(t, o, theta, objective.Want[T]{Vectors: [][]T{v, w}, Products: both})
	there := make([]T, o.Dim())
	evaluate(t, o, elsewhere, objective.Want[T]{Vectors: [][]T{v}, Products: [][]T{there}})

	here := mustLinearize(t, o, theta)
	other := mustLinearize(t, o, elsewhere)
	got := make([]T, o.Dim())
	for _, c := range []struct {
		name    string
		product func(v, product []T) error
		v, want []T
	}{{"the first", here, v, both[0]}, {"another vector", here, w, both[1]}, {"another point", other, v, there}, {"the first point again", here, v, both[0]}} {
		if err := c.product(c.v, got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: the product is not that of Evaluate", c.name)
		}
		evaluate(t, o, elsewhere, objective.Want[T]{Gradient: got}) // in the same room
	}
}

func mustLinearize[T graph.Float](t *testing.T, o *Objective[T], theta []T) func(v, product []T) error {
	t.Helper()
	f, err := o.Linearize(t.Context(), theta, objective.Full)
	if err != nil || f == nil {
		t.Fatalf("no products: %v", err)
	}
	return func(v, product []T) error { return f(t.Context(), v, product) }
}

func vectorOf[T graph.Float](x []float64) []T {
	out := make([]T, len(x))
	for i, v := range x {
		out[i] = T(v)
	}
	return out
}

func TestBatchesInPartsAreNotLinearized(t *testing.T) {
	o := mustNew[float64](t, mlp(t), digits(t, 50), Options{MicroBatch: 30})
	if f, err := o.Linearize(t.Context(), o.Start(), objective.Full); f != nil || err != nil {
		t.Errorf("of two micro-batches: products %t, %v", f != nil, err)
	}
	if _, err := mustNew[float64](t, mlp(t), digits(t, 50), Options{}).Linearize(t.Context(), nil, objective.Full); err == nil {
		t.Error("no parameters are no mistake")
	}
}
