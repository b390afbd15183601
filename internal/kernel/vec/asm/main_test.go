package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCommittedFilesAreWhatTheGeneratorWrites(t *testing.T) {
	dir := t.TempDir()
	for _, target := range targets() {
		if err := generate(dir, target); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 9 {
		t.Fatalf("the generator wrote %v (%v), want nine files", names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			got, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			committed, err := os.ReadFile(filepath.Join("..", filepath.Base(name)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, committed) {
				t.Error("run go generate in package vec")
			}
		})
	}
}

// On Intel an instruction of SSE between those of AVX waits for the register whose upper part it keeps, or saves all of them. The search
// of a window's maximum held one, and took 40% of a network's gradient there.
func TestKernelsOfAVXHoldNoInstructionOfSSE(t *testing.T) {
	vector := regexp.MustCompile(`\b[XYZ][0-9]+\b`)
	for _, pattern := range []string{"../kernels_avx*_amd64.s", "../../gemm/avx*_amd64.s"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) != 2 {
			t.Fatalf("%s: %v (%v), want two files", pattern, names, err)
		}
		for _, name := range names {
			t.Run(filepath.Base(name), func(t *testing.T) {
				src, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(string(src)) {
					instruction, operands, _ := strings.Cut(strings.TrimSpace(line), " ")
					if vector.MatchString(operands) && !strings.HasPrefix(instruction, "V") && !strings.HasPrefix(instruction, "K") {
						t.Errorf("%s", line)
					}
				}
			})
		}
	}
}
