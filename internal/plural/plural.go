// Package plural writes numbers of things as they are read.
package plural

import (
	"strconv"
	"strings"
)

// Of writes n with what it counts, a noun in the singular: 1 step, 2 steps, 1,297 examples, 0 mini-batches.
func Of(n int, noun string) string { return Grouped(n) + " " + Noun(n, noun) }

// Noun returns what n things of a kind are called.
func Noun(n int, noun string) string {
	switch {
	case n == 1:
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
