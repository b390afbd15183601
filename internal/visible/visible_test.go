package visible

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestWhatSteersATerminalIsEscaped(t *testing.T) {
	for name, c := range map[string][2]string{
		"text":                     {"naïve 日本語 🙂\n\tm = 1", "naïve 日本語 🙂\n\tm = 1"},
		"ESC":                      {"\x1b[31mred", `\x1b[31mred`},
		"the title of a window":    {"\x1b]0;owned\x07", `\x1b]0;owned\a`},
		"CR":                       {"done\rfail", `done\rfail`},
		"BS and DEL":               {"a\b\x7f", `a\b\x7f`},
		"C1 in UTF-8":              {"\u009b31m", `\u009b31m`},
		"C1 as a byte":             {"\x9b31m", `\x9b31m`},
		"another direction":        {"a\u202egnp.exe\u2066", `a\u202egnp.exe\u2066`},
		"no UTF-8":                 {"\xff\xc3(", `\xff\xc3(`},
		"the replacement itself":   {"\ufffd", "\ufffd"},
		"NUL":                      {"\x00", `\x00`},
		"the end of a character":   {"\xe6\x97", `\xe6\x97`},
		"a character too long":     {"\xc0\x9b", `\xc0\x9b`},
		"a surrogate":              {"\xed\xa0\x80", `\xed\xa0\x80`},
		"many lines, one of a bel": {"a\nb\a\nc", "a\nb\\a\nc"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := String(c[0]); got != c[1] {
				t.Errorf("%q: want %q", got, c[1])
			}
			var out bytes.Buffer
			w := Writer(&out)
			for i := range len(c[0]) { // byte by byte
				if n, err := w.Write([]byte{c[0][i]}); n != 1 || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := Flush(w); err != nil || out.String() != c[1] {
				t.Errorf("written byte by byte %q, error %v: want %q", out.String(), err, c[1])
			}
		})
	}
}

func TestWhatIsSeenIsWhatStandsInQuotes(t *testing.T) {
	for c := rune(0); c < 0x3000; c++ {
		if c == '"' || c == '\\' {
			continue // which quotes alone have to escape
		}
		if name := "a" + string(c); steers(c) && `"`+Line(name)+`"` != fmt.Sprintf("%q", name) {
			t.Errorf("%U is seen as %s, and stands in quotes as %q", c, Line(name), name)
		}
	}
	if broken := "a\x9b\xff"; `"`+Line(broken)+`"` != fmt.Sprintf("%q", broken) {
		t.Errorf("%s and %q", Line(broken), broken)
	}
}

func TestNamesAreShortAndOnOneLine(t *testing.T) {
	if got := Name("a\nb"); got != `a\nb` {
		t.Errorf("%q", got)
	}
	if got := Name(strings.Repeat("ä", 1000)); got != strings.Repeat("ä", 120)+"..." {
		t.Errorf("%q", got)
	}
}

func TestALongNameIsCutBetweenCharactersAndKeepsItsBytes(t *testing.T) {
	if got := Name(strings.Repeat("\xff", 121)); got != strings.Repeat(`\xff`, 120)+"..." {
		t.Errorf("%q", got)
	}
	if got := Clip("\x9b" + strings.Repeat("ä", 120)); got != "\x9b"+strings.Repeat("ä", 119)+"..." {
		t.Errorf("%q", got)
	}
}

// alone is a writer that notices when it is called by two at once.
type alone struct {
	busy, shared atomic.Bool
}

func (a *alone) Write(p []byte) (int, error) {
	if !a.busy.CompareAndSwap(false, true) {
		a.shared.Store(true)
	}
	time.Sleep(time.Millisecond)
	a.busy.Store(false)
	return len(p), nil
}

func TestSeveralMayWriteAtOnce(t *testing.T) {
	var out alone
	var wait sync.WaitGroup
	w := Writer(&out)
	for range 4 {
		wait.Go(func() {
			for range 10 {
				fmt.Fprintln(w, "日本")
			}
		})
	}
	wait.Wait()
	if out.shared.Load() {
		t.Error("two wrote at once")
	}
}

func TestRawIsWhatIsWrittenTo(t *testing.T) {
	var out bytes.Buffer
	if Raw(Writer(&out)) != &out || Raw(&out) != &out {
		t.Error("another writer")
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\x1b[31m\u202e\xff", 3)
	f.Add("{\"a\":\"\u009b\"}", 7)
	f.Add("{\"\x7f\u009b\"}", 7)
	f.Fuzz(func(t *testing.T, s string, cut int) {
		got := String(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(c rune) bool {
			return c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c))
		}) {
			t.Errorf("%q: %q", s, got)
		}
		var out bytes.Buffer
		w := Writer(&out)
		cut = max(0, min(cut, len(s)))
		_, _ = w.Write([]byte(s[:cut]))
		_, _ = w.Write([]byte(s[cut:]))
		if err := Flush(w); err != nil || out.String() != got {
			t.Errorf("%q in two parts, cut at %d: %q, want %q", s, cut, out.String(), got)
		}
		var before, after string
		text, err := json.Marshal(s)
		text = bytes.ReplaceAll(text, []byte{0x7f}, []byte(`\u007f`)) // which takes an escape that JSON does not have: its writer has another for it
		if err != nil || json.Unmarshal(text, &before) != nil || json.Unmarshal([]byte(String(string(text))), &after) != nil || before != after {
			t.Errorf("JSON of %q is that of %q", before, after)
		}
	})
}
