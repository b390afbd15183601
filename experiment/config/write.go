package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// YAML returns the config as resolved: every key that has a meaning in it, with its
// value. Parse makes the same Config of it.
func (c *Config) YAML() []byte { return c.write(func(*field) bool { return true }) }

// Hash returns a name for what the run computes: equal configs have equal hashes,
// and so have configs that differ only in what cannot change the results.
func (c *Config) Hash() string {
	sum := sha256.Sum256(c.write(func(f *field) bool { return !f.unhashed }))
	return hex.EncodeToString(sum[:16])
}

func (c *Config) write(wanted func(*field) bool) []byte {
	s := newSchema()
	var b bytes.Buffer
	section := ""
	for _, f := range s.fields {
		v := f.value(c)
		if !wanted(f) || !s.used(f, c) || f.omitEmpty && v.IsZero() {
			continue
		}
		if f.section != section && f.section != "" {
			fmt.Fprintf(&b, "%s:\n", f.section)
		}
		section = f.section
		if section != "" {
			b.WriteString("  ")
		}
		fmt.Fprintf(&b, "%s: %s\n", f.name, formatValue(v))
	}
	return b.Bytes()
}

// formatValue writes a value as YAML on one line.
func formatValue(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "null"
		}
		return formatValue(v.Elem())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = formatValue(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Float64:
		return formatFloat(v.Float())
	case reflect.String:
		return formatText(v.String())
	}
	return fmt.Sprint(v.Interface())
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
