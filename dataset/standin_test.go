package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatStandsInThePlaceOfDataIsNamed gives what lies where data should: a pointer whose file was not fetched, and a server's error.
func TestWhatStandsInThePlaceOfDataIsNamed(t *testing.T) {
	const (
		pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
		page    = "<!DOCTYPE html>\n<html><body>404, there is nothing here</body></html>\n"
	)
	const lfs, html = ": this is a Git LFS pointer, which stands for a file that was not downloaded: `git lfs pull` fetches it", "page of HTML"
	for name, c := range map[string]struct {
		file, content, want string
		spec                Spec
	}{
		"text, a pointer":             {"a.txt", pointer, lfs, Spec{Name: NameText}},
		"table, a pointer":            {"a.csv", pointer, lfs, Spec{Name: NameCSV, Target: []string{"y"}}},
		"table, a page":               {"a.csv", page, html, Spec{Name: NameCSV, Target: []string{"y"}}},
		"archive of CIFAR, a pointer": {"cifar-10-binary.tar.gz", pointer, lfs, Spec{Name: NameCIFAR10}},
		"archive of CIFAR, a page":    {"cifar-10-binary.tar.gz", page, html, Spec{Name: NameCIFAR10}},
		"IDX, a pointer":              {"images-idx3", pointer, lfs, Spec{Name: NameIDX}},
		"an image, a pointer":         {"folders", pointer, lfs, Spec{Name: NameImages, Size: 8}},
		"NPZ, a pointer":              {"a.npz", pointer, lfs, Spec{Name: NameNPZ}},
		"NPZ, a page":                 {"a.npz", page, html, Spec{Name: NameNPZ}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			spec := DefaultSpec()
			spec.Name, spec.Target, spec.Path = c.spec.Name, c.spec.Target, path
			file := path
			switch c.spec.Name {
			case NameIDX:
				spec.Path, spec.TrainImages, spec.TrainLabels = "", path, path
			case NameImages:
				spec.Size, file = c.spec.Size, filepath.Join(path, "cat", "a.png")
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(t.Context(), spec); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nshould say %q", err, c.want)
			}
		})
	}
}
