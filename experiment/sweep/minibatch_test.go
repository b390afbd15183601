package sweep

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"shadowflow/schema"
)

// What a table says of runs with mini-batches is compared with runs of no step from the weights that they ended with, over the full batch.
func TestTheTableOfMiniBatchesIsOfAllExamples(t *testing.T) {
	const base = "data: {subset: 50, test_subset: 10}, model: {hidden: [4]%s}, record: {every: 1, bias: %d, sharpness: 0, test: 0, state: 0}"
	dir := t.TempDir()
	mini := mustParse(t, "base: {steps: 7, batch: {mode: shuffled, size: 10}, "+fmt.Sprintf(base, "", 3)+"}\nat_loss: [2.4]\n")
	if err := mini.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	weights := ", weights: " + schema.Format(filepath.Join(mini.RunDirs(dir)[0], "weights.safetensors"))
	full := mustParse(t, "base: {steps: 0, "+fmt.Sprintf(base, weights, 3)+"}\n")
	there := t.TempDir()
	if err := full.Execute(t.Context(), there, Options{}); err != nil {
		t.Fatal(err)
	}
	got, err := mini.Table(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := full.Table(t.Context(), there)
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"loss", "accuracy", "excess_last"} {
		a, b := got.Floats(column), want.Floats(column)
		if a == nil || b == nil || !(math.Abs(a[0]-b[0]) <= 1e-5*math.Abs(b[0])) {
			t.Errorf("%s is %v, over all examples %v", column, a, b)
		}
	}
	if got.Index("batch_loss") >= 0 || got.Index("full_excess_at_loss_2.4") >= 0 || got.Index("excess_at_loss_2.4") < 0 {
		t.Errorf("columns %v", got.Columns)
	}
	if got.Index("one_norm_at_loss_2.4") >= 0 || got.Index("batch_one_norm_at_loss_2.4") < 0 || got.Index("batch_drive.main_at_loss_2.4") >= 0 {
		t.Errorf("columns %v: norms of single batches are not said to be of them", got.Columns)
	}

	alone := mustParse(t, "base: {steps: 7, batch: {mode: shuffled, size: 10}, "+fmt.Sprintf(base, "", 0)+"}\n")
	dir = t.TempDir()
	if err := alone.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, err = alone.Table(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"loss", "accuracy", "excess_max", "excess_last"} {
		if got.Index(column) >= 0 || got.Index(ofBatch+column) < 0 {
			t.Errorf("%s of single batches is not said to be of them", column)
		}
	}
}
