package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASweepIsExportedAsOneLogDirectory(t *testing.T) {
	path, dir := sweepFile(t, tiny)
	printed(t, "sweep", "run-one", path, "1", "--out", dir)
	printed(t, "sweep", "run-one", path, "2", "--out", dir)
	for _, out := range []string{"", filepath.Join(t.TempDir(), "logs")} {
		t.Run(out, func(t *testing.T) {
			args := []string{"export", dir, "--format", "tensorboard"}
			want := filepath.Join(dir, "tensorboard")
			if out != "" {
				args, want = append(args, "--out", out), out
			}
			stdout, stderr, code := shadowflow(args...)
			if code != exitDone || strings.TrimSpace(stdout) != want || !strings.Contains(stderr, "no history yet: 2 of 4 runs") {
				t.Errorf("%d: %q, %q", code, stdout, stderr)
			}
			files, err := filepath.Glob(filepath.Join(want, "*", "events.out.tfevents.*"))
			if err != nil || len(files) != 2 {
				t.Fatalf("%v, %v", files, err)
			}
			for i, file := range files {
				member := filepath.Base(filepath.Dir(file))
				if _, err := os.Stat(filepath.Join(dir, "runs", member, "history.csv")); err != nil || !strings.HasPrefix(member, []string{"0001-", "0002-"}[i]) {
					t.Errorf("%s: %v", file, err)
				}
			}
			if _, stderr, code := shadowflow(args...); code != exitFailed || !strings.Contains(stderr, "is there already") {
				t.Errorf("%d: %q", code, stderr)
			}
			printed(t, append(args, "--force")...)
		})
	}
	histories, err := filepath.Glob(filepath.Join(dir, "runs", "*", "history.csv"))
	if err != nil || len(histories) != 2 {
		t.Fatalf("%v, %v", histories, err)
	}
	if err := os.WriteFile(histories[0], []byte("step\nx\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(t.TempDir(), "logs")
	stdout, stderr, code := shadowflow("export", dir, "--format", "tensorboard", "--out", logs)
	files, err := filepath.Glob(filepath.Join(logs, "*", "events.out.tfevents.*"))
	if code != exitFailed || strings.TrimSpace(stdout) != logs || !strings.Contains(stderr, histories[0]) || err != nil || len(files) != 1 {
		t.Errorf("with a damaged member: %d, %q, %q; %v", code, stdout, stderr, files)
	}
	path, dir = sweepFile(t, tiny)
	printed(t, "sweep", "plan", path, "--out", dir, "--probe", "0")
	if _, stderr, code := shadowflow("export", dir, "--format", "tensorboard"); code != exitFailed || !strings.Contains(stderr, dir) {
		t.Errorf("a sweep that was not begun: %d, %q", code, stderr)
	}
}
