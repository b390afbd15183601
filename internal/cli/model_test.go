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

func TestFlopsAreWrittenInTheUnitThatFits(t *testing.T) {
	for n, want := range map[int64]string{0: "0 FLOP", 999: "999 FLOP", 1000: "1 kFLOP", 999_600: "1 MFLOP", 48_598_155_264: "48.6 GFLOP", 2_320_000_000_000: "2.32 TFLOP"} {
		if got := flops(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
