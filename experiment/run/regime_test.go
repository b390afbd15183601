package run

import (
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/diagnose"
)

// TestTheRegimeDoesNotDependOnHowOftenThereIsARecord makes runs that are monotone by records of every step, again with fewer.
func TestTheRegimeDoesNotDependOnHowOftenThereIsARecord(t *testing.T) {
	const small = "data.subset=200,model.hidden=[8],record.sharpness=0,record.state=0,"
	const batches = small + "batch.mode=shuffled,batch.size=100,"
	for name, c := range map[string]struct {
		settings string
		every    int
	}{
		"full batch, every step":           {small + "steps=100,record.every=1", 0},
		"full batch, every 20 steps":       {small + "steps=100,record.every=20,record.bias=0,record.test=0", 20},
		"mini-batches, measured each step": {batches + "steps=60,record.bias=1", 0},
		"mini-batches, now and then":       {batches + "steps=60,record.bias=10", 10},
		"mini-batches, four times":         {batches + "steps=40,record.bias=10", 10},
	} {
		t.Run(name, func(t *testing.T) {
			result, _ := runIn(t, filepath.Join(t.TempDir(), "run"), parse(t, "", strings.Split(c.settings, ",")...))
			if result.Regime != diagnose.Monotone || result.RegimeEvery != c.every {
				t.Errorf("the regime is %s by records %d apart, want %s by %d", result.Regime, result.RegimeEvery, diagnose.Monotone, c.every)
			}
		})
	}
}
