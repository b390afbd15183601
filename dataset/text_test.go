package dataset

import (
	"bytes"
	"compress/gzip"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func loadText(t *testing.T, s Spec) *Dataset {
	t.Helper()
	s.Name = NameText
	d, err := Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheEmbeddedTextHasTheBigramEntropyThatItIsKnownFor(t *testing.T) {
	text := folioText()
	seen := map[byte]bool{}
	for _, b := range text {
		seen[b] = true
	}
	if len(text) != 1_099_678 || len(seen) != 70 {
		t.Errorf("%d bytes, %d different ones: want 1099678 and 70", len(text), len(seen))
	}
	// Every byte of the last tenth, but the first, under counts of pairs in the first nine, each of 71 more by 0.01.
	cut := len(text) - len(text)/textTestShare
	var pairs [256][256]float64
	var firsts [256]float64
	for i, b := range text[1:cut] {
		pairs[text[i]][b]++
		firsts[text[i]]++
	}
	bits := 0.0
	for i, b := range text[cut+1:] {
		a := text[cut+i]
		bits -= math.Log2((pairs[a][b] + 0.01) / (firsts[a] + 0.01*71))
	}
	if bits /= float64(len(text) - cut - 1); math.Abs(bits-3.621) > 0.001 {
		t.Errorf("%.4f bits per byte, want 3.621", bits)
	}
}

func TestWindowsFollowEachOtherAndLabelsAreTheNextBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.txt")
	text := []byte("0123456789abcdefghijABCDEFGHIJ" + "0123456789abcdefghij")
	for name, file := range map[string][]byte{"plain": text, "gzip": zipped(t, text)} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			d := loadText(t, Spec{Path: path, Context: 4})
			if d.Train.N() != 11 || d.Test.N() != 1 || d.Classes != 256 || !slices.Equal(d.Shape, []int{4}) || d.Train.LabelsEach() != 4 {
				t.Fatalf("%d and %d windows of shape %v, %d classes", d.Train.N(), d.Test.N(), d.Shape, d.Classes)
			}
			tokens := make([]int32, 8)
			Indices(tokens, d.Train, []int{10, 1})
			if got := asBytes(tokens); got != string(text[40:44])+"4567" {
				t.Errorf("windows 10 and 1 are %q", got)
			}
			picked := d.Train.Select([]int{10, 1})
			if got := asBytes(picked.Labels); got != string(text[41:45])+"5678" {
				t.Errorf("their labels are %q", got)
			}
			if got := asBytes(d.Test.Labels); got != "ghij" {
				t.Errorf("the labels of the last tenth are %q", got)
			}
		})
	}
}

func TestASubsetOfWindowsHasTheSmallerOne(t *testing.T) {
	large, small := loadText(t, Spec{Context: 32, Subset: 50}), loadText(t, Spec{Context: 32, Subset: 20, TestSubset: 3})
	window := func(p Part, i int) string {
		tokens := make([]int32, p.Size())
		Indices(tokens, p, []int{i})
		return asBytes(tokens)
	}
	var all []string
	for i := range large.Train.N() {
		all = append(all, window(large.Train, i))
	}
	if len(all) != 50 || small.Train.N() != 20 || small.Test.N() != 3 {
		t.Fatalf("subsets of %d, %d and %d windows", len(all), small.Train.N(), small.Test.N())
	}
	for i := range small.Train.N() {
		if !slices.Contains(all, window(small.Train, i)) {
			t.Errorf("window %d of 20 is not among the 50", i)
		}
	}
}

func TestATextThatIsTooShortSaysWhatItHasAndWhatWouldBeEnough(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.txt")
	write := func(bytes int) {
		if err := os.WriteFile(path, slices.Repeat([]byte("x"), bytes), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		bytes int
		spec  Spec
		key   string // of a field error; without one the error is of the file
		want  string
		// mended are settings that the error advises, with which the text is enough.
		mended []Spec
		least  int // bytes that are enough, and one less is not
	}{
		{"no window to train on", 9, Spec{Context: 9}, "",
			"expected a window to train on: the first nine tenths of the text, 9 of 9 bytes, hold 0 windows of model.context 9, and 1 would need 10 bytes: want model.context of at most 8, or a text of at least 11 bytes",
			[]Spec{{Context: 8}}, 11},
		{"an empty text", 0, Spec{Context: 4}, "", "0 of 0 bytes, hold 0 windows of model.context 4, and 1 would need 5 bytes: want a text of at least 5 bytes", nil, 5},
		{"fewer windows than a subset", 100, Spec{Context: 20, Subset: 5}, "subset",
			"5 windows; the first nine tenths of the text, 90 of 100 bytes, hold 4 windows of model.context 20, and 5 would need 101 bytes: want data.subset of at most 4, or model.context of at most 17, or a text of at least 112 bytes",
			[]Spec{{Context: 20, Subset: 4}, {Context: 17, Subset: 5}}, 112},
		{"no window to test on", 300, Spec{Context: 64, TestSubset: 5}, "test_subset",
			"5 windows; the last tenth of the text, 30 of 300 bytes, hold 0 windows of model.context 64, and 5 would need 321 bytes: want model.context of at most 5, or a text of at least 3210 bytes",
			[]Spec{{Context: 5, TestSubset: 5}}, 3210},
	} {
		load := func(bytes int, s Spec) error {
			write(bytes)
			s.Name, s.Path = NameText, path
			_, err := Load(t.Context(), s)
			return err
		}
		err := load(c.bytes, c.spec)
		var format *FormatError
		var field *FieldError
		if isField := errors.As(err, &field); isField != (c.key != "") || isField && field.Field != c.key || !isField && (!errors.As(err, &format) || format.File != path) ||
			!strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
		for _, s := range c.mended {
			if err := load(c.bytes, s); err != nil {
				t.Errorf("%s: with %+v, as advised: %v", c.name, s, err)
			}
		}
		if err := load(c.least, c.spec); err != nil {
			t.Errorf("%s: with %d bytes, as advised: %v", c.name, c.least, err)
		}
		if load(c.least-1, c.spec) == nil {
			t.Errorf("%s: %d bytes are enough, and more are advised", c.name, c.least-1)
		}
	}
	write(300)
	d := loadText(t, Spec{Path: path, Context: 64})
	if notes := strings.Join(d.Notes, "\n"); d.Test.N() != 0 || !strings.HasPrefix(notes, "nothing is tested: the last tenth of the text, 30 of 300 bytes, hold 0 windows") {
		t.Errorf("%d windows to test on, notes %q", d.Test.N(), notes)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("some text, which is long enough for a window or two"), 4)
	f.Add([]byte{0x1f, 0x8b, 8}, 1)
	f.Fuzz(func(t *testing.T, file []byte, context int) {
		path := filepath.Join(t.TempDir(), "x.txt")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		size := 1 + (context&0xff)%64
		d, err := Load(t.Context(), Spec{Name: NameText, Path: path, Context: size})
		if err == nil && (d.Train.N() < 1 || len(d.Train.Labels) != d.Train.N()*size || len(d.Test.Labels) != d.Test.N()*size) {
			t.Errorf("%d windows with %d labels", d.Train.N(), len(d.Train.Labels))
		}
	})
}

func asBytes(tokens []int32) string {
	var out []byte
	for _, k := range tokens {
		out = append(out, byte(k))
	}
	return string(out)
}

func zipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
