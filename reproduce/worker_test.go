package reproduce

import (
	"context"
	"errors"
	"os"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/fixture"
	"shadowflow/schema"
)

func TestMain(m *testing.M) {
	fixture.ServeWorker()
	os.Exit(m.Run())
}

// A map of a worker's model is found by one worker for each run at once, goes on where it was interrupted, and knows what a map of a network knows.
func TestAMapOfAWorkersModelIsFoundByFewWorkersAndGoesOn(t *testing.T) {
	started, dir := t.TempDir(), t.TempDir()
	o := MapOptions{
		Beta1: []float64{0.5, 0.9}, Beta2: []float64{0.9, 0.99}, LR: []float64{1e-3, 1e-2}, Eps: []float64{1e-4}, Sweep: sweep.Options{Parallel: 1},
		Settings: [][]schema.Setting{{
			schema.Set("objective.name", "worker"), schema.Set("objective.command", []string{os.Args[0], started}), schema.Set("steps", 40),
		}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.Sweep.Progress = func(e sweep.Event) {
		if e.Done {
			cancel()
		}
	}
	if _, err := RunMap(ctx, dir, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted behind the first run: %v", err)
	}
	o.Sweep.Progress = nil
	m, err := RunMap(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if m.Runs != 8 || m.Failed != 0 || len(m.Points) != 8 {
		t.Errorf("%d runs, %d failed, %d points: want 8 of each, none failed", m.Runs, m.Failed, len(m.Points))
	}
	for _, p := range m.Points {
		if p.Regime == diagnose.Unknown || !p.stateKnown() {
			t.Errorf("%+v: want the regime and whether the state equation holds", p)
		}
	}
	if said, err := m.Sentences(nil); err != nil || len(said) != 4 {
		t.Errorf("%q, %v: want a sentence for each pair of betas", said, err)
	}
	files, err := os.ReadDir(started)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) > 2 {
		t.Errorf("%d workers for 8 runs, one at a time, interrupted once: want at most 2", len(files))
	}
}
