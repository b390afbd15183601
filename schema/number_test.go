package schema

import (
	"strings"
	"testing"
)

func TestNumbersThatFloat64HasNotAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"1e400": "beyond the largest", "-1e400": "beyond the largest", "2e-400": "below the smallest", "0x1p-2000": "below the smallest",
		"nan": "expected a finite number, got nan", "-inf": "expected a finite number", "": "expected a finite number", "1,5": "expected a finite number, got 1,5",
	} {
		t.Run(text, func(t *testing.T) {
			if x, err := ParseNumber(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%g, %v; want %q", x, err, want)
			}
		})
	}
	for text, want := range map[string]float64{"0e-400": 0, "-0.0": 0, "1e-3": 1e-3, "4.9e-324": 5e-324} {
		t.Run(text, func(t *testing.T) {
			if x, err := ParseNumber(text); err != nil || x != want {
				t.Errorf("%g, %v; want %g", x, err, want)
			}
		})
	}
}
