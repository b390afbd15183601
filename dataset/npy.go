package dataset

import (
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"shadowflow/internal/element"
	"shadowflow/internal/plural"
)

// NPY, NumPy's format for one array
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
// a magic string, the version, the length of a header, the header, which is a
// Python dictionary, the elements. It is read here and not by npyio because
// npyio takes what is missing of a cut array for zeros, and panics or allocates
// without bound on a corrupt header.
const (
	npyMagic     = "\x93NUMPY"
	npyMaxHeader = 1 << 16
	npyMaxBytes  = 1 << 34
	npyMaxDims   = 8
)

var (
	npyDescr   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([<>|=]?)([a-zA-Z][0-9]*)(\[[^'"\]]*\])?['"]`)
	npyFortran = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([0-9L,\s]*)\)`)
)

// wantNumbers says which types are read, and how NumPy makes such of others.
const wantNumbers = `floats (f2, f4, f8), integers (i1 to i8, u1 to u8) or booleans (b1): .astype("float64") makes floats of what holds real numbers, ` +
	`np.unique(y, return_inverse=True)[1] numbers the words of classes`

// npyMeanings are NumPy's names of kinds that are no such numbers, by their letters.
var npyMeanings = map[byte]string{
	'c': " (complex numbers)", 'O': " (Python objects)", 'S': " (bytes of text)", 'U': " (text)", 'V': " (records or raw bytes)",
	'M': " (dates)", 'm': " (spans of time)", 'f': " (floats of another width)",
}

// npyHeader describes an array's elements, which follow it.
type npyHeader struct {
	kind    string // the type, as f4, f8, u1, i8, b1
	width   int    // bytes of an element
	order   binary.ByteOrder
	fortran bool // whether the first index varies fastest
	shape   []int
}

// count is the number of elements.
func (h npyHeader) count() int {
	n := 1
	for _, d := range h.shape {
		n *= d
	}
	return n
}

func parseNPYHeader(c *cursor) (npyHeader, error) {
	prefix, err := c.bytes(8, "magic string and version of a NumPy array")
	if err != nil {
		return npyHeader{}, err
	}
	if string(prefix[:6]) != npyMagic {
		return npyHeader{}, c.fail(0, fmt.Sprintf("magic string %q", prefix[:6]), fmt.Sprintf("%q", npyMagic))
	}
	lengthBytes := int64(2)
	if major := prefix[6]; major == 2 || major == 3 {
		lengthBytes = 4
	} else if major != 1 {
		return npyHeader{}, c.fail(6, fmt.Sprintf("version %d", major), "1, 2 or 3")
	}
	b, err := c.bytes(lengthBytes, "length of the header")
	if err != nil {
		return npyHeader{}, err
	}
	length := int64(b[0]) | int64(b[1])<<8
	if lengthBytes == 4 {
		length |= int64(b[2])<<16 | int64(b[3])<<24
	}
	if length > npyMaxHeader {
		return npyHeader{}, c.fail(8, fmt.Sprintf("header of %s", plural.Count(length, "byte")), fmt.Sprintf("at most %d", npyMaxHeader))
	}
	start := c.off
	text, err := c.bytes(length, "header")
	if err != nil {
		return npyHeader{}, err
	}
	h, problem := parseNPYDict(string(text))
	switch {
	case problem != "":
		return npyHeader{}, c.fail(start, problem,
			"a dictionary with descr of a plain type, fortran_order, and shape of at most 16 GiB")
	case npyDecoders[h.kind] == nil:
		return npyHeader{}, c.fail(start, "elements of type "+h.kind+npyMeanings[h.kind[0]], wantNumbers)
	}
	return h, nil
}

// parseNPYDict reads the dictionary; problem is empty if it is right. Of a type that
// is not read it has the kind alone.
func parseNPYDict(text string) (h npyHeader, problem string) {
	descr := npyDescr.FindStringSubmatch(text)
	fortran := npyFortran.FindStringSubmatch(text)
	shape := npyShape.FindStringSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return h, fmt.Sprintf("header %.100q", text)
	}
	h.order = binary.LittleEndian
	if descr[1] == ">" {
		h.order = binary.BigEndian
	}
	h.kind, h.fortran = descr[2], fortran[1] == "True"
	if npyDecoders[h.kind] == nil {
		return h, "" // whatever its shape
	}
	h.width = int(descr[2][1] - '0')
	bytes := h.width
	for field := range strings.SplitSeq(shape[1], ",") {
		field = strings.TrimSuffix(strings.TrimSpace(field), "L")
		if field == "" {
			continue
		}
		d, err := strconv.Atoi(field)
		if err != nil || d < 1 || d > npyMaxBytes/bytes || len(h.shape) == npyMaxDims {
			return h, fmt.Sprintf("shape (%s) of %d-byte elements", shape[1], h.width)
		}
		bytes *= d
		h.shape = append(h.shape, d)
	}
	return h, ""
}

// readNPYElements reads all elements, converted from their bytes, in row-major
// order. Memory grows with what is there.
func readNPYElements[T any](c *cursor, h npyHeader, convert func([]byte) T) ([]T, error) {
	const chunk = 1 << 13
	var out []T
	for n := h.count(); len(out) < n; {
		k := min(chunk, n-len(out))
		raw, err := c.bytes(int64(k*h.width), fmt.Sprintf("%s of shape %v", plural.Count(n, "element"), h.shape))
		if err != nil {
			return nil, err
		}
		if out, err = extend(out, k); err != nil {
			return nil, fmt.Errorf("%s: %w", c.file, err)
		}
		for i := range k {
			out = append(out, convert(raw[i*h.width:][:h.width]))
		}
	}
	if h.fortran {
		if err := room[T](len(out)); err != nil {
			return nil, fmt.Errorf("%s: %w", c.file, err)
		}
		out = rowMajor(out, h.shape)
	}
	return out, c.end()
}

// rowMajor reorders an array whose first index varies fastest.
func rowMajor[T any](x []T, shape []int) []T {
	out := make([]T, len(x))
	index := make([]int, len(shape))
	for _, v := range x {
		at := 0
		for k, d := range shape {
			at = at*d + index[k]
		}
		out[at] = v
		for k := range index {
			index[k]++
			if index[k] < shape[k] {
				break
			}
			index[k] = 0
		}
	}
	return out
}

// readNPYInputs reads numbers of any type: bytes and booleans as bytes, floats of up to 32 bits as such, and what else is as float64.
func readNPYInputs(c *cursor, h npyHeader) (v values, err error) {
	number, start := h.number(), c.off
	switch h.kind {
	case "u1", "b1":
		v.u8, err = readNPYElements(c, h, func(b []byte) uint8 { return uint8(number(b)) })
	case "f2", "f4":
		v.f32, err = readNPYElements(c, h, func(b []byte) float32 { return float32(number(b)) })
		err = firstError(err, func() error { return checkNumbers(c, h, start, v.f32) })
	default:
		v.f64, err = readNPYNumbers(c, h)
	}
	return v, err
}

func firstError(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

// mostWhole is the size from which on float64 has not all whole numbers.
const mostWhole = 1 << 53

// checkNumbers refuses NaN and infinities, and integers that float64 may have rounded. In Fortran order the offset is that
// of the array's start.
func checkNumbers[T Float](c *cursor, h npyHeader, start int64, x []T) error {
	for i, v := range x {
		f := float64(v)
		want := ""
		switch {
		case math.IsNaN(f) || math.IsInf(f, 0):
			want = "finite numbers"
		case !h.isFloat() && math.Abs(f) >= mostWhole:
			want = `integers below 2^53, which float64 has exactly; .astype("float64") rounds them`
		default:
			continue
		}
		offset := start
		if !h.fortran {
			offset += int64(i) * int64(h.width)
		}
		return c.fail(offset, fmt.Sprintf("%v in example %d", f, i/(len(x)/h.shape[0])), want)
	}
	return nil
}

// readNPYLabels reads integers of any width as labels, or floats that are whole.
func readNPYLabels(c *cursor, h npyHeader) (labelled, error) {
	if len(h.shape) != 1 && (len(h.shape) != 2 || h.shape[1] != 1) {
		return labelled{}, c.fail(0, fmt.Sprintf("shape %v", h.shape), "[N], one label an example, or data.task: "+TaskRegression+" for numbers to predict")
	}
	out := labelled{file: c.file, start: c.off, width: int64(h.width)}
	wide, err := readNPYElements(c, h, h.number())
	if err != nil {
		return labelled{}, err
	}
	out.labels = make([]int32, len(wide))
	for i, v := range wide {
		if !(v >= 0 && v < maxClasses && v == math.Trunc(v)) {
			return labelled{}, out.wrong(i, fmt.Sprintf("label %v of example %d", v, i),
				fmt.Sprintf("whole numbers from 0 to %d, or data.task: %s for numbers to predict", maxClasses-1, TaskRegression))
		}
		out.labels[i] = int32(v)
	}
	return out, nil
}

// readNPYTargets reads numbers of any type as the targets of n examples.
func readNPYTargets(c *cursor, h npyHeader, n int, of string) (Targets, error) {
	if len(h.shape) != 1 && len(h.shape) != 2 {
		return Targets{}, c.fail(0, fmt.Sprintf("shape %v", h.shape), "[N] or [N, K], K numbers to predict for each example")
	}
	if h.shape[0] != n {
		return Targets{}, c.fail(0, fmt.Sprintf("shape %v", h.shape), fmt.Sprintf("targets of %s, as %s has", plural.Count(n, "example"), of))
	}
	y, err := readNPYNumbers(c, h)
	return Targets{Columns: h.count() / n, Values: y}, err
}

func (h npyHeader) isFloat() bool { return h.kind[0] == 'f' }

// number returns what makes an element of its bytes.
func (h npyHeader) number() func([]byte) float64 {
	decode := npyDecoders[h.kind]
	return func(b []byte) float64 { return decode(h, b) }
}

// npyDecoders decode an element of each type that is read. A boolean is 0 or 1.
var npyDecoders = map[string]func(h npyHeader, b []byte) float64{
	"b1": func(_ npyHeader, b []byte) float64 { return float64(min(b[0], 1)) },
	"f2": func(h npyHeader, b []byte) float64 { return float64(element.Half(h.order.Uint16(b))) },
	"f4": func(h npyHeader, b []byte) float64 { return float64(math.Float32frombits(h.order.Uint32(b))) },
	"f8": func(h npyHeader, b []byte) float64 { return math.Float64frombits(h.order.Uint64(b)) },
	"i1": func(_ npyHeader, b []byte) float64 { return float64(int8(b[0])) },
	"i2": func(h npyHeader, b []byte) float64 { return float64(int16(h.order.Uint16(b))) },
	"i4": func(h npyHeader, b []byte) float64 { return float64(int32(h.order.Uint32(b))) },
	"i8": func(h npyHeader, b []byte) float64 { return float64(int64(h.order.Uint64(b))) },
	"u1": func(_ npyHeader, b []byte) float64 { return float64(b[0]) },
	"u2": func(h npyHeader, b []byte) float64 { return float64(h.order.Uint16(b)) },
	"u4": func(h npyHeader, b []byte) float64 { return float64(h.order.Uint32(b)) },
	"u8": func(h npyHeader, b []byte) float64 { return float64(h.order.Uint64(b)) },
}

// readNPYNumbers reads numbers of any type.
func readNPYNumbers(c *cursor, h npyHeader) ([]float64, error) {
	start := c.off
	x, err := readNPYElements(c, h, h.number())
	return x, firstError(err, func() error { return checkNumbers(c, h, start, x) })
}
