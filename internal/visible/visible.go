// Package visible shows text of others as it is: what would steer a terminal, or turn around the order in which it shows what follows, is
// written as an escape. Names of files, classes, columns and weights come from anywhere.
package visible

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// String returns s with escapes in the place of control characters but for line breaks and tabs, of those that change the direction of text, and
// of bytes that are no UTF-8: those of Go's quotes, \x1b, \u009b, so that a name in quotes and one without have the same. In a string that YAML has in
// double quotes an escape means what it stands for; JSON, which has none with an x, is to have none of what takes one.
func String(s string) string { return escape(s, "\n\t") }

// Line returns s on one line: line breaks and tabs are escapes too. It is for paths.
func Line(s string) string { return escape(s, "") }

// Name returns a name for a message: on one line, and no more of it than tells which it is.
func Name(s string) string { return Line(Clip(s)) }

// Clip returns no more of s than tells which it is, for where it gets quotes and escapes of its own.
func Clip(s string) string {
	const most = 120 // characters, or bytes that are none
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "..."
		}
	}
	return s
}

func escape(s, but string) string {
	if strings.IndexFunc(s, func(c rune) bool { return steers(c) && !strings.ContainsRune(but, c) || c == utf8.RuneError }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		c, size := utf8.DecodeRuneInString(s)
		switch {
		case c == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case steers(c) && !strings.ContainsRune(but, c):
			quoted := strconv.Quote(string(c))
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

func steers(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) }

// Writer returns a writer of text that is seen: w has String of it.
func Writer(w io.Writer) io.Writer { return &writer{w: w} }

// Raw returns what a writer of this package writes to, and any other as it is: for what is to steer a terminal, like the bar of a progress.
func Raw(w io.Writer) io.Writer {
	if v, ok := w.(*writer); ok {
		return v.w
	}
	return w
}

type writer struct {
	mu   sync.Mutex // a command that is no longer waited for may go on printing
	w    io.Writer
	rest []byte // the beginning of a character, whose end is still to come
}

// Write implements io.Writer. It may be called from several goroutines.
func (v *writer) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := append(v.rest, p...)
	whole := len(text) - len(begun(text))
	v.rest = append([]byte(nil), text[whole:]...)
	if whole > 0 {
		if _, err := io.WriteString(v.w, String(string(text[:whole]))); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// begun returns the beginning of a character that a text ends with, if it does.
func begun(text []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if tail := text[len(text)-i:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return nil
			}
			return tail
		}
	}
	return nil
}

// Flush writes what is left of a character that has no end.
func Flush(w io.Writer) error {
	v, ok := w.(*writer)
	if !ok {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.rest) == 0 {
		return nil
	}
	rest := v.rest
	v.rest = nil
	_, err := io.WriteString(v.w, String(string(rest)))
	return err
}
