package safetensors

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestACheckpointWithAnyBitOfItsArraysFlippedIsRefused(t *testing.T) {
	var b bytes.Buffer
	if err := WriteSummed(&b, sample, map[string]string{CheckpointVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "c.safetensors")
	read := func(data []byte) error {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadFile(path)
		return err
	}
	if err := read(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	const arrays = 6*4 + 2*8 + 8
	for at := b.Len() - arrays; at < b.Len(); at++ {
		data := bytes.Clone(b.Bytes())
		data[at] ^= 1 << (at % 8)
		if err := read(data); !errors.Is(err, ErrSum) || !strings.Contains(err.Error(), path) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

func TestTheMetadataOfOtherProgramsAreTheirs(t *testing.T) {
	for name, metadata := range map[string]map[string]string{
		"a sum of something else": {Sum: strings.Repeat("a", 64)},
		"a short sum":             {Sum: "12"},
		"a version without a sum": {CheckpointVersion: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "w.safetensors")
			if err := WriteFile(path, sample, metadata); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadFile(path); err != nil {
				t.Error(err)
			}
		})
	}
}
