package torchfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/nlpodyssey/gopickle/pickle"

	"shadowflow/internal/plural"
)

// The bounds of a pickle: tensors stand outside of it, and take some 40 instructions each. An instruction takes up to 256 bytes of memory.
const (
	maxPickle       = 64 << 20 // bytes
	maxInstructions = 1 << 20
	maxLine         = 4096
	maxInteger      = 256 // bytes
)

// operand is what follows an instruction's byte.
type operand uint8

const (
	unknown operand = iota
	nothing
	one // a byte, and so on
	two
	four
	eight
	line
	lines    // two of them
	counted1 // bytes behind their number, which takes one byte, and so on
	counted4
	counted8
)

// operands are those of the instructions of all protocols, as Python's pickletools has them.
var operands = func() (of [256]operand) {
	for kind, codes := range map[operand]string{
		nothing:  "(.012NQRabd}el]ots)u\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98",
		one:      "Khq\x80\x82",
		two:      "M\x83",
		four:     "Jjr\x84",
		eight:    "G\x95",
		line:     "FILPSVgp",
		lines:    "ci",
		counted1: "UC\x8a\x8c",
		counted4: "TXB\x8b",
		counted8: "\x8d\x8e\x96",
	} {
		for i := range len(codes) {
			of[codes[i]] = kind
		}
	}
	return of
}()

// readPickle returns the bytes of a pickle, to its end. They are checked so far that whoever runs its instructions allocates no more than is
// in proportion to them. BUILD, which copies attributes into an object, becomes POP: nothing here has attributes, and one large state, taken from
// the memo for each of many objects, would cost the square of the pickle's length.
func readPickle(in *bufio.Reader) ([]byte, error) {
	p := &scanner{in: in}
	for n := 0; ; n++ {
		code, err := p.take(1)
		if err != nil {
			return nil, err
		}
		if n >= maxInstructions || p.bytes.Len() > maxPickle {
			return nil, malformed("the pickle is larger than that of a state_dict can be: %s", Advice)
		}
		if code[0] == '.' {
			return p.bytes.Bytes(), nil
		}
		if code[0] == 'b' {
			code[0] = '0'
		}
		if err := p.operand(code[0]); err != nil {
			return nil, err
		}
	}
}

// scanner walks over a pickle's instructions.
type scanner struct {
	in    *bufio.Reader
	bytes bytes.Buffer // read so far
}

// take reads n bytes. Where they are not there, no room is made for them.
func (p *scanner) take(n int64) ([]byte, error) {
	if n > maxPickle {
		return nil, malformed("the pickle has a text of %s, want at most %d", plural.Count(n, "byte"), maxPickle)
	}
	at := p.bytes.Len()
	_, err := io.CopyN(&p.bytes, p.in, n)
	switch {
	case errors.Is(err, io.EOF):
		return nil, malformed("the pickle ends too early: the file is cut short or damaged")
	case err != nil:
		return nil, malformed("the pickle cannot be read: %v", err)
	}
	return p.bytes.Bytes()[at:], nil
}

func (p *scanner) operand(code byte) error {
	var err error
	switch kind := operands[code]; kind {
	case nothing:
	case one, two, four, eight:
		var b []byte
		if b, err = p.take(1 << (kind - one)); err == nil && code == '\x95' && binary.LittleEndian.Uint64(b) > maxPickle {
			err = malformed("the pickle has a frame of more than %d bytes", maxPickle)
		}
	case line:
		err = p.line()
	case lines:
		if err = p.line(); err == nil {
			err = p.line()
		}
	case counted1, counted4, counted8:
		var b []byte
		if b, err = p.take([]int64{1, 4, 8}[kind-counted1]); err != nil {
			return err
		}
		var length [8]byte
		copy(length[:], b)
		n := binary.LittleEndian.Uint64(length[:])
		if n > maxPickle || code == '\x8b' && n > maxInteger {
			return malformed("the pickle has an item of %s, which no state_dict has", plural.Count(n, "byte"))
		}
		_, err = p.take(int64(n))
	default:
		err = malformed("the pickle has an instruction 0x%02x, which does not exist: the file is damaged", code)
	}
	return err
}

// line reads to the end of a line.
func (p *scanner) line() error {
	for range maxLine {
		b, err := p.take(1)
		if err != nil {
			return err
		}
		if b[0] == '\n' {
			return nil
		}
	}
	return malformed("the pickle has a line of more than %d bytes", maxLine)
}

// unpickle returns what a checked pickle holds. load, if not nil, returns what stands outside of it.
func unpickle(pickled []byte, load func(id any) (any, error)) (value any, err error) {
	defer func() {
		if r := recover(); r != nil { // gopickle takes for granted what Python's pickles are like
			value, err = nil, malformed("the pickle is damaged: %.200s", fmt.Sprint(r))
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(pickled))
	u.FindClass = named
	if load != nil {
		u.PersistentLoad = load
	}
	value, err = u.Load()
	var format *FormatError
	if err != nil && !errors.As(err, &format) {
		err = malformed("the pickle is damaged: %.200s", fmt.Sprint(err))
	}
	return value, err
}
