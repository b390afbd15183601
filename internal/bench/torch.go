package bench

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

//go:embed works.py
var torchScript string

// Torch runs the same works in PyTorch with the given interpreter and returns its times in seconds, by name. It runs them with the
// environment as it is and without its OPENBLAS_* variables, and takes the faster. Works that the script does not know are left
// out. An empty interpreter stands for the first python3 that has a torch module. An error says what is missing.
func Torch(ctx context.Context, python string, only func(name string) bool) (map[string]float64, error) {
	var names []string
	for _, w := range Works() {
		if strings.Contains(torchScript, `"`+w.Name+`":`) && (only == nil || only(w.Name)) {
			names = append(names, w.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	if python == "" {
		var err error
		if python, err = withTorch(ctx); err != nil {
			return nil, err
		}
	}
	best := map[string]float64{}
	for _, env := range [][]string{os.Environ(), withoutBLAS(os.Environ())} {
		cmd := exec.CommandContext(ctx, python, append([]string{"-c", torchScript}, names...)...)
		cmd.Env = env
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s with PyTorch: %w: %s", python, err, lastLine(stderr.String()))
		}
		var times map[string]float64
		if err := json.Unmarshal(out, &times); err != nil {
			return nil, fmt.Errorf("%s with PyTorch: %w", python, err)
		}
		for name, t := range times {
			if old, ok := best[name]; !ok || t < old {
				best[name] = t
			}
		}
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
