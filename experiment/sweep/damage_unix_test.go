//go:build unix

package sweep

import (
	"errors"
	"os"
	"path/filepath"
	"shadowflow/experiment/record"
	"strings"
	"syscall"
	"testing"
)

// replaced returns what puts something else in the place of a member's file; of "", in that of its directory.
func replaced(name string, with func(path string) error) func(run string) error {
	return func(run string) error {
		path := filepath.Join(run, name)
		return errors.Join(os.RemoveAll(path), with(path))
	}
}

func text(text string) func(path string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
}

func folder(path string) error { return os.Mkdir(path, 0o755) }

func pipe(path string) error { return syscall.Mkfifo(path, 0o644) }

func TestADamagedMemberIsARowAndStopsNoOther(t *testing.T) {
	whole, s := t.TempDir(), mustParse(t, tiny)
	if err := s.Execute(t.Context(), whole, Options{}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		damage func(run string) error
		want   string
	}{
		"an empty config":                {replaced("config.yaml", text("")), "config.yaml was altered"},
		"another config":                 {replaced("config.yaml", text("steps: 4\n")), "config.yaml was altered"},
		"a config that is none":          {replaced("config.yaml", text("steps: [")), "config.yaml was altered"},
		"no config":                      {replaced("config.yaml", func(string) error { return nil }), "config.yaml is not there"},
		"a folder for a config":          {replaced("config.yaml", folder), "this is a folder"},
		"a pipe for a config":            {replaced("config.yaml", pipe), "this is a named pipe"},
		"a folder for a result":          {replaced("result.json", folder), "this is a folder"},
		"a pipe for a result":            {replaced("result.json", pipe), "this is a named pipe"},
		"a pipe for sums":                {replaced("SHA256SUMS", pipe), "this is a named pipe"},
		"an altered history":             {replaced("history.csv", text("step\n0\n")), "history.csv was altered"},
		"no history":                     {replaced("history.csv", func(string) error { return nil }), "history.csv is not there"},
		"a pipe for a history":           {replaced("history.csv", pipe), "this is a named pipe"},
		"altered columns":                {replaced("columns.csv", text("step\n")), "columns.csv was altered"},
		"a file for a directory":         {replaced("", text("")), "not a directory"},
		"a pipe for a directory":         {replaced("", pipe), "not a directory"},
		"a link to itself":               {replaced("", func(path string) error { return os.Symlink(path, path) }), "too many levels"},
		"a directory for another member": {func(run string) error { return other(whole, run) }, "holds another config"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "sweep")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := c.damage(s.RunDirs(dir)[1]); err != nil {
				t.Fatal(err)
			}
			for _, retry := range []bool{false, true} {
				if err := s.Execute(t.Context(), dir, Options{RetryFailed: retry}); err != nil {
					t.Fatal(err)
				}
				if st := states(t, s, dir, Ended, Failed); !strings.Contains(st[1].Reason, c.want) || st[1].Result != nil {
					t.Errorf("reason %q, want %q", st[1].Reason, c.want)
				}
			}
			_ = s.RunOne(t.Context(), dir, 1, Options{}) // which looks at no history, and may take it to have ended
			states(t, s, dir, Ended, Failed)
			table, err := s.Table(t.Context(), dir)
			if err != nil || len(table.Rows) != 2 {
				t.Fatalf("%+v, %v", table, err)
			}
			status, reason, loss := table.Index("status"), table.Index("reason"), table.Index("loss")
			if row := table.Rows[1]; row[status].String() != "failed" || !strings.Contains(row[reason].String(), c.want) || row[loss].Measured() {
				t.Errorf("row %v", row)
			}
			if row := table.Rows[0]; row[status].String() != "finished" || !row[loss].Measured() {
				t.Errorf("row of the whole one %v", row)
			}
			if _, err := s.Plan(t.Context(), dir, PlanOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// other puts the first member in the place of another.
func other(whole, run string) error {
	entries, err := os.ReadDir(filepath.Join(whole, record.SweepRuns))
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(run), os.CopyFS(run, os.DirFS(filepath.Join(whole, record.SweepRuns, entries[0].Name()))))
}
