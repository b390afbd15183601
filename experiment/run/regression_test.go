package run

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"
	"gonum.org/v1/gonum/mat"

	"shadowflow/dataset"
	"shadowflow/experiment/record"
	"shadowflow/safetensors"
)

// regression is a quick run on a table, two numbers to predict.
const regression = `
steps: 40
dtype: float64
data: {name: csv, path: testdata/table.csv, target: [strength, mass], standardize_target: true}
loss: mse
model: {name: mlp, hidden: [6], activation: tanh}
optimizer: {name: adam, lr: 1e-2}
record: {every: 1, bias: 7, sharpness: 20, test: 9}
beside: [state-2]
flow: {start: 3}
checkpoint: {every: 5}
`

func TestRegressionsHaveR2WhereClassesHaveAccuracy(t *testing.T) {
	for _, loss := range []string{"mse", "huber"} {
		result, h := runFor(t, regression, "loss="+loss)
		if result.Status != Finished || result.Examples != 48 || result.R2 == nil || result.TestR2 == nil || result.TestAccuracy != nil || !math.IsNaN(float64(result.Accuracy)) {
			t.Fatalf("%s: %+v", loss, result)
		}
		for _, c := range h.Columns {
			if strings.Contains(c.Name, "accuracy") {
				t.Errorf("%s: a column %s", loss, c.Name)
			}
		}
		if columns := []string{h.Columns[1].Name, h.Columns[2].Name}; !slices.Equal(columns, []string{"loss", "r2"}) || h.Columns[1].Unit != "" {
			t.Errorf("columns %v, unit of the loss %q", columns, h.Columns[1].Unit)
		}
		r2 := h.Floats("r2")
		if first, last := r2[0], r2[len(r2)-1]; !(first < 0.2 && last > 0.8 && last < 1) || last != float64(*result.R2) {
			t.Errorf("%s: R^2 from %v to %v, the result has %v", loss, first, last, *result.R2)
		}
		if loss != "mse" {
			continue
		}
		// Each standardized target has the variance 1, so the mean squared error is what R^2 leaves.
		for i, l := range h.Floats("loss") {
			if math.Abs(1-r2[i]-l) > 1e-12 {
				t.Errorf("row %d: loss %v, R^2 %v", i, l, r2[i])
			}
		}
	}
}

func TestTheRecordUndoesTheStandardization(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := parse(t, regression)
	result, _ := runIn(t, dir, c)
	text, err := os.ReadFile(filepath.Join(dir, "standardization.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s Standardization
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Inputs.Names, []string{"width", "height", "grain"}) || !slices.Equal(s.Targets.Names, []string{"strength", "mass"}) {
		t.Fatalf("inputs %v, targets %v", s.Inputs.Names, s.Targets.Names)
	}
	// By hand, from the raw table, the weights and the file: the mean squared error that the run ended with.
	raw := c.Data
	raw.Standardize, raw.StandardizeTarget = false, false
	d, err := dataset.Load(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	file, err := safetensors.ReadFile(filepath.Join(dir, record.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	w := map[string][]float64{}
	for _, tensor := range file.Tensors {
		w[tensor.Name], _ = tensor.Float64s()
	}
	x, squares := dataset.Inputs[float64](d.Train), 0.0
	for i := range d.Train.N() {
		var hidden [6]float64
		for k := range hidden {
			hidden[k] = w["0.bias"][k]
			for j := range 3 {
				hidden[k] += w["0.weight"][3*k+j] * (x[3*i+j] - float64(s.Inputs.Mean[j])) / float64(s.Inputs.Deviation[j])
			}
			hidden[k] = math.Tanh(hidden[k])
		}
		for o := range 2 {
			y := w["2.bias"][o]
			for k := range hidden {
				y += w["2.weight"][6*o+k] * hidden[k]
			}
			predicted := float64(s.Targets.Mean[o]) + float64(s.Targets.Deviation[o])*y
			off := (predicted - d.Train.Targets.Values[2*i+o]) / float64(s.Targets.Deviation[o])
			squares += off * off
		}
	}
	if mse := squares / float64(2*d.Train.N()); math.Abs(mse-float64(result.Loss)) > 1e-12 {
		t.Errorf("loss by hand %v, the run has %v", mse, result.Loss)
	}
}

func TestARegressionResumesWithTheSameBits(t *testing.T) {
	whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
	c := parse(t, regression, "batch={mode: shuffled, size: 20}", "beside=[]")
	runIn(t, whole, c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := Options{Progress: func(at Progress) {
		if at.Step == 13 {
			cancel()
		}
	}}
	if result, err := Run(ctx, c, parts, stop); err != nil || result.Status != Interrupted {
		t.Fatalf("result %+v, error %v", result, err)
	}
	if _, err := Resume(t.Context(), parts, Options{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(historyBytes(t, whole), historyBytes(t, parts)) {
		t.Error("an interrupted run has another record")
	}
}

func TestRegressionsFollowTheirEquations(t *testing.T) {
	c := parse(t, regression, "optimizer={name: adam, eps: 1e-3, beta1: 0.5, beta2: 0.7, lr: 0.01}")
	p, err := NewProblem[float64](t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Verify(t.Context(), *p, VerifyOptions{Orders: []int{1, 2}, LR: []float64{8e-4, 4e-4, 2e-4}, Time: 0.008})
	if err != nil {
		t.Fatal(err)
	}
	for k, o := range v.Orders {
		for _, slope := range o.Slopes {
			if math.Abs(slope-float64(k+1)) > 0.25 {
				t.Errorf("order %d: the distance falls with slope %.3f", k+1, slope)
			}
		}
	}
}

func TestALossThatDoesNotFitTheDataIsRefused(t *testing.T) {
	for set, want := range map[string]string{
		"loss=cross-entropy":        "numbers to predict, not classes",
		"loss=binary-cross-entropy": "wants numbers from 0 to 1, not standardized",
	} {
		if _, err := Run(t.Context(), parse(t, regression, set), filepath.Join(t.TempDir(), "run"), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", set, err, want)
		}
	}
}

func TestProbeTellsR2(t *testing.T) {
	p, err := Probe(t.Context(), parse(t, regression), "")
	if err != nil {
		t.Fatal(err)
	}
	if p.R2 == nil || math.Abs(1-float64(*p.R2)-float64(p.Loss)) > 1e-12 || !math.IsNaN(float64(p.Accuracy)) {
		t.Errorf("%+v", p)
	}
}

func TestARunSaysWhatLooksLikeAMistakeInItsData(t *testing.T) {
	path := filepath.Join(t.TempDir(), "from_one.npz")
	if err := npz.Write(path, map[string]any{"X": mat.NewDense(4, 2, []float64{1, 2, 3, 4, 5, 6, 7, 9}), "y": []int64{1, 2, 3, 1}}); err != nil {
		t.Fatal(err)
	}
	var notices []string
	dir := filepath.Join(t.TempDir(), "run")
	c := parse(t, small, "steps=1", "beside=[]", "data={name: npz, path: "+path+", subset: 0, test_subset: 0}", "record={every: 1, bias: 0, sharpness: 0, test: 0}")
	if _, err := Run(t.Context(), c, dir, Options{Notice: func(s string) { notices = append(notices, s) }}); err != nil {
		t.Fatal(err)
	}
	if len(notices) != 1 || !strings.Contains(notices[0], "labels start at 1") {
		t.Errorf("notices %q", notices)
	}
	if log := fileBytes(t, dir, "log.txt"); !bytes.Contains(log, []byte("data: labels start at 1")) {
		t.Errorf("log %s", log)
	}
}

func TestTwoClassesHaveOneLogitUnderBinaryCrossEntropy(t *testing.T) {
	var table strings.Builder
	table.WriteString("x,z,kind\n")
	for i := range 40 {
		fmt.Fprintf(&table, "%d,%d,%s\n", i, i*i%7, []string{"iris", "rose"}[i/20])
	}
	path := filepath.Join(t.TempDir(), "kinds.csv")
	if err := os.WriteFile(path, []byte(table.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	c := parse(t, small, "steps=60", "beside=[]", "data={name: csv, path: "+path+", target: [kind], subset: 0, test_subset: 0}", "loss=binary-cross-entropy", "optimizer={name: adam, lr: 0.05}")
	result, h := runIn(t, filepath.Join(t.TempDir(), "run"), c)
	if want := (2+1)*8 + 8 + 1; result.Parameters != want || h.Columns[1].Unit != "nats" {
		t.Errorf("%d parameters, want %d; unit of the loss %q", result.Parameters, want, h.Columns[1].Unit)
	}
	if first := h.Floats("loss")[0]; math.Abs(first-math.Ln2) > 0.3 || result.Accuracy < 0.9 || result.R2 != nil {
		t.Errorf("loss from %v, accuracy to %v", first, result.Accuracy)
	}
}
