// Package plural writes numbers of things as they are read.
package plural

import (
	"fmt"
	"strconv"
	"strings"
)

// Of writes n with what it counts, a noun in the singular: 1 step, 2 steps, 1,297 examples, 0 mini-batches.
func Of(n int, noun string) string { return Grouped(n) + " " + Noun(n, noun) }

// Count is Of without commas: beside numbers as files and settings have them.
func Count[N int | int64 | uint32 | uint64](n N, noun string) string {
	return fmt.Sprint(n) + " " + nounOf(n == 1, noun)
}

// Noun returns what n things of a kind are called.
func Noun(n int, noun string) string { return nounOf(n == 1, noun) }

func nounOf(one bool, noun string) string {
	switch {
	case one:
		return noun
	case strings.HasSuffix(noun, "ch") || strings.HasSuffix(noun, "s") || strings.HasSuffix(noun, "x"):
		return noun + "es"
	}
	return noun + "s"
}

// Grouped writes a whole number with commas.
func Grouped(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
