package userfile

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestFilesAreNamedByTheirFirstBytes(t *testing.T) {
	for head, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:00": ": this is a Git LFS pointer",
		"PK\x03\x04\x14":                         ": this is a zip archive",
		"RIFF\x10\x00\x00\x00WEBPVP8 ":           ": this is a WebP image",
		"GIF89a":                                 ": this is a GIF image",
		"II*\x00\x08":                            ": this is a TIFF image",
		"BM\x36\x00\x00\x00\x00\x00\x00\x00\x36": ": this is a BMP image",
		`{"metadata": {"total_size": 5}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}`: ": this is the index of a model in several files",
		" {\"a\": 1}":             ": this is JSON",
		"\x08\x0a\x12\x07pytorch": ": this is ONNX",
		"BMI,age,y\n1,2,3\n":      "",
		"a,b,c\n1,2,3\n":          "",
		"":                        "",
	} {
		t.Run(want, func(t *testing.T) {
			if got := Explain(bytes.NewReader([]byte(head))); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("%q is %q, want %q", head, got, want)
			}
		})
	}
}

func TestTextIsNamedWhereNoneWasWanted(t *testing.T) {
	for head, want := range map[string]string{
		"the weights are in the other folder\n": ": this is text", "a,b\n1,2\n": ": this is text", "\x10\x00\x00\x00\x00\x00\x00\x00{}": "", "\xff\xfe": "", "": "", "{}": ": this is JSON",
		"name" + strings.Repeat("\x00", 253) + "ustar\x0000": ": this is a tar archive",
	} {
		if got := ExplainBinary(strings.NewReader(head)); got != want {
			t.Errorf("%q is %q, want %q", head, got, want)
		}
	}
}

func TestAPointerIsNoFileWhateverItIsReadAs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	if err := os.WriteFile(path, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := path + ": this is a Git LFS pointer, which stands for a file that was not downloaded: `git lfs pull` fetches it"
	_, err := ReadAll(path)
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestAFileTakesNoMoreMemoryThanItHas(t *testing.T) {
	path, size := filepath.Join(t.TempDir(), "file"), 8<<20
	if err := os.WriteFile(path, bytes.Repeat([]byte("0123456\n"), size/8), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	data, err := ReadAll(path)
	runtime.ReadMemStats(&after)
	if err != nil || len(data) != size || !bytes.HasSuffix(data, []byte("6\n")) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if took := int(after.TotalAlloc - before.TotalAlloc); took > size+1<<20 {
		t.Errorf("it took %d bytes for %d", took, size)
	}
}
