package run

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/graph"
	"shadowflow/nn/imported"
)

const digitsNetwork = "../../nn/imported/testdata/digits.onnx"

// A network that PyTorch exported runs as the built-in one that it is, from the same weights, to the last bit.
func TestAnImportedNetworkRunsAsTheBuiltInOne(t *testing.T) {
	m, err := (&imported.Net{Path: digitsNetwork}).Build([]int{8, 8, 1}, 10)
	if err != nil {
		t.Fatal(err)
	}
	start := filepath.Join(t.TempDir(), "start.safetensors")
	if err := m.Save(start, m.Init(0), graph.Float64); err != nil {
		t.Fatal(err)
	}
	for _, dtype := range []string{"float32", "float64"} {
		theirs, ours := filepath.Join(t.TempDir(), "theirs"), filepath.Join(t.TempDir(), "ours")
		runIn(t, theirs, parse(t, small, "model={name: onnx, path: "+digitsNetwork+"}", "dtype="+dtype))
		runIn(t, ours, parse(t, small, "model.weights="+start, "dtype="+dtype))
		wantSameHistory(t, theirs, ours)
	}
}

func TestARunSaysWhatAnExporterMerged(t *testing.T) {
	const path = "../../nn/imported/testdata/lost.onnx"
	c := parse(t, small, "model={name: onnx, path: "+path+"}", "steps=2")
	var notices []string
	if _, err := Run(t.Context(), c, filepath.Join(t.TempDir(), "run"), Options{Notice: func(s string) { notices = append(notices, s) }}); err != nil {
		t.Fatal(err)
	}
	said := strings.Join(notices, "\n")
	for _, want := range []string{"likely several weights", "made up the names"} {
		if !strings.Contains(said, want) || !strings.Contains(said, "model.path: "+path+": ") {
			t.Errorf("%q is not in %q", want, said)
		}
	}
}

func TestAnotherNetworkUnderTheSameNameIsRefused(t *testing.T) {
	path, dir := filepath.Join(t.TempDir(), "net.onnx"), filepath.Join(t.TempDir(), "run")
	copyFile(t, path, digitsNetwork)
	runIn(t, dir, parse(t, small, "model={name: onnx, path: "+path+"}", "steps=4"))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "\x32\x00"); err != nil { // a documentation that is empty
		t.Fatal(err)
	}
	f.Close()
	if _, err := Resume(t.Context(), dir, Options{Settings: settings(t, "steps=8")}); err == nil || !strings.Contains(err.Error(), "model.path") {
		t.Errorf("%v, want model.path named", err)
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
