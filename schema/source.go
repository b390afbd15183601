package schema

import "shadowflow/internal/userfile"

// Source returns the text of a file of settings, no more of it than shows that it is too long.
func Source(path string) ([]byte, error) { return userfile.Read(path, maxLength) }

// ReadFile reads the settings in a file; see Parse.
func ReadFile(path string) ([]Setting, error) {
	src, err := Source(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src)
}
