package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/record"
)

func TestAWatchedLoopIsNotResumedAndLeftAsItIs(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"config.yaml": "objective: {name: watched}\noptimizer: {name: adam, preset: pytorch}\nbatch: {mode: sampled}\n",
		"columns.csv": "name,type,unit,meaning\nstep,int,steps,\nloss,float,loss,\n",
		"history.csv": "step,loss\n0,2.5\n50,1.5\n",
		"times.csv":   "step,seconds\n0,0.5\n50,1\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Resume(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "a training loop in Python") {
		t.Errorf("resumed: %v; want a sentence that it is a loop in Python", err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want it as it was", name, got, err)
		}
	}
	h, err := record.ReadHistory(dir)
	if err != nil || len(h.Rows) != 2 {
		t.Errorf("history: %v, %v", h, err)
	}
}
