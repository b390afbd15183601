package schema

import (
	"io"
	"os"
)

// Source returns the text of a file of settings, no more of it than shows that it is too long: a name may be that of a device.
func Source(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxLength+1))
}

// ReadFile reads the settings in a file; see Parse.
func ReadFile(path string) ([]Setting, error) {
	src, err := Source(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src)
}
