package run

import (
	"path/filepath"
	"strings"
	"testing"
)

// ownOptimizer keeps the largest second moment that it has seen, which no memory rule does.
const ownOptimizer = small + `
optimizer:
  name: mine
  lr: 1e-3
  let: {beta1: 0.9, beta2: 0.99, eps: 1e-8}
  state:
    m: ema(g, beta1)
    v: ema(g^2, beta2)
    top: max(top, v)
  update: corrected(m) / (sqrt(top) + eps)
`

func TestAnOptimizerWithoutTheMemoryFormRunsWithTheMetersOfItsSteps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	result, h := runIn(t, dir, parse(t, ownOptimizer, "beside=[]"))
	if loss := h.Floats("loss"); result.Status != Finished || !(loss[60] < loss[0]) {
		t.Errorf("%+v: loss from %g to %g", result, loss[0], loss[60])
	}
	for name, want := range map[string]bool{"sharpness": true, "noise_scale": true, "test_loss": true, "bias_share": false, "preconditioned_sharpness": false} {
		if got := h.Index(name) >= 0; got != want {
			t.Errorf("column %s is recorded: %v, want %v", name, got, want)
		}
	}
	if log := string(fileBytes(t, dir, "log.txt")); !strings.Contains(log, "top = max(top, v) is no exponential memory") {
		t.Errorf("the log does not say why the bias is not measured:\n%s", log)
	}
	if tensors := strings.Join(lastCheckpoint(t, dir), " "); !strings.Contains(tensors, "state.top.0.weight") {
		t.Errorf("the checkpoint has %s", tensors)
	}
}

func TestWhatNeedsTheMemoryFormIsRefusedWithoutIt(t *testing.T) {
	for name, override := range map[string]string{"modified equations": "beside=[memoryless-1]", "a scaled bias": "bias.scale=-1"} {
		t.Run(name, func(t *testing.T) {
			overrides := []string{override}
			if !strings.HasPrefix(override, "beside") {
				overrides = append(overrides, "beside=[]")
			}
			_, err := Run(t.Context(), parse(t, ownOptimizer, overrides...), filepath.Join(t.TempDir(), "run"), Options{})
			if err == nil || !strings.Contains(err.Error(), "has no modified equation that eliminates its memory") {
				t.Errorf("got %v", err)
			}
		})
	}
}
