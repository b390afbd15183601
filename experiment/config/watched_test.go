package config

import (
	"strings"
	"testing"
)

func TestAWatchedLoopHasAConfigAndNoLoss(t *testing.T) {
	c, err := Parse("config.yaml", []byte("objective: {name: watched}\noptimizer: {name: adam, preset: pytorch}\nbatch: {mode: sampled}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Objective.Name != Watched || c.Optimizer.Name != "adam" {
		t.Errorf("objective %q, optimizer %q", c.Objective.Name, c.Optimizer.Name)
	}
	if _, _, err := c.Objective.New(); err == nil || !strings.Contains(err.Error(), "not run") {
		t.Errorf("its loss: %v; want a sentence that it cannot be run", err)
	}
}
