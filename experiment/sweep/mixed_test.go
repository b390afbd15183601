package sweep

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/internal/version"
	"shadowflow/schema"
)

// mixable is a sweep of real runs that read a table, weights and a schedule.
func mixable(t *testing.T) (s *Sweep, files string) {
	t.Helper()
	files = t.TempDir()
	write(t, filepath.Join(files, "t.csv"), "a,y\n1,1\n2,2\n3,4\n5,1\n")
	write(t, filepath.Join(files, "lr.txt"), "1\n0.5\n")
	data := "loss: mse, data: {name: csv, path: " + schema.Format(filepath.Join(files, "t.csv")) + ", target: [y], test_fraction: 0}, "
	rest := "model: {hidden: [2]}, record: {every: 1, bias: 0, sharpness: 0, test: 0}"
	made, dir := mustParse(t, "base: {"+data+rest+"}\ngrid: {steps: [1, 2]}\n"), filepath.Join(files, "weights")
	if err := made.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"w.safetensors", "other.safetensors"} {
		copyFile(t, filepath.Join(made.RunDirs(dir)[i], "weights.safetensors"), filepath.Join(files, name))
	}
	rest = strings.Replace(rest, "hidden: [2]", "hidden: [2], weights: "+schema.Format(filepath.Join(files, "w.safetensors")), 1)
	return mustParse(t, "base: {steps: 3, schedule: {shape: file, path: "+schema.Format(filepath.Join(files, "lr.txt"))+"}, "+data+rest+"}\n"+
		"grid: {optimizer.beta2: [0.9, 0.99]}\nseeds: 2\n"), files
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(data))
}

func TestASweepIsNotContinuedWithSomethingElse(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(t *testing.T, first, files string)
	}{
		{"other examples", "data: the contents of FILES/t.csv changed (SHA-256 ", func(t *testing.T, _, files string) {
			write(t, filepath.Join(files, "t.csv"), "a,y\n7,1\n2,2\n3,4\n5,1\n")
		}},
		{"other weights", "model.weights: the contents of FILES/w.safetensors changed (SHA-256 ", func(t *testing.T, _, files string) {
			copyFile(t, filepath.Join(files, "other.safetensors"), filepath.Join(files, "w.safetensors"))
		}},
		{"other sizes of steps", "schedule: the contents of FILES/lr.txt changed (SHA-256 ", func(t *testing.T, _, files string) {
			write(t, filepath.Join(files, "lr.txt"), "1\n0.25\n")
		}},
		{"another program", "the program: build was commit 1234", func(t *testing.T, first, _ string) {
			if err := record.WriteVersion(first, version.Program{Version: version.Current().Version, Commit: "1234", Go: version.Current().Go,
				System: version.Current().System, Instructions: version.Current().Instructions}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, files := mixable(t)
			dir := t.TempDir()
			if err := s.RunOne(t.Context(), dir, 0, Options{}); err != nil {
				t.Fatal(err)
			}
			c.change(t, s.RunDirs(dir)[0], files)
			for name, call := range map[string]func(Options) error{
				"all": func(o Options) error { return s.Execute(t.Context(), dir, o) },
				"one": func(o Options) error { return s.RunOne(t.Context(), dir, 3, o) },
			} {
				err := call(Options{})
				var changed *run.ChangedError
				if want := strings.ReplaceAll(c.want, "FILES", files); !errors.As(err, &changed) || !strings.Contains(err.Error(), want) ||
					!strings.Contains(err.Error(), s.RunDirs(dir)[0]) || !strings.Contains(err.Error(), "--accept-changed") {
					t.Errorf("%s: want %q, got %v", name, want, err)
				}
			}
			states(t, s, dir, Ended, Pending, Pending, Pending)
			if err := s.Execute(t.Context(), dir, Options{AcceptChanged: true}); err != nil {
				t.Fatal(err)
			}
			for i, st := range states(t, s, dir, Ended, Ended, Ended, Ended) {
				if got := len(st.Result.Changed); i == 0 && got != 0 || i > 0 && got != 1 {
					t.Errorf("run %d says of changes %q", i, st.Result.Changed)
				}
			}
			table, err := s.Table(t.Context(), dir)
			if err != nil || !strings.Contains(table.Rows[3][table.Index("changed")].String(), "unlike earlier runs of the sweep: ") {
				t.Errorf("the table does not say that run 3 is of something else: %v", err)
			}
		})
	}
}

func TestASweepIsContinuedWithTheSameElsewhere(t *testing.T) {
	s, files := mixable(t)
	dir := t.TempDir()
	if err := s.RunOne(t.Context(), dir, 0, Options{}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(files, "t.csv"), "a,y\n1.0,1\n2.0,2\n3.0,4\n5.0,1\n") // the same numbers, another file
	if err := s.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	states(t, s, dir, Ended, Ended, Ended, Ended)
}

func TestOneRunIsComparedByTheResultsOfOthersAlone(t *testing.T) {
	s, files := mixable(t)
	dir := t.TempDir()
	if err := s.RunOne(t.Context(), dir, 0, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(record.ConfigPath(s.RunDirs(dir)[0])); err != nil { // which is not read
		t.Fatal(err)
	}
	write(t, filepath.Join(files, "t.csv"), "a,y\n7,1\n2,2\n3,4\n5,1\n")
	var changed *run.ChangedError
	if err := s.RunOne(t.Context(), dir, 3, Options{}); !errors.As(err, &changed) {
		t.Errorf("got %v", err)
	}
}

func TestDataThatChangesWhileASweepGoesOnIsNotMixed(t *testing.T) {
	s, files := mixable(t)
	dir := t.TempDir()
	err := s.Execute(t.Context(), dir, Options{Parallel: 1, Progress: func(e Event) {
		if e.Done {
			write(t, filepath.Join(files, "t.csv"), "a,y\n7,1\n2,2\n3,4\n5,1\n")
		}
	}})
	var changed *run.ChangedError
	if !errors.As(err, &changed) {
		t.Errorf("got %v", err)
	}
	states(t, s, dir, Ended, Pending, Pending, Pending)
}

func states(t *testing.T, s *Sweep, dir string, want ...State) []Status {
	t.Helper()
	statuses, err := s.Status(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range statuses {
		if st.State != want[i] {
			t.Errorf("run %d is %s (%s), want %s", i, st.State, st.Reason, want[i])
		}
	}
	return statuses
}
