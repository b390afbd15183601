package schema

import (
	"shadowflow/internal/visible"
	"strings"
)

// ParseSet reads what a flag like --set was given: settings key=value, with commas between them. The values are YAML; commas in
// brackets, braces and quotes are theirs. A key may lack its section where no other section has one of that name.
func ParseSet(flag, src string) ([]Setting, error) {
	var out []Setting
	var wrong []error
	for _, part := range splitSet(src) {
		source := flag + " " + visible.Name(part)
		key, value, ok := strings.Cut(part, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			wrong = append(wrong, &Error{Place: Place{Source: source}, Problem: "expected key=value, like optimizer.beta2=0.99"})
			continue
		}
		s, err := ParseValue(source, key, value)
		s.loose = true
		out, wrong = append(out, s), append(wrong, err)
	}
	return out, Join(wrong)
}

// ParseValue reads the YAML value of a key. source is what errors call the text.
func ParseValue(source, key, value string) (Setting, error) {
	t := text{source: source}
	body, err := t.parse(value)
	if e, ok := err.(*Error); ok {
		e.Key = key
	}
	at := Place{Source: source}
	return Setting{Key: key, Value: t.decode(body), key: at, value: at}, err
}

// splitSet cuts a text at the commas outside of brackets, braces and quotes.
func splitSet(src string) []string {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case (c == '"' || c == '\'') && opensQuotes(src, i):
			i = endOfQuotes(src, i)
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth <= 0:
			parts, start = append(parts, src[start:i]), i+1
		}
	}
	return append(parts, src[start:])
}
