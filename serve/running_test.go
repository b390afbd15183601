package serve

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ownNotes puts the notes of a test aside.
func ownNotes(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return filepath.Join(dir, "shadowflow")
}

func TestARunKnowsWhichServerShowsIt(t *testing.T) {
	folder := ownNotes(t)
	dir := t.TempDir()
	for _, name := range []string{"runs/one", "elsewhere"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "runs"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s, err := New(filepath.Join(dir, "link"), testToken, nil)
	if err != nil {
		t.Fatal(err)
	}
	withdraw, err := s.Announce("http://127.0.0.1:8077/")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"runs/one": "http://127.0.0.1:8077/?run=one", "link/one": "http://127.0.0.1:8077/?run=one", "runs": "http://127.0.0.1:8077/?run=.", "elsewhere": "", "missing": "",
	} {
		if got := AddressOf(filepath.Join(dir, name), "run"); got != want {
			t.Errorf("%s is at %q, want %q", name, got, want)
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 2 {
		t.Fatalf("%v, %v: want a note and its lock", left, err)
	}
	for _, f := range left {
		path := filepath.Join(folder, f.Name())
		text, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(text), testToken) {
			t.Errorf("%s: %q, %v", f.Name(), text, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: others may read it: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if err := withdraw(); err != nil {
		t.Error(err)
	}
	if got := AddressOf(filepath.Join(dir, "runs/one"), "run"); got != "" {
		t.Errorf("a server that has ended shows %q", got)
	}
}

func TestANoteOfAServerThatWasKilledIsTakenAway(t *testing.T) {
	folder, dir := ownNotes(t), t.TempDir()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"1.json": `{"folder":"` + filepath.ToSlash(root) + `","address":"http://127.0.0.1:1/"}`, "1.lock": ""} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := AddressOf(dir, "run"); got != "" {
		t.Errorf("%q, of which nobody answers", got)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("%v stays, %v", left, err)
	}
}
