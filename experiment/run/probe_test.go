package run

import (
	"math"
	"path/filepath"
	"testing"

	"shadowflow/safetensors"
)

func readTensors(t *testing.T, path string) map[string][]float64 {
	t.Helper()
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float64{}
	for _, tensor := range f.Tensors {
		v, ok := tensor.Float64s()
		if !ok {
			t.Fatalf("%s: tensor %s does not hold floats", path, tensor.Name)
		}
		out[tensor.Name] = v
	}
	return out
}

const probeConfig = `
data: {name: npz, path: testdata/probe_data.npz, standardize: false}
model: {name: cnn, channels: [2], dense: 4}
optimizer: {name: adam, lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-6}
`

func TestProbeMatchesPyTorch(t *testing.T) {
	want := readTensors(t, "testdata/probe_golden.safetensors")
	for _, c := range []struct {
		name      string
		overrides []string
		tol       float64
	}{
		{"float64", []string{"dtype=float64"}, 1e-9},
		{"float64 in three micro-batches", []string{"dtype=float64", "batch.physical=3"}, 1e-9},
		{"float32", nil, 1e-4},
	} {
		out := filepath.Join(t.TempDir(), "out.safetensors")
		got, err := Probe(t.Context(), parse(t, probeConfig, c.overrides...), "testdata/probe_weights.safetensors", out)
		if err != nil {
			t.Fatal(err)
		}
		if loss := want["loss"][0]; math.Abs(got.Loss-loss) > c.tol*loss {
			t.Errorf("%s: loss %v, PyTorch has %v", c.name, got.Loss, loss)
		}
		if norm := want["norm"][0]; math.Abs(got.Perturbed-norm) > c.tol*norm {
			t.Errorf("%s: perturbed one-norm %v, PyTorch has %v", c.name, got.Perturbed, norm)
		}
		tensors := readTensors(t, out)
		if len(tensors) != len(want)-2 {
			t.Errorf("%s: %d tensors, want %d", c.name, len(tensors), len(want)-2)
		}
		for name, v := range tensors {
			size, difference := 0.0, 0.0
			for i, w := range want[name] {
				size, difference = math.Hypot(size, w), math.Hypot(difference, v[i]-w)
			}
			if len(v) != len(want[name]) || difference > c.tol*size {
				t.Errorf("%s: %s differs from PyTorch's by %v of its norm", c.name, name, difference/size)
			}
		}
	}
}

func TestProbeSaysWhichWeightsDoNotFit(t *testing.T) {
	_, err := Probe(t.Context(), parse(t, probeConfig, "model.dense=5"), "testdata/probe_weights.safetensors", "")
	if err == nil {
		t.Error("weights of another model were accepted")
	}
}

func TestProbeReadsTheWeightsThatARunEndsWith(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := parse(t, small, "steps=5", "beside=[]")
	result, _ := runIn(t, dir, c)
	got, err := Probe(t.Context(), c, filepath.Join(dir, weightsFile), "")
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.Loss-float64(result.Loss)) > 1e-7 {
		t.Errorf("loss at the weights is %v, the run ended with %v", got.Loss, result.Loss)
	}
}
