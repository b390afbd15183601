package cli

import (
	"testing"

	"shadowflow/internal/bench"
)

func TestAWorkOfMinutesIsMeasuredWhereItIsAskedFor(t *testing.T) {
	measured := func(keep func(string) bool, name string) bool {
		for _, w := range bench.Works() {
			if w.Name == name {
				return bench.Options{Only: keep}.Chooses(w)
			}
		}
		t.Fatalf("no work %s", name)
		return false
	}
	for only, want := range map[string]bool{"": false, "cnn-top": true, "cnn": true, "gpt": false} {
		keep, n, err := worksMatching(only)
		if err != nil || n == 0 || measured(keep, "cnn-top-10") != want {
			t.Errorf("--only %q: %t of %d works, %v; want %t", only, !want, n, err, want)
		}
	}
	if keep, _, _ := worksMatching(""); !measured(keep, "cnn-gradient") {
		t.Error("without --only a gradient is left out")
	}
}
