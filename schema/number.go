package schema

import (
	"errors"
	"fmt"
	"math"
	"shadowflow/internal/visible"
	"strconv"
	"strings"
)

// ParseNumber reads a finite number, like 1e-3. The error says in words what is wrong: it is none, or float64 has none so large, or none so
// small but 0.
func ParseNumber(text string) (float64, error) {
	x, beyond, ok := parseNumber(text)
	switch {
	case !ok || math.IsInf(x, 0) || math.IsNaN(x):
		return 0, fmt.Errorf("expected a finite number, got %s", visible.Name(text))
	case beyond != "":
		return 0, errors.New(beyond)
	}
	return x, nil
}

// Beyond says why float64 has no number like that of a text; it is empty where it has, and where the text is no number.
func Beyond(text string) string {
	_, beyond, _ := parseNumber(text)
	return beyond
}

// parseNumber reads a number; beyond says that float64 has none like it.
func parseNumber(text string) (x float64, beyond string, ok bool) {
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, visible.Name(text) + " is beyond the largest number, 1.8e308", true
	case err != nil:
		return 0, "", false
	case x == 0 && strings.ContainsAny(mantissa(text), "123456789abcdefABCDEF"):
		return 0, visible.Name(text) + " is below the smallest number above 0, 4.9e-324; write 0 if that is meant", true
	}
	return x, "", true
}

// mantissa returns the digits of a number that ParseFloat can read, without its exponent.
func mantissa(text string) string {
	text = strings.ToLower(strings.TrimLeft(text, "+-"))
	exponent := "e"
	if hex, ok := strings.CutPrefix(text, "0x"); ok {
		text, exponent = hex, "p"
	}
	digits, _, _ := strings.Cut(text, exponent)
	return digits
}
