package run

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/modeq"
)

func TestNoiseOfABatchIsMeasuredWithWhatItDoesToTheBias(t *testing.T) {
	for name, c := range map[string]struct {
		src       string
		overrides []string
		batch     float64
		total     bool
		expected  bool
	}{
		"mini-batches": {
			src: strings.Replace(everyMeter, "batch: {mode: full, physical: 25}\n", "", 1), overrides: []string{"batch.mode=shuffled"}, batch: 20, total: true, expected: true,
		},
		"a full batch":                   {src: small, batch: 3, total: true, expected: true},
		"another rule":                   {src: small, overrides: []string{"optimizer={name: nadam}"}, batch: 3, expected: true},
		"a rule without memory":          {src: small, overrides: []string{"optimizer={name: gd}"}, batch: 3},
		"a rule without the memory form": {src: ownOptimizer, overrides: []string{"beside=[]"}, batch: 3},
	} {
		t.Run(name, func(t *testing.T) {
			_, h := runIn(t, filepath.Join(t.TempDir(), "run"), parse(t, c.src, c.overrides...))
			for column, want := range map[string]bool{
				"noise_scale_error": true, "monitor.noise_over_batch": true, "noise.bias_total": c.total, "noise.flip_batch": c.total,
				"noise.drive_memory": c.expected, "noise.drive_1": c.expected, "noise.drive_5": c.expected, "noise.left_out": c.expected,
			} {
				if got := h.Index(column) >= 0; got != want {
					t.Errorf("column %s is recorded: %v, want %v", column, got, want)
				}
			}
			scale, batch, over := h.Floats("noise_scale")[0], h.Floats("noise_batch")[0], h.Floats("monitor.noise_over_batch")[0]
			if batch != c.batch || over != scale/batch || !(scale > 0) || !(h.Floats("noise_scale_error")[0] > 0) {
				t.Errorf("scale %g, batch %g, over batch %g, error %g", scale, batch, over, h.Floats("noise_scale_error")[0])
			}
			if c.total {
				adam := modeq.NewAdamNoise(0.9, 0.99)
				if total, flip := h.Floats("noise.bias_total")[0], h.Floats("noise.flip_batch")[0]; total != adam.Total(over) || flip != adam.FlipBatch()*scale {
					t.Errorf("C_total %g, want %g; flips at %g, want %g", total, adam.Total(over), flip, adam.FlipBatch()*scale)
				}
			}
			if c.expected {
				if out := h.Floats("noise.left_out")[0]; !(out > 0 && out < 1) || h.Floats("noise.drive_1")[0] == 0 || math.IsNaN(h.Floats("noise.drive_5")[0]) {
					t.Errorf("left out %g, drives %g and %g", out, h.Floats("noise.drive_1")[0], h.Floats("noise.drive_5")[0])
				}
			}
		})
	}
}
