package schema

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Suggest says what would be right: the nearest of the names if one is near, all
// of them if not.
func Suggest(got string, names []string) string {
	if near := Nearest(got, names); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "expected one of " + strings.Join(names, ", ")
}

// Nearest returns the name that is few enough edits away to be meant, or "".
func Nearest(got string, names []string) string {
	if len(got) > 64 {
		return ""
	}
	best, distance := "", max(2, len(got)/2)+1
	for _, name := range names {
		if d := levenshtein.ComputeDistance(strings.ToLower(got), name); d < distance && d < len(name) {
			best, distance = name, d
		}
	}
	return best
}
