package userfile

import (
	"bytes"
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

func TestFilesAreNamedByTheirFirstBytes(t *testing.T) {
	for head, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:00": ": this is a Git LFS pointer",
		"PK\x03\x04\x14":               ": this is a zip archive",
		"RIFF\x10\x00\x00\x00WEBPVP8 ": ": this is a WebP image",
		"GIF89a":                       ": this is a GIF image",
		"II*\x00\x08":                  ": this is a TIFF image",
		"a,b,c\n1,2,3\n":               "",
		"":                             "",
	} {
		t.Run(want, func(t *testing.T) {
			if got := Explain(bytes.NewReader([]byte(head))); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("%q is %q, want %q", head, got, want)
			}
		})
	}
}
