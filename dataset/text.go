package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"shadowflow/internal/plural"
)

// FolioAttribution says where the embedded text comes from.
const FolioAttribution = "Nine plays of the First Folio of 1623, William Shakespeare, public domain; from the collection of Open Shakespeare " +
	"(Open Knowledge Foundation), whose additions are CC BY 2.5"

// folio is the text's file, see ATTRIBUTION.md beside it.
//
//go:embed folio.txt.gz
var folio []byte

// Bytes is the number of classes of a text's tokens, which are bytes.
const Bytes = 256

const (
	maxTextBytes   = 1 << 28
	textTestShare  = 10 // the last such part is the test part
	defaultContext = 64
)

// readText cuts a text into windows that follow each other, those of the first nine tenths to train and those of the last to test. An
// example is a window's bytes, and its labels are the byte behind each of them. What does not fill a window is in none of them.
func readText(ctx context.Context, s Spec) (*Dataset, error) {
	text, attribution, err := textOf(ctx, s.Path)
	if err != nil {
		return nil, err
	}
	size := s.Context
	if size == 0 {
		size = defaultContext
	}
	if err := room[int32](2 * len(text)); err != nil { // the labels, and the bytes once more
		return nil, fmt.Errorf("%s: %w", s.Path, err)
	}
	cut := len(text) - len(text)/textTestShare
	d := &Dataset{
		Name: NameText, Shape: []int{size}, Classes: Bytes, ClassNames: byteNames(), Attribution: attribution,
		Train: windowsOf(text[:cut], size), Test: windowsOf(text[cut:], size),
	}
	train, test := shares(len(text), size)
	switch {
	case d.Train.N() == 0:
		return nil, &FormatError{File: s.Path, Offset: int64(len(text)), Got: "the file ends", Want: "a window to train on: " + train.lacks(1)}
	case d.Train.N() < s.Subset:
		return nil, &FieldError{"subset", fmt.Sprintf("%d windows; %s", s.Subset, train.lacks(s.Subset))}
	case d.Test.N() < s.TestSubset:
		return nil, &FieldError{"test_subset", fmt.Sprintf("%d windows; %s", s.TestSubset, test.lacks(s.TestSubset))}
	case d.Test.N() == 0:
		d.Notes = append(d.Notes, "nothing is tested: "+test.lacks(1))
	}
	return d, nil
}

// textShare is the part of a text that windows are cut from.
type textShare struct {
	key, what        string
	bytes, all, size int                 // of the share, of the text, and of a window without the byte behind it
	least            func(bytes int) int // of a text that has so many bytes in such a share
}

// shares returns the parts of a text of so many bytes: to train, and to test.
func shares(all, size int) (train, test textShare) {
	behind := all / textTestShare
	train = textShare{"subset", "the first nine tenths", all - behind, all, size, func(n int) int { return (n*textTestShare - 1) / (textTestShare - 1) }}
	test = textShare{"test_subset", "the last tenth", behind, all, size, func(n int) int { return n * textTestShare }}
	return train, test
}

// lacks says how many bytes and windows there are, how many bytes so many windows take, and what to lower.
func (p textShare) lacks(windows int) string {
	there, need := max(0, p.bytes-1)/p.size, windows*p.size+1
	advice := []string{fmt.Sprintf("a text of at least %d bytes", p.least(need))}
	if context := (p.bytes - 1) / windows; context >= 1 {
		advice = append([]string{fmt.Sprintf("model.context of at most %d", context)}, advice...)
	}
	if there > 0 {
		advice = append([]string{fmt.Sprintf("data.%s of at most %d", p.key, there)}, advice...)
	}
	return fmt.Sprintf("%s of the text, %d of %d bytes, hold %s of model.context %d, and %d would need %d bytes: want %s", p.what, p.bytes, p.all, plural.Of(there, "window"), p.size, windows, need,
		strings.Join(advice, ", or "))
}

// textOf reads a text, which may be compressed with gzip; without a path the embedded one.
func textOf(ctx context.Context, path string) (text []byte, attribution string, err error) {
	if path == "" {
		return folioText(), FolioAttribution, nil
	}
	err = withFile(ctx, path, func(c *cursor) error {
		if text, err = c.rest(maxTextBytes + 1); err != nil {
			return err
		}
		if len(text) > maxTextBytes {
			return c.fail(maxTextBytes, "more bytes", fmt.Sprintf("a text of at most %d bytes: cut it into parts", maxTextBytes))
		}
		return nil
	})
	return text, "", err
}

// folioText panics if the embedded file is wrong, which the tests exclude.
func folioText() []byte {
	unzipped, err := gzip.NewReader(bytes.NewReader(folio))
	if err != nil {
		panic(fmt.Sprintf("dataset: embedded text: %v", err))
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		panic(fmt.Sprintf("dataset: embedded text: %v", err))
	}
	return text
}

func windowsOf(text []byte, size int) Part {
	n := max(0, len(text)-1) / size
	p := Part{Shape: []int{size}, Labels: make([]int32, n*size), tokens: true, raw: values{u8: slices.Clone(text[:n*size])}}
	for i := range p.Labels {
		p.Labels[i] = int32(text[i+1])
	}
	return p
}

// byteNames names bytes as Go's quotes show them.
func byteNames() []string {
	names := make([]string, Bytes)
	for b := range names {
		names[b] = strconv.QuoteToASCII(string([]byte{byte(b)}))
	}
	return names
}

// Tokens reports whether the examples are windows of a text: their values are tokens, which Indices gives, and each has a label.
func (p Part) Tokens() bool { return p.tokens }

// LabelsEach is the number of labels of an example.
func (p Part) LabelsEach() int {
	if p.tokens {
		return p.Size()
	}
	return 1
}

// Indices writes the tokens of the given examples to dst, whose length must be len(rows) * p.Size().
func Indices(dst []int32, p Part, rows []int) {
	size := p.Size()
	checkLength(len(dst), len(rows)*size)
	for k, r := range rows {
		for j, b := range p.raw.u8[r*size : (r+1)*size] {
			dst[k*size+j] = int32(b)
		}
	}
}
