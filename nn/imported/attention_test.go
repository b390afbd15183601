package imported

import (
	"math/rand/v2"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/onnx"
)

// attentive is a file of causal attention of 2 heads of 5 numbers among tokens, of which there are 4.
func attentive() *onnx.Model {
	r := rand.New(rand.NewPCG(5, 6))
	drawn := func(name string, shape ...int) onnx.Tensor {
		x := numbers(name, shape...)
		for i := range x.Data.([]float64) {
			x.Data.([]float64)[i] = r.NormFloat64()
		}
		return x
	}
	two := int64(2)
	m := file(0, []onnx.Tensor{drawn("wte", 4, 6), drawn("q", 6, 10), drawn("k", 6, 10), drawn("v", 6, 10), drawn("head", 10, 4)},
		giving("Gather", "wte x", "e"), giving("MatMul", "e q", "qs"), giving("MatMul", "e k", "ks"), giving("MatMul", "e v", "vs"),
		giving("Attention", "qs ks vs", "a", onnx.Attribute{Name: "q_num_heads", Value: two}, onnx.Attribute{Name: "kv_num_heads", Value: two}, onnx.Attribute{Name: "is_causal", Value: int64(1)}),
		giving("MatMul", "a head", "y"))
	m.Opsets[""] = 23
	m.Graph.Inputs[0].Type = onnx.Int64
	m.Graph.Inputs[0].Shape[1] = onnx.Dim{Size: -1, Name: "T"}
	return m
}

func TestAttentionKeepsNoProductOfAllQueriesAndKeys(t *testing.T) {
	const tokens = 132
	m, err := (&Net{Path: "net.onnx"}).modelOf(attentive(), []int{tokens}, 4)
	if err != nil {
		t.Fatal(err)
	}
	peak := func(examples int) int64 {
		in := m.Inputs(graph.NewBuilder(), graph.Float32, examples)
		r, err := m.TrainLoss(in, nn.CrossEntropy)
		if err != nil {
			t.Fatal(err)
		}
		c, err := engine.Measure([]graph.Value{in.Theta, in.X, in.Labels}, graph.Grad(r.Loss, in.Theta), engine.Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		return c.PeakBytes
	}
	const products = 2 * tokens * tokens * 4 // bytes of an example's
	if each := (peak(72) - peak(36)) / 36; each > products/2 {
		t.Errorf("the gradient takes %d bytes for each example, want at most half of its products, which have %d", each, products)
	}
}
