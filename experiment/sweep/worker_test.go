package sweep

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/internal/fixture"
	"shadowflow/objective/worker"
	"shadowflow/schema"
)

func TestMain(m *testing.M) {
	fixture.ServeWorker()
	os.Exit(m.Run())
}

// onWorker returns a sweep of six runs on the tests' worker, which makes a file in a directory as it starts.
func onWorker(t *testing.T, started string, more ...schema.Setting) *Sweep {
	t.Helper()
	s, err := New(Spec{
		Name: "worker",
		Base: append([]schema.Setting{
			schema.Set("objective.name", "worker"), schema.Set("objective.command", []string{os.Args[0], started}), schema.Set("dtype", "float64"),
			schema.Set("steps", 60), schema.Set("checkpoint.every", 7), schema.Set("record.bias", 5), schema.Set("record.state", 5),
		}, more...),
		Grid:  []schema.Setting{schema.Set("optimizer.lr", []float64{1e-3, 3e-3, 1e-2}), schema.Set("optimizer.beta1", []float64{0.5, 0.9})},
		Seeds: Seeds(1),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func processes(t *testing.T, started string) int {
	t.Helper()
	files, err := os.ReadDir(started)
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// A sweep starts as many workers as there are runs at once, and its runs have the bits of runs with a worker of their own.
func TestRunsOfASweepShareWorkers(t *testing.T) {
	for _, parallel := range []int{1, 2} {
		started := t.TempDir()
		s, dir := onWorker(t, started), t.TempDir()
		if err := s.Execute(t.Context(), dir, Options{Parallel: parallel}); err != nil {
			t.Fatal(err)
		}
		if n := processes(t, started); n < 1 || n > parallel {
			t.Errorf("%d workers were started for %d runs, %d at once: want no more than these", n, len(s.Runs), parallel)
		}
		for i, path := range s.RunDirs(dir) {
			c := *s.Runs[i].Config
			c.Threads = map[int]int{1: c.Threads, 2: 1}[parallel]
			alone := filepath.Join(t.TempDir(), "alone")
			if _, err := run.Run(t.Context(), &c, alone, run.Options{}); err != nil {
				t.Fatal(err)
			}
			sameBits(t, alone, path)
		}
	}
}

// A sweep that is interrupted in the midst of its runs goes on to the bits of one that was not, with other workers.
func TestASweepOnWorkersThatIsInterruptedGoesOnToTheSameBits(t *testing.T) {
	for name, more := range map[string][]schema.Setting{
		"full batch":   {schema.Set("beside", []string{"state-2"})},
		"mini-batches": {schema.Set("batch.mode", "shuffled")},
	} {
		t.Run(name, func(t *testing.T) {
			started := t.TempDir()
			s, whole, parts := onWorker(t, started, more...), t.TempDir(), t.TempDir()
			if err := s.Execute(t.Context(), whole, Options{Parallel: 1}); err != nil {
				t.Fatal(err)
			}
			interrupted := 0
			for _, stop := range []int{3, 31, 17} {
				ctx, cancel := context.WithCancel(t.Context())
				pool := &worker.Pool{}
				err := s.Execute(ctx, parts, Options{Parallel: 1, Run: func(ctx context.Context, c *config.Config, dir string) error {
					return execute(ctx, c, dir, run.Options{Workers: pool, Progress: func(p run.Progress) {
						if p.Step >= stop {
							cancel()
						}
					}})
				}})
				cancel()
				if err == nil || pool.Close() != nil {
					t.Fatalf("stopped at step %d: no error", stop)
				}
				statuses, err := s.Status(t.Context(), parts)
				if err != nil {
					t.Fatal(err)
				}
				if slices.ContainsFunc(statuses, func(st Status) bool { return st.State == Interrupted && st.Step > 0 }) {
					interrupted++
				}
			}
			if interrupted == 0 {
				t.Fatal("no run was interrupted on its way, so that nothing goes on here")
			}
			if err := s.Execute(t.Context(), parts, Options{Parallel: 2}); err != nil {
				t.Fatal(err)
			}
			resumed := s.RunDirs(parts)
			for i, path := range s.RunDirs(whole) {
				sameBits(t, path, resumed[i])
			}
		})
	}
}

// sameBits compares the histories in two directories.
func sameBits(t *testing.T, want, got string) {
	t.Helper()
	a, err := record.ReadHistory(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := record.ReadHistory(got)
	if err != nil {
		t.Fatal(err)
	}
	same := func(x, y float64) bool {
		return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
	}
	for _, c := range a.Columns {
		if c.Type == record.FloatColumn && !slices.EqualFunc(a.Floats(c.Name), b.Floats(c.Name), same) {
			t.Errorf("%s: column %s differs", got, c.Name)
		}
	}
	if len(a.Rows) != len(b.Rows) {
		t.Errorf("%s has %d rows: want %d", got, len(b.Rows), len(a.Rows))
	}
}
