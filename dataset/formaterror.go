package dataset

import "fmt"

// FormatError says where a data file departs from its format.
type FormatError struct {
	// File is the file's path; for a file in an archive the archive's path
	// and, in parentheses, the file's name in it.
	File string

	// Offset is in bytes from the start of File, after decompression.
	Offset int64

	Got, Want string

	// Err is the error that reading met, or nil.
	Err error
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: byte %d: %s; expected %s", e.File, e.Offset, e.Got, e.Want)
}

func (e *FormatError) Unwrap() error { return e.Err }
