package imported

import (
	"path/filepath"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/onnx"
)

// frozen reads the convolutional network with its batch normalizations in evaluation mode, as PyTorch's newer exporter writes them, and the running averages of the
// golden file, behind a batch.
func frozen(t *testing.T, want golden) *onnx.Model {
	t.Helper()
	m, err := onnx.ReadFile(filepath.Join("testdata", "convolutional.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i := range m.Graph.Nodes {
		if a := m.Graph.Nodes[i].Attribute("training_mode"); a != nil {
			a.Value = int64(0)
			count++
		}
	}
	for i := range m.Graph.Initializers {
		x := &m.Graph.Initializers[i]
		if after, ok := want.tensors["after."+x.Name].Float64s(); ok {
			x.Type, x.Data = onnx.Float64, after
		}
	}
	if count != 3 {
		t.Fatalf("%d batch normalizations, want 3", count)
	}
	return m
}

func TestBatchNormalizationInEvaluationModeIsWhatItIsSaidToBe(t *testing.T) {
	want := readGolden(t, "convolutional")
	for norm, logits := range map[string]string{OfBatch: "logits", OfRunning: "eval_logits"} {
		t.Run(norm, func(t *testing.T) {
			m, err := (&Net{Path: "net.onnx", BatchNorm: norm}).modelOf(frozen(t, want), []int{7, 6, 3}, classes)
			if err != nil {
				t.Fatal(err)
			}
			if trained := m.NumStats() > 0; trained != (norm == OfBatch) {
				t.Errorf("%d running averages", m.NumStats())
			}
			in := m.Inputs(graph.NewBuilder(), graph.Float64, want.tensors["x"].Shape[0])
			r, err := m.TrainLoss(in, nn.CrossEntropy)
			if err != nil {
				t.Fatal(err)
			}
			state := m.Init(1)
			got := run(t, []graph.Value{in.Theta, in.X}, []graph.Value{r.Logits}, engine.Of(state.Theta), want.examples(t, m))
			closeTo(t, "logits", got[0], want.floats(t, logits))
			if norm == OfBatch {
				return
			}
			in = m.Inputs(graph.NewBuilder(), graph.Float64, want.tensors["x"].Shape[0])
			if r, err = m.EvalLoss(in, nn.CrossEntropy); err != nil {
				t.Fatal(err)
			}
			got = run(t, []graph.Value{in.Theta, in.X}, []graph.Value{r.Logits}, engine.Of(state.Theta), want.examples(t, m))
			closeTo(t, "logits in evaluation mode", got[0], want.floats(t, logits))
		})
	}
}
