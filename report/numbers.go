package report

import (
	"math"
	"strconv"
	"strings"

	"shadowflow/internal/plural"
)

// tickLabel writes a number on an axis whose labels lie step apart.
func tickLabel(v, step float64) string {
	if v == 0 {
		return "0"
	}
	if a := math.Abs(v); a >= 1e5 || a < 1e-3 {
		digits := max(0, int(math.Floor(math.Log10(a))-math.Floor(math.Log10(step)+1e-9)))
		s := strconv.FormatFloat(v, 'e', digits, 64)
		mantissa, exponent, _ := strings.Cut(s, "e")
		e, err := strconv.Atoi(exponent)
		if err != nil {
			return s
		}
		return mantissa + "e" + strconv.Itoa(e)
	}
	decimals := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// number writes a number in a sentence, to three digits.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "not a number"
	case v == math.Trunc(v) && a < 1e6:
		return plural.Grouped(int(v))
	case a >= 1e6 || a < 1e-3:
		s := strconv.FormatFloat(v, 'e', 2, 64)
		return strings.Replace(strings.Replace(s, "e-0", "e-", 1), "e+0", "e", 1)
	case a >= 100:
		return plural.Grouped(int(math.Round(v)))
	default:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
}

// percent writes a share; one that is not 0 is not written as if it were.
func percent(v float64) string {
	digits := 1
	if a := math.Abs(v); a != 0 && a < 5e-5 || a >= 10 {
		return number(100*v) + "%"
	}
	if a := math.Abs(v); a != 0 && a < 0.001 || a > 0.999 && a < 1 {
		digits = 2
	}
	return strconv.FormatFloat(100*v, 'f', digits, 64) + "%"
}

// finite reports whether a number is one.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
