package isa

import "testing"

func TestParse(t *testing.T) {
	for _, s := range Available() {
		t.Run(s.String(), func(t *testing.T) {
			got, err := Parse(s.String())
			if err != nil || got != s {
				t.Errorf("Parse(%q) = %v, %v", s, got, err)
			}
		})
	}
	if _, err := Parse("sse"); err == nil {
		t.Error("Parse accepts an instruction set that no kernel is written for")
	}
}
