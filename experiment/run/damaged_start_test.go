package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A bit of the last mantissa is a number like any other: nothing but the checksum tells.
func TestADamagedCheckpointIsNoStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	base := []string{"model.hidden=[4]", "data.subset=40", "record.test=0", "steps=3"}
	if _, err := Run(t.Context(), parse(t, "", append(base, "checkpoint.every=2")...), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	path := checkpoints(t, dir)[0]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-4] ^= 1
	damaged := filepath.Join(t.TempDir(), "damaged.safetensors")
	if err := os.WriteFile(damaged, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"model.weights", "optimizer.moments"} {
		c := parse(t, "", append(base, key+"="+damaged)...)
		_, run := Run(t.Context(), c, filepath.Join(t.TempDir(), "next"), Options{})
		_, probe := Probe(t.Context(), c, "")
		for command, err := range map[string]error{"run": run, "probe": probe} {
			if err == nil || !strings.Contains(err.Error(), key+": "+damaged+": damaged: its checksum is not that of its content") {
				t.Errorf("%s, %s: %v", command, key, err)
			}
		}
	}
}
