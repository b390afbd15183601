package memory

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestSizesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{5: "5 B", 3 << 20: "3 MiB", 1 << 50: "1024 TiB", 1010 << 20: "1010 MiB", 999 << 20: "999 MiB", -1: "more than 8 EiB"} {
		t.Run(want, func(t *testing.T) {
			if got := Format(n); got != want {
				t.Errorf("%d: %s, want %s", n, got, want)
			}
		})
	}
}

func TestSizesOfMemoryAreRead(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "8GiB": 8 << 30, "1.5 MB": 1_500_000, "100": 100, "2TiB": 2 << 40} {
		t.Run(text, func(t *testing.T) {
			if got, err := Parse(text); err != nil || got != want {
				t.Errorf("%q: %d, %v; want %d", text, got, err, want)
			}
		})
	}
	for _, text := range []string{"many", "-1GiB", "0", "1e30GiB", "GiB"} {
		t.Run(text, func(t *testing.T) {
			if got, err := Parse(text); err == nil {
				t.Errorf("%q is %d bytes", text, got)
			}
		})
	}
}

func TestMoreThanThereIsIsRefused(t *testing.T) {
	if err := Check(1 << 20); err != nil {
		t.Errorf("a megabyte: %v", err)
	}
	if Available() == 0 {
		t.Skip("the system does not say what is available")
	}
	for _, need := range []int64{math.MaxInt64, -1} {
		t.Run(fmt.Sprintf("%d bytes", need), func(t *testing.T) {
			if err := Check(need); err == nil || !strings.Contains(err.Error(), "are left") {
				t.Error(err)
			}
		})
	}
}
