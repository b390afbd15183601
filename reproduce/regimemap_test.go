package reproduce

import (
	"math"
	"strings"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
)

func TestAMapTellsRegimesAndLimits(t *testing.T) {
	loss := func(c *config.Config, n int) float64 {
		x := decaying(c, n)
		if c.Optimizer.LR > 5e-3 && c.Optimizer.Value("beta2") > 0.95 && n == 12 {
			x *= 10 // a spike
		}
		return x
	}
	norm := func(_ *config.Config, n int) float64 { return math.Exp(-float64(n) / 5) }
	m, err := RunMap(t.Context(), t.TempDir(), MapOptions{
		Beta1: []float64{0.9, 0.5}, Beta2: []float64{0.9, 0.99}, LR: []float64{1e-3, 1e-2, 3e-3}, Seeds: 2, Sweep: recording(loss, norm),
	})
	if err != nil {
		t.Fatal(err)
	}
	spiky, err := m.Sentence(0.9, 0.99)
	if err != nil {
		t.Fatal(err)
	}
	if want := "in the stable regime up to lr = 0.003, spiking at 0.01; the modified equation of order 2 predicts its steps better than that of order 1 up to lr = 0.003, and its defect keeps the law lr^3 up to lr = 0.01."; !strings.Contains(spiky, want) {
		t.Errorf("%q, want %q in it", spiky, want)
	}
	if calm, _ := m.Sentence(0.5, 0.9); !strings.Contains(calm, "up to lr = 0.01, the largest that was tried") {
		t.Errorf("%q", calm)
	}
	if _, err := m.Sentence(0.3, 0.9); err == nil {
		t.Error("a sentence for betas off the map")
	}
	p := m.at(1, 1, 0)
	if p.Regime != diagnose.Monotone || p.Hindered[0] != 0.25 || p.Beta1 != 0.9 || p.LR != 1e-3 {
		t.Errorf("%+v", p)
	}
}
