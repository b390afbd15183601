package bench

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
)

//go:embed works.py
var torchScript string

// Torch is an interpreter with PyTorch.
type Torch struct{ python string }

// NewTorch returns PyTorch in the given interpreter. An empty one stands for the first python3 that has a torch module. The error
// says what is missing.
func NewTorch(ctx context.Context, python string) (*Torch, error) {
	if python == "" {
		var err error
		if python, err = withTorch(ctx); err != nil {
			return nil, err
		}
	}
	return &Torch{python}, nil
}

// Seconds runs a work in PyTorch with the environment as it is and without its OPENBLAS_* variables, and returns the time of the
// fastest run. It is zero for works that are not there to compare.
func (t *Torch) Seconds(ctx context.Context, work string) (float64, error) {
	if !strings.Contains(torchScript, `"`+work+`":`) {
		return 0, nil
	}
	best := math.Inf(1)
	for _, env := range [][]string{os.Environ(), withoutBLAS(os.Environ())} {
		cmd := exec.CommandContext(ctx, t.python, "-c", torchScript, work)
		cmd.Env = env
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("%s with PyTorch: %w: %s", t.python, err, lastLine(stderr.String()))
		}
		var times map[string]float64
		if err := json.Unmarshal(out, &times); err != nil {
			return 0, fmt.Errorf("%s with PyTorch: %w", t.python, err)
		}
		best = min(best, times[work])
	}
	return best, nil
}

// withTorch returns an interpreter that has PyTorch: the python3 of the path, or the system's own.
func withTorch(ctx context.Context) (string, error) {
	candidates := []string{"python3", "/usr/bin/python3"}
	for _, python := range candidates {
		if exec.CommandContext(ctx, python, "-c", "import torch").Run() == nil {
			return python, nil
		}
	}
	return "", fmt.Errorf("no PyTorch in any of %s: install it (Debian: python3-torch), or name an interpreter that has it", strings.Join(candidates, ", "))
}

func withoutBLAS(env []string) []string {
	var out []string
	for _, v := range env {
		if !strings.HasPrefix(v, "OPENBLAS_") {
			out = append(out, v)
		}
	}
	return out
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
