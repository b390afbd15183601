//go:build unix

package userfile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFilesAloneAreOpened(t *testing.T) {
	dir := t.TempDir()
	pipe, link, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "a named pipe", link: "a device", dir: "a folder", filepath.Join(dir, "none"): "no such file"} {
		t.Run(want, func(t *testing.T) {
			if f, _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, %v; want %s", f, err, want)
			}
		})
	}
	f, size, err := Open(file)
	if err != nil || size != 5 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	f.Close()
}

func TestNoNameLeadsOutOfAFolder(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	secret, file := filepath.Join(dir, "secret"), filepath.Join(folder, "file")
	if err := os.MkdirAll(filepath.Join(folder, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{secret, file} {
		if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "pointer"), []byte("version https://git-lfs.github.com/spec/v1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"out": "../secret", "absolute": secret, "round": "sub/../file"} {
		if err := os.Symlink(to, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	for name, want := range map[string]string{"../secret": "escapes", secret: "escapes", "out": "escapes", "absolute": "escapes", "sub/../../secret": "escapes",
		"pipe": "a named pipe", "sub": "a folder", "none": "none: no such file", "pointer": "a Git LFS pointer"} {
		if f, _, err := OpenIn(folder, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %s", name, f, err, want)
		}
	}
	for _, name := range []string{"file", "round"} {
		f, size, err := OpenIn(folder, name)
		if err != nil || size != 5 {
			t.Errorf("%s: %d bytes, %v", name, size, err)
			continue
		}
		f.Close()
	}
}
