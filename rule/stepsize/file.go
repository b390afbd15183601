package stepsize

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"shadowflow/internal/userfile"
	"shadowflow/schema"
)

// maxFactors bounds the steps that a file is for.
const maxFactors = 10_000_000

// maxLine bounds a line, in bytes.
const maxLine = 1 << 16

// Read returns the factors in a text file: a number a line, from step 0 on. Empty lines do not count, nor what stands behind a #, nor a byte order mark.
func Read(path string) ([]float64, error) {
	f, _, err := userfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return parse(path, f)
}

func parse(name string, r io.Reader) ([]float64, error) {
	var factors []float64
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	line := 0 // read
	for lines.Scan() {
		text := lines.Text()
		if line++; line == 1 {
			text = strings.TrimPrefix(text, "\ufeff") // a byte order mark
		}
		text, _, _ = strings.Cut(text, "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		v, err := schema.ParseNumber(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s:%d: %.80q: want the factor of a step, a number of at least 0: %w", name, line, text, err)
		case v < 0:
			return nil, fmt.Errorf("%s:%d: %.80q: want the factor of a step, a number of at least 0", name, line, text)
		case len(factors) == maxFactors:
			return nil, fmt.Errorf("%s:%d: more than %d steps", name, line, maxFactors)
		}
		factors = append(factors, v)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s:%d: a line of more than %d bytes: want a number a line", name, line+1, maxLine)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(factors) == 0 {
		return nil, fmt.Errorf("%s: no numbers: want a factor a line, one for each step", name)
	}
	return factors, nil
}
