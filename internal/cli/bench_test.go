package cli

import "testing"

func TestAWorkOfMinutesIsMeasuredWhereItIsAskedFor(t *testing.T) {
	for only, want := range map[string]bool{"": false, "cnn-top": true, "cnn": true, "gpt": false} {
		keep, n, err := worksMatching(only)
		if err != nil || n == 0 || keep("cnn-top-10") != want {
			t.Errorf("--only %q: %t of %d works, %v; want %t", only, keep("cnn-top-10"), n, err, want)
		}
	}
	if keep, _, _ := worksMatching(""); !keep("cnn-gradient") {
		t.Error("without --only a gradient is left out")
	}
}
