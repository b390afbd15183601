package run

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/record"
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

const probeWeights = "model.weights=testdata/probe_weights.safetensors"

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
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.safetensors")
			got, err := Probe(t.Context(), parse(t, probeConfig, append(c.overrides, probeWeights)...), out)
			if err != nil {
				t.Fatal(err)
			}
			if loss := want["loss"][0]; math.Abs(float64(got.Loss)-loss) > c.tol*loss {
				t.Errorf("loss %v, PyTorch has %v", got.Loss, loss)
			}
			if norm := want["norm"][0]; math.Abs(float64(got.Perturbed)-norm) > c.tol*norm {
				t.Errorf("perturbed one-norm %v, PyTorch has %v", got.Perturbed, norm)
			}
			tensors := readTensors(t, out)
			if len(tensors) != len(want)-2 {
				t.Errorf("%d tensors, want %d", len(tensors), len(want)-2)
			}
			for name, v := range tensors {
				size, difference := 0.0, 0.0
				for i, w := range want[name] {
					size, difference = math.Hypot(size, w), math.Hypot(difference, v[i]-w)
				}
				if len(v) != len(want[name]) || difference > c.tol*size {
					t.Errorf("%s differs from PyTorch's by %v of its norm", name, difference/size)
				}
			}
		})
	}
}

func TestProbeSaysWhichWeightsDoNotFit(t *testing.T) {
	_, err := Probe(t.Context(), parse(t, probeConfig, "model.dense=5", probeWeights), "")
	if err == nil {
		t.Error("weights of another model were accepted")
	}
}

func TestProbeReadsTheWeightsThatARunEndsWith(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := parse(t, small, "steps=5", "beside=[]")
	result, _ := runIn(t, dir, c)
	c.Model.Weights = filepath.Join(dir, record.WeightsFile)
	got, err := Probe(t.Context(), c, "")
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(got.Loss-result.Loss)) > 1e-7 {
		t.Errorf("loss at the weights is %v, the run ended with %v", got.Loss, result.Loss)
	}
}

func TestAProbeOfAnOptimizerWithoutTheMemoryFormHasLossAndNorms(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.safetensors")
	got, err := Probe(t.Context(), parse(t, ownOptimizer, "beside=[]"), out)
	if err != nil {
		t.Fatal(err)
	}
	if !(got.Loss > 0 && got.Two > 0) || got.PredictedBias != nil || !strings.Contains(got.NoPrediction, "top = max(top, v)") {
		t.Errorf("%+v", got)
	}
	for name := range readTensors(t, out) {
		if !strings.HasPrefix(name, "grad.") {
			t.Errorf("vector %s of an equation that does not exist", name)
		}
	}
}
