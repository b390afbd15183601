package cli

import (
	"strings"
	"testing"
)

func TestModelShowSaysWhichNamesAndTiesAreTheFiles(t *testing.T) {
	for name, want := range map[string][]string{
		"lost":     {"first.weight", "val_7 in the file, transposed\n", ", likely 2 weights made one\n", "made up the names of"},
		"language": {", tied: read by 2 operators\n"},
	} {
		args := []string{"model", "show", "../../nn/imported/testdata/" + name + ".onnx"}
		if name == "language" {
			args = append(args, "--input", "7")
		}
		out := printed(t, args...)
		for _, part := range want {
			if !strings.Contains(out, part) {
				t.Errorf("%s: %q is not in\n%s", name, part, out)
			}
		}
	}
}
