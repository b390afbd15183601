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
	if d.Train.N() == 0 {
		return nil, &FormatError{File: s.Path, Offset: int64(len(text)), Got: "the file ends",
			Want: fmt.Sprintf("text of at least one window, %s of nine tenths of it", plural.Count(size+1, "byte"))}
	}
	return d, nil
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
