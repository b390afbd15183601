package imported

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/onnx"
)

// derivatives records the loss of a model, its gradient, and with product a Hessian-vector product along it.
func derivatives(t testing.TB, m *nn.Model, dtype graph.DType, examples int, product bool) (in, out []graph.Value) {
	t.Helper()
	x := m.Inputs(graph.NewBuilder(), dtype, examples)
	r, err := m.TrainLoss(x, nn.CrossEntropy)
	if err != nil {
		t.Fatal(err)
	}
	g := graph.Grad(r.Loss, x.Theta)
	out = append([]graph.Value{r.Loss}, g...)
	if product {
		out = append(out, graph.JVP(g, []graph.Value{x.Theta}, []graph.Value{g[0].StopGradient()})...)
	}
	if r.Batch.Valid() {
		out = append(out, r.Batch)
	}
	return []graph.Value{x.Theta, x.X, x.Labels}, out
}

// kinds counts the operations of a program by what they are of and give, but for reshapes, which move nothing.
func kinds(out []graph.Value) map[string]int {
	counts, seen := map[string]int{}, map[*graph.Node]bool{}
	var visit func(*graph.Node)
	visit = func(n *graph.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		kind := n.Op().String()
		for _, operand := range n.In() {
			visit(operand)
			kind += fmt.Sprint(size(operand.Shape()))
		}
		if n.Op() != graph.OpReshape {
			counts[fmt.Sprintf("%s -> %v", kind, size(n.Shape()))]++
		}
	}
	for _, v := range out {
		visit(v.Node())
	}
	return counts
}

// sameProgram compares what two models' gradients, alone and with a Hessian-vector product, compute and hold.
func sameProgram(t *testing.T, theirs, ours *nn.Model) {
	t.Helper()
	for _, product := range []bool{false, true} {
		var counts [2]map[string]int
		var costs [2]engine.Cost
		for i, m := range []*nn.Model{theirs, ours} {
			_, out := derivatives(t, m, graph.Float32, 4, product)
			counts[i], costs[i] = kinds(out), costOf(t, m, product)
		}
		for kind, n := range counts[0] {
			if counts[1][kind] != n {
				t.Errorf("product %v: %d of %s, want %d", product, n, kind, counts[1][kind])
			}
		}
		if len(counts[0]) != len(counts[1]) || costs[0] != costs[1] {
			t.Errorf("product %v: %d kinds of operations that cost %+v, want %d that cost %+v", product, len(counts[0]), costs[0], len(counts[1]), costs[1])
		}
	}
}

// builtIn is the network of testdata/resnet_built_in.onnx as it is built in.
var builtIn = &nn.ResNet{Blocks: []int{2, 1}, Width: 4, Bottleneck: true}

func TestAnExportedResNetIsTheProgramOfTheBuiltInOne(t *testing.T) {
	ours, err := builtIn.Build([]int{6, 6, 3}, classes)
	if err != nil {
		t.Fatal(err)
	}
	theirs := build(t, "resnet_built_in", []int{6, 6, 3})
	sameProgram(t, theirs, ours)
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	if err := theirs.Save(path, theirs.Init(0), graph.Float64); err != nil {
		t.Fatal(err)
	}
	start, err := ours.Load(path)
	if err != nil || !reflect.DeepEqual(start.Theta, theirs.Init(0).Theta) {
		t.Errorf("its weights lie otherwise, %v", err)
	}
}

// A layer's product is the same work whichever way its weight lies in the file.
func TestTransposedWeightsOfProductsMoveNothing(t *testing.T) {
	attribute := func(name string, v any) onnx.Attribute { return onnx.Attribute{Name: name, Value: v} }
	bias := numbers("b", 5)
	ours, err := (&nn.MLP{Activation: "tanh"}).Build([]int{4}, 5)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		weight onnx.Tensor
		nodes  []onnx.Node
	}{
		"as PyTorch has it":         {numbers("w", 5, 4), []onnx.Node{giving("Gemm", "x w b", "y", attribute("transB", int64(1)))}},
		"transposed by an operator": {numbers("w", 5, 4), []onnx.Node{giving("Transpose", "w", "t"), giving("MatMul", "x t", "z"), giving("Add", "z b", "y")}},
		"transposed in the file":    {numbers("w", 4, 5), []onnx.Node{giving("MatMul", "x w", "z"), giving("Add", "b z", "y")}},
		"transposed, in one":        {numbers("w", 4, 5), []onnx.Node{giving("Gemm", "x w b", "y")}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := (&Net{Path: "net.onnx"}).modelOf(file(0, []onnx.Tensor{c.weight, bias}, c.nodes...), []int{4}, 5)
			if err != nil {
				t.Fatal(err)
			}
			if c.weight.Shape[0] == 5 {
				sameProgram(t, m, ours)
				return
			}
			for _, product := range []bool{false, true} { // whose gradient lies the other way
				got, want := costOf(t, m, product), costOf(t, ours, product)
				if got.Flops != want.Flops || got.PeakBytes > want.PeakBytes {
					t.Errorf("product %v: it costs %+v, want at most %+v", product, got, want)
				}
				_, out := derivatives(t, m, graph.Float32, 4, product)
				for kind, n := range kinds(out) {
					if strings.HasPrefix(kind, graph.OpTranspose.String()) {
						t.Errorf("product %v: %d of %s", product, n, kind)
					}
				}
			}
		})
	}
}

func costOf(t *testing.T, m *nn.Model, product bool) engine.Cost {
	t.Helper()
	in, out := derivatives(t, m, graph.Float32, 4, product)
	cost, err := engine.Measure(in, out, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return cost
}

// BenchmarkAnExportedResNet50 times the network that SHADOWFLOW_ONNX_RESNET50 names, the built-in resnet50 for images [32, 32, 3] as PyTorch exports it, turn by
// turn with the built-in one.
func BenchmarkAnExportedResNet50(b *testing.B) {
	path := os.Getenv("SHADOWFLOW_ONNX_RESNET50")
	if path == "" {
		b.Skip("SHADOWFLOW_ONNX_RESNET50 names no file: scripts/onnx_speed.py writes one and runs this")
	}
	examples, err := strconv.Atoi(os.Getenv("SHADOWFLOW_EXAMPLES"))
	if err != nil {
		examples = 8
	}
	theirs, err := (&Net{Path: path}).Build([]int{32, 32, 3}, 10)
	if err != nil {
		b.Fatal(err)
	}
	ours, err := (&nn.ResNet{Blocks: []int{3, 4, 6, 3}, Width: 64, Bottleneck: true}).Build([]int{32, 32, 3}, 10)
	if err != nil {
		b.Fatal(err)
	}
	for name, product := range map[string]bool{"gradient": false, "product": true} {
		b.Run(name, func(b *testing.B) {
			var runs [2]func() error
			for i, m := range []*nn.Model{theirs, ours} {
				runs[i] = runner(b, m, theirs.Init(0).Theta, examples, product)
			}
			best := [2]float64{math.Inf(1), math.Inf(1)}
			for b.Loop() {
				for i, run := range runs {
					start := time.Now()
					if err := run(); err != nil {
						b.Fatal(err)
					}
					best[i] = min(best[i], time.Since(start).Seconds())
				}
			}
			b.ReportMetric(best[0], "exported-s")
			b.ReportMetric(best[1], "built-in-s")
			b.ReportMetric(best[0]/best[1], "ratio")
		})
	}
}

// runner compiles a model's derivatives and returns what runs them once, after it has done so.
func runner(b *testing.B, m *nn.Model, theta []float64, examples int, product bool) func() error {
	b.Helper()
	in, out := derivatives(b, m, graph.Float32, examples, product)
	p, err := engine.Compile(in, out, engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	start := make([]float32, len(theta))
	for i, v := range theta {
		start[i] = float32(v)
	}
	x := make([]float32, in[1].Size())
	for i := range x {
		x[i] = float32(math.Cos(float64(i)))
	}
	arrays, results := []engine.Buffer{engine.Of(start), engine.Of(x), engine.Of(make([]int32, examples))}, []engine.Buffer(nil)
	for _, v := range out {
		results = append(results, engine.NewBuffer(v.DType(), v.Size()))
	}
	run := func() error { return p.Run(arrays, results) }
	if err := run(); err != nil {
		b.Fatal(err)
	}
	return run
}
