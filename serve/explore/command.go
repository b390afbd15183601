package explore

import (
	"strings"

	"shadowflow/schema"
)

// Command returns the line that carries out the config that some settings make, quoted for a POSIX shell.
func Command(settings []schema.Setting) string {
	var b strings.Builder
	b.WriteString("shadowflow run")
	for _, group := range sections(settings) {
		var parts []string
		for _, s := range group {
			parts = append(parts, s.String())
		}
		b.WriteString(" --set " + quote(strings.Join(parts, ",")))
	}
	return b.String()
}

// sections cuts settings where the section changes, so that the line can be read.
func sections(settings []schema.Setting) [][]schema.Setting {
	var out [][]schema.Setting
	last := "-"
	for _, s := range settings {
		section, _, nested := strings.Cut(s.Key, ".")
		if !nested {
			section = ""
		}
		if _, whole := s.Value.([]schema.Setting); whole {
			section = "whole"
		}
		if section != last {
			out = append(out, nil)
		}
		last = section
		out[len(out)-1] = append(out[len(out)-1], s)
	}
	return out
}

// quote makes one word of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
