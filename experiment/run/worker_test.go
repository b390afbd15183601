package run

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shadowflow/dataset"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/nn"
	"shadowflow/safetensors"
	"shadowflow/schema"
)

// python returns the interpreter that has the package of python/ with PyTorch and JAX, which the environment names.
func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("SHADOWFLOW_PYTHON")
	if name == "" {
		t.Skip("SHADOWFLOW_PYTHON names no interpreter with the Python package, PyTorch and JAX")
	}
	return name
}

// Networks of this program that served.py has, too, in float64, of which a run begins with the weights and examples that it writes.
var servedNetworks = map[string]string{
	"mlp": `
data: {name: digits, subset: 60, test_subset: 20}
model: {name: mlp, hidden: [8], activation: tanh}`,
	"cnn": `
data: {name: digits, subset: 40, test_subset: 20}
model: {name: cnn, channels: [4, 6], dense: 10}`,
	"gpt": `
data: {name: text, subset: 12, test_subset: 4}
model: {name: gpt, context: 16, dim: 16, heads: 2, depth: 2}`,
}

const servedRun = `
dtype: float64
threads: 1
steps: 50
batch: {physical: 100}
record: {every: 1, bias: 5, sharpness: 0, state: 0, test: 0}
beside: [state-2]
optimizer: {name: adam, lr: 1e-3, eps: 1e-6}
`

// writeSetup writes what served.py begins with: the weights and the examples that a config begins with.
func writeSetup(t *testing.T, src string) string {
	t.Helper()
	s, err := loadSource(t.Context(), parse(t, src), nil)
	if err != nil {
		t.Fatal(err)
	}
	tensors, err := nn.StateDict[float64](s.model, s.start.Theta, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	part := s.data.Train
	n := part.N()
	x := safetensors.Tensor{Name: "x", Shape: append([]int{n}, part.Shape...)}
	if part.Tokens() {
		tokens, rows := make([]int32, n*part.Size()), make([]int, n)
		for i := range rows {
			rows[i] = i
		}
		dataset.Indices(tokens, part, rows)
		x.Data = widenInts(tokens)
	} else {
		x.Data = dataset.Inputs[float64](part)
	}
	y := safetensors.Tensor{Name: "y", Shape: []int{n, len(part.Labels) / n}, Data: widenInts(part.Labels)}
	if !part.Tokens() {
		y.Shape = y.Shape[:1]
	}
	path := filepath.Join(t.TempDir(), "setup.safetensors")
	if err := safetensors.WriteFile(path, append(tensors, x, y), nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func widenInts(x []int32) []int64 {
	out := make([]int64, len(x))
	for i, v := range x {
		out[i] = int64(v)
	}
	return out
}

// parseWith parses a config with settings of Go's values.
func parseWith(t *testing.T, src string, settings ...schema.Setting) *config.Config {
	t.Helper()
	document, err := schema.Parse("test.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Resolve(document, settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// served returns the settings of a run on served.py.
func served(python string, words ...string) []schema.Setting {
	command := append([]string{python, filepath.Join("..", "..", "python", "tests", "served.py")}, words...)
	return []schema.Setting{schema.Set("objective.name", "worker"), schema.Set("objective.command", command)}
}

func TestLongOurNetworksAndWorkersGiveTheSameHistories(t *testing.T) {
	interpreter := python(t)
	device := cmp.Or(os.Getenv("SHADOWFLOW_DEVICE"), "cpu") // of PyTorch; JAX takes what it finds
	for kind, network := range servedNetworks {
		setup := writeSetup(t, network+servedRun)
		_, ours := runIn(t, filepath.Join(t.TempDir(), "ours"), parse(t, network+servedRun))
		byRounding := keyBiases(t, network+servedRun)
		for _, words := range [][]string{{"torch", kind, setup, "1", device}, {"torch", kind, setup, "2", device}, {"jax", kind, setup, "1"}} {
			t.Run(strings.Join([]string{kind, words[0], words[3], device}, " "), func(t *testing.T) {
				c := parseWith(t, servedRun, served(interpreter, words...)...)
				_, theirs := runIn(t, filepath.Join(t.TempDir(), "theirs"), c)
				compareHistories(t, ours, theirs, byRounding)
			})
		}
	}
}

// keyBiases is the share of the key's biases among a network's parameters: the loss does not depend on them, since softmax takes no note of what all
// scores of a query have in common, and so their gradients are of a sign by rounding alone.
func keyBiases(t *testing.T, src string) float64 {
	t.Helper()
	s, err := loadSource(t.Context(), parse(t, src), nil)
	if err != nil {
		t.Fatal(err)
	}
	n, all := 0, 0
	for _, b := range s.model.Blocks() {
		all += b.Size()
		if strings.HasSuffix(b.Name, "attn.c_attn.bias") {
			n += b.Size() / 3
		}
	}
	return float64(n) / float64(all)
}

// compareHistories compares the columns that both have, relative to the largest number in each; byRounding is the share of the coordinates whose gradients
// have no sign but by rounding.
func compareHistories(t *testing.T, ours, theirs *record.History, byRounding float64) {
	t.Helper()
	compared := 0
	for _, c := range theirs.Columns {
		if ours.Index(c.Name) < 0 || c.Type != record.FloatColumn || c.Name == "monitor.second_over_first" {
			continue
		}
		tolerance := 1e-10
		share := strings.HasSuffix(c.Name, "penalized") || strings.HasSuffix(c.Name, "hindered") // of all coordinates, by signs
		if share {
			tolerance += byRounding
		}
		a, b := ours.Floats(c.Name), theirs.Floats(c.Name)
		if len(a) != len(b) {
			t.Fatalf("%d and %d rows", len(a), len(b))
		}
		largest := 0.0
		for _, v := range a {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				largest = math.Max(largest, math.Abs(v))
			}
		}
		if share {
			largest = 1
		}
		for i := range a {
			if math.IsNaN(a[i]) && math.IsNaN(b[i]) || a[i] == b[i] {
				continue
			}
			if d := math.Abs(a[i]-b[i]) / largest; !(d <= tolerance) {
				t.Errorf("%s at row %d: %v, of the worker %v: differ by %.1e of the largest", c.Name, i, a[i], b[i], d)
				break
			}
		}
		compared++
	}
	if compared < 20 {
		t.Errorf("%d columns were compared: want 20 or more", compared)
	}
}

func TestLongARunOnAWorkerResumesToTheSameBits(t *testing.T) {
	interpreter := python(t)
	setup := writeSetup(t, servedNetworks["mlp"]+servedRun)
	with := served(interpreter, "torch", "mlp", setup, "2")
	src := servedRun + "\ncheckpoint: {every: 5}"
	_, whole := runIn(t, filepath.Join(t.TempDir(), "whole"), parseWith(t, src, with...))
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	dir := filepath.Join(t.TempDir(), "parts")
	ctx, cancel := context.WithCancel(t.Context())
	stop := 1 + r.IntN(45)
	_, err := Run(ctx, parseWith(t, src, with...), dir, Options{Progress: func(p Progress) {
		if p.Step == stop {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	compareBits(t, dir, whole)
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func TestLongAWorkerThatIsKilledEndsTheRunAndLeavesItsRecordWhole(t *testing.T) {
	interpreter := python(t)
	setup := writeSetup(t, servedNetworks["mlp"]+servedRun)
	c := parseWith(t, servedRun+"\ncheckpoint: {every: 5}", served(interpreter, "torch", "mlp", setup, "1")...)
	_, whole := runIn(t, filepath.Join(t.TempDir(), "whole"), c)
	dir := filepath.Join(t.TempDir(), "run")
	r, err := newTraining[float64](t.Context(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	killed := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)).IntN(50)
	r.loop.Progress = func(at *Point[float64]) {
		if p, err := os.FindProcess(r.source.worker.PID()); at.Step == killed && err == nil {
			_ = p.Kill()
		}
	}
	d, err := record.Create(dir, c.YAML(), r.columns())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := carryOut(t.Context(), r, d); err == nil || !strings.Contains(err.Error(), "it ended: signal: killed") {
		t.Errorf("killed at step %d: error %v", killed, err)
	}
	if _, err := Resume(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	compareBits(t, dir, whole)
}

// compareBits compares the history in a directory with that of a run that nothing befell.
func compareBits(t *testing.T, dir string, whole *record.History) {
	t.Helper()
	h, err := record.ReadHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range whole.Columns {
		if c.Type == record.FloatColumn && !slices.EqualFunc(whole.Floats(c.Name), h.Floats(c.Name), same) {
			t.Errorf("column %s differs", c.Name)
		}
	}
}
