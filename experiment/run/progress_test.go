package run

import (
	"path/filepath"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
)

func TestTheProgressHasTheVerdictOfTheRowThatWasMeasuredLast(t *testing.T) {
	c, err := config.Parse("test.yaml", []byte("steps: 12\ndata: {name: digits, subset: 40}\nmodel: {name: mlp, hidden: [6]}\nrecord: {bias: 1}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var seen []Verdict // behind each step
	dir := filepath.Join(t.TempDir(), "run")
	if _, err := Run(t.Context(), c, dir, Options{Progress: func(p Progress) { seen = append(seen, p.Verdict) }}); err != nil {
		t.Fatal(err)
	}
	h, err := record.ReadHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	rows, judged := Verdicts(h), 0
	for i, v := range rows[:len(rows)-1] { // the last was not stepped from
		if v.Judged() {
			judged++
		}
		if seen[i+1] != v {
			t.Errorf("step %d: %v in the progress, %v in the record", i, seen[i+1], v)
		}
	}
	if judged == 0 {
		t.Error("no step says anything")
	}
}
