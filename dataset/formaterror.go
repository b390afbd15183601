package dataset

import (
	"fmt"
	"shadowflow/internal/visible"
)

// FormatError says where a data file departs from its format.
type FormatError struct {
	// File is the file's path; for a file in an archive the archive's path
	// and, in parentheses, the file's name in it.
	File string

	// Offset is in bytes from the start of File, after decompression. In a table
	// it is 0, and Line, counted from 1, and the name of the Column, if it is one
	// cell's, say where.
	Offset int64
	Line   int
	Column string

	Got, Want string

	// Err is the error that reading met, or nil.
	Err error
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: %s: %s; expected %s", visible.Line(e.File), e.place(), e.Got, e.Want)
}

func (e *FormatError) place() string {
	switch {
	case e.Line == 0:
		return fmt.Sprintf("byte %d", e.Offset)
	case e.Column == "":
		return fmt.Sprintf("line %d", e.Line)
	}
	return fmt.Sprintf("line %d, column %.80q", e.Line, e.Column)
}

func (e *FormatError) Unwrap() error { return e.Err }
