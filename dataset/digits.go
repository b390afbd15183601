package dataset

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"sync"
)

// DigitsAttribution is the attribution that the licence of the embedded digits
// (CC BY 4.0) asks for.
const DigitsAttribution = "Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, " +
	"E. Alpaydin and C. Kaynak, 1998, https://doi.org/10.24432/C50P49, CC BY 4.0"

// digitsCSV is the digits' file, see ATTRIBUTION.md beside it.
//
//go:embed digits.csv.gz
var digitsCSV []byte

const (
	digitsSide    = 8
	digitsTrain   = 1297
	digitsTest    = 500
	digitsMax     = 16
	digitsClasses = 10
)

// Digits returns the embedded handwritten digits, standardized: 1,797 images of
// 8x8 pixels, one channel, raw values 0..16. The first 1,297 are the training
// part and the last 500 the test part, in the file's order, always. A class has
// 128 to 132 images of the former and 46 to 51 of the latter. See
// DigitsAttribution.
func Digits() *Dataset {
	d := rawDigits()
	d.Standardize()
	return d
}

// embedded reads the embedded digits, once: whoever answers questions about them asks often. It panics if the file is wrong, which the tests exclude.
var embedded = sync.OnceValues(func() (x []uint8, labels []int32) {
	unzipped, err := gzip.NewReader(bytes.NewReader(digitsCSV))
	if err != nil {
		panic(fmt.Sprintf("dataset: embedded digits: %v", err))
	}
	if x, labels, err = parseDigits("digits.csv", unzipped); err != nil {
		panic(fmt.Sprintf("dataset: embedded digits: %v", err))
	}
	if len(labels) != digitsTrain+digitsTest {
		panic(fmt.Sprintf("dataset: embedded digits: %d rows", len(labels)))
	}
	return x, labels
})

// rawDigits returns a copy of them.
func rawDigits() *Dataset {
	x, labels := embedded()
	shape := []int{digitsSide, digitsSide, 1}
	all := Part{Shape: shape, Labels: labels, raw: values{u8: x}}
	rows := allRows(len(labels))
	return &Dataset{
		Name:        "digits",
		Shape:       shape,
		Classes:     digitsClasses,
		ClassNames:  numberNames(digitsClasses),
		Train:       all.Select(rows[:digitsTrain]),
		Test:        all.Select(rows[digitsTrain:]),
		Attribution: DigitsAttribution,
	}
}

// parseDigits reads rows of 64 pixel values and a label.
func parseDigits(name string, r io.Reader) (x []uint8, labels []int32, err error) {
	const pixels = digitsSide * digitsSide
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = pixels + 1
	rows.ReuseRecord = true
	for {
		offset := rows.InputOffset()
		row, err := rows.Read()
		if err == io.EOF {
			return x, labels, nil
		}
		if err != nil {
			return nil, nil, &FormatError{File: name, Offset: offset, Got: err.Error(),
				Want: fmt.Sprintf("%d numbers a row", pixels+1), Err: err}
		}
		for i, field := range row {
			limit := digitsMax
			if i == pixels {
				limit = digitsClasses - 1
			}
			v, err := strconv.ParseUint(field, 10, 8)
			if err != nil || int(v) > limit {
				return nil, nil, &FormatError{File: name, Offset: offset,
					Got: fmt.Sprintf("%q in column %d", field, i+1), Want: fmt.Sprintf("a number in 0..%d", limit)}
			}
			if i == pixels {
				labels = append(labels, int32(v))
			} else {
				x = append(x, uint8(v))
			}
		}
	}
}

// numberNames names classes by their labels.
func numberNames(classes int) []string {
	names := make([]string, classes)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}
