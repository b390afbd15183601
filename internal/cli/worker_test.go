package cli

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"shadowflow/internal/fixture"
)

func TestMain(m *testing.M) {
	fixture.ServeWorker()
	// What commands that are broken off leave is to be collected before the next need as much again: otherwise the tests grow to several GiB.
	debug.SetMemoryLimit(min(debug.SetMemoryLimit(-1), 1<<30))
	os.Exit(m.Run())
}

// Every command that takes a loss takes one that another program serves, or says what to ask instead.
func TestCommandsTakeALossOfAWorker(t *testing.T) {
	t.Chdir(t.TempDir())
	on := []string{"--objective", "worker", "--set", "objective.command=[" + os.Args[0] + "],dtype=float64"}
	for _, c := range []struct {
		args string
		code int
		said string
	}{
		{"check", exitDone, ""},
		{"probe", exitDone, ""},
		{"spectrum --top 1", exitDone, ""},
		{"run --out whole --quiet --figures=false --set steps=20,beside=[state-2,memoryless-2],record.sharpness=5", exitDone, ""},
		{"verify --orders 1,2 --set beta1=0.3,beta2=0.5,eps=1", exitDone, ""},
		{"iterate --steps 5", exitDone, ""},
		{"map --out map --quiet --beta1 0.5 --beta2 0.9 --lr 1e-3 --eps 1e-4 --set steps=20", exitDone, ""},
		{"verify --memory state", exitMisused, "which one that another program serves does not have: want memory full with start cold, or state-1 and state-2 beside a run"},
		{"verify --start manifold --orders 1", exitMisused, "want start cold, and orders 1 and 2"},
		{"field", exitMisused, "objective worker: its fields need derivatives of any order"},
		{"field --memory state", exitMisused, "objective worker: its fields need derivatives of any order"},
		{"run --out b --set beside=[state-3]", exitMisused, "beside: state-3: it takes derivatives of the loss of any order"},
		{"map --out c --batch 0,100", exitMisused, "only a network's batches have a size to choose"},
	} {
		t.Run(c.args, func(t *testing.T) {
			_, stderr, code := shadowflow(append(strings.Fields(c.args), on...)...)
			if code != c.code || !strings.Contains(stderr, c.said) {
				t.Errorf("code %d, want %d; said %s\nwant %s", code, c.code, stderr, c.said)
			}
		})
	}
	if _, err := os.Stat(filepath.Join("whole", "result.json")); err != nil {
		t.Error(err)
	}
}
