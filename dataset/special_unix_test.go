//go:build unix

package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is no file is neither waited for nor read without end, whichever file of a format it stands for.
func TestNeitherPipesNorDevicesAreRead(t *testing.T) {
	dir := t.TempDir()
	pipe, device := filepath.Join(dir, "pipe"), filepath.Join(dir, "device")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("/dev/zero", device); err != nil {
		t.Fatal(err)
	}
	within := func(target string, names ...string) string {
		at := filepath.Join(append([]string{t.TempDir()}, names...)...)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, at); err != nil {
			t.Fatal(err)
		}
		for range names {
			at = filepath.Dir(at)
		}
		return at
	}
	for what, path := range map[string]string{"a named pipe": pipe, "a device": device} {
		for name, spec := range map[string]Spec{
			"text": {Name: NameText, Path: path}, "csv": {Name: NameCSV, Path: path, Target: []string{"a"}}, "npz": {Name: NameNPZ, Path: path},
			"idx": {Name: NameIDX, TrainImages: path, TrainLabels: path}, "cifar archive": {Name: NameCIFAR10, Path: path},
			"cifar folder":       {Name: NameCIFAR10, Path: within(path, "data_batch_1.bin")},
			"cifar folder's tar": {Name: NameCIFAR10, Path: within(path, "cifar-10-binary.tar.gz")},
			"images":             {Name: NameImages, Path: within(path, "class", "a.png"), Size: 8},
		} {
			t.Run(name+" from "+what, func(t *testing.T) {
				if _, err := Load(t.Context(), spec); err == nil || !strings.Contains(err.Error(), what) {
					t.Errorf("error %v, want that it is %s", err, what)
				}
			})
		}
	}
	for name, target := range map[string]string{"expected only .jpg": "..", "too many levels": "a.png"} {
		t.Run(name, func(t *testing.T) {
			spec := Spec{Name: NameImages, Path: within(target, "class", "a.png"), Size: 8}
			if name == "expected only .jpg" {
				spec.Path = within(target, "class", "a")
			}
			if _, err := Load(t.Context(), spec); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
		})
	}
}
