package schema

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Format writes a value as YAML on one line: one of a key's Go type, or a setting's.
func Format(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return formatText(v)
	case numeral:
		return v.text
	case float64:
		return formatFloat(v)
	case []Setting:
		items := make([]string, len(v))
		for i, s := range v {
			items[i] = s.Key + ": " + Format(s.Value)
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	if list, ok := listOf(value); ok {
		items := make([]string, len(list))
		for i, v := range list {
			items[i] = Format(v)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(value)
}

// formatFloat keeps all bits, in a form that readers of YAML 1.1 take for a number
// as well: they want a point before an exponent.
func formatFloat(x float64) string {
	s := strconv.FormatFloat(x, 'g', -1, 64)
	mantissa, exponent, ok := strings.Cut(s, "e")
	if ok && !strings.Contains(mantissa, ".") {
		return mantissa + ".0e" + exponent
	}
	return s
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z_./][A-Za-z0-9_./-]*$`)
	reserved  = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null|nan|inf|infinity|[.].*|_.*)$`)
)

// formatText writes a text plain if no reader can take it for anything else, and
// in quotes otherwise.
func formatText(s string) string {
	if plainText.MatchString(s) && !reserved.MatchString(s) {
		return s
	}
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return strconv.Quote(s)
}
