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
	const tokens, examples = 132, 36
	m, err := (&Net{Path: "net.onnx"}).modelOf(attentive(), []int{tokens}, 4)
	if err != nil {
		t.Fatal(err)
	}
	in := m.Inputs(graph.NewBuilder(), graph.Float64, examples)
	r, err := m.TrainLoss(in, nn.CrossEntropy)
	if err != nil {
		t.Fatal(err)
	}
	g := graph.Grad(r.Loss, in.Theta)
	p, err := engine.Compile([]graph.Value{in.Theta, in.X, in.Labels}, g, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if whole := int64(examples * 2 * tokens * tokens * 8); p.PeakBytes() > whole/2 {
		t.Errorf("a gradient takes %d bytes, want at most half of one array of all products, which has %d", p.PeakBytes(), whole)
	}
}
