package reproduce

import (
	"strings"
	"testing"

	"shadowflow/experiment/record"
)

// What the equations do where the gradient jumps decides the claim as what they do elsewhere, and the caption says where each run's began.
func TestTheUsualSettingsAreAskedOfTheCNNToo(t *testing.T) {
	r, err := Find("usual-settings")
	if err != nil {
		t.Fatal(err)
	}
	for want, second := range map[Outcome]float64{Supported: 0.001, Against: 0.012} { // of the CNN, beside order 1 at 0.01
		made := recorded(t, r, decaying, hilly)
		for _, ts := range made {
			for _, one := range ts {
				ends := map[string]float64{"state-1.relative_distance": 0.01, "state-2.relative_distance": 0.001, "memoryless-2.relative_distance": 200, "state-2.loss": 0.5}
				if one.Run.Config.Model.Name == "cnn" {
					ends["state-2.relative_distance"] = second
				}
				addColumns(one.History, ends)
			}
		}
		found, err := r.reach(t.Context(), Laptop, made)
		if err != nil {
			t.Fatal(err)
		}
		if found.Outcome != want || found.hypothesis("near").Outcome != Supported || found.hypothesis("nearer").Outcome != Supported {
			t.Errorf("order 2 at %g on the CNN: %s, want %s: %v", second, found.Outcome, want, found.Hypotheses)
		}
		if h := found.hypothesis("cnn"); h.Outcome != want || h.Seeds != jumpingSeeds || h.Given != jumpingSeeds {
			t.Errorf("the CNN is asked of %d seeds: %+v", jumpingSeeds, h)
		}
		if caption := found.drawings[0].Label().Caption; !strings.Contains(caption, "began, at step 10, of large-lr at step 5: ") {
			t.Errorf("caption %q", caption)
		}
		for i, row := range found.tables[0].Rows {
			if without := row[1] == "-" && row[2] == "-"; without != (usualRuns[i] == "mini-batches") {
				t.Errorf("%s has the losses %q and %q: of a batch and of all examples are not compared", row[0], row[1], row[2])
			}
		}
	}
}

// addColumns gives a record columns that have the same number in each row.
func addColumns(h *record.History, values map[string]float64) {
	for name, v := range values {
		h.Columns = append(h.Columns, record.Column{Name: name, Type: record.FloatColumn})
		for i := range h.Rows {
			h.Rows[i] = append(h.Rows[i], record.Float(v))
		}
	}
}
