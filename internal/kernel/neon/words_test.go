package neon

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// listing has every form with a few registers, each bit of a register's number set in some and clear in others.
func listing() string {
	var b strings.Builder
	for _, opcode := range slices.Sorted(maps.Keys(forms)) {
		for _, r := range [][3]int{{0, 0, 0}, {1, 2, 4}, {8, 16, 31}, {31, 21, 10}, {10, 31, 21}} {
			f := forms[opcode]
			word, text := f.encode(r[0], r[1:1+f.operands()]...)
			fmt.Fprintf(&b, "%08x\t%s\n", word, text)
		}
	}
	return b.String()
}

// The file is what binutils' assembler makes of the listing's texts; testdata/encodings.sh asks it, by way
// of a file that LISTING names.
func TestWordsAreWhatAnotherAssemblerSays(t *testing.T) {
	if name := os.Getenv("LISTING"); name != "" {
		if err := os.WriteFile(name, []byte(listing()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile("testdata/encodings.txt")
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(listing(), "\n"), strings.Split(string(golden), "\n")
	if len(got) != len(want) {
		t.Fatalf("the listing has %d lines, testdata/encodings.txt %d: run testdata/encodings.sh", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("line %d: %s, want %s", i+1, got[i], want[i])
		}
	}
}
