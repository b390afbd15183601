package schema

import (
	"cmp"
	"errors"
	"fmt"
	"shadowflow/internal/visible"
	"slices"
	"strings"
)

// Place is where something stands in a text.
type Place struct {
	// Source is the name of a file, or a flag as it was given; "" for a value that a program made.
	Source string
	// Line and Column count from 1 in a file; 0 elsewhere.
	Line, Column int
}

// An Error says what is wrong with one key.
type Error struct {
	Place
	// Key is the dotted key, empty if the error is about the whole text.
	Key string
	// Problem says what was found and what would be right.
	Problem string

	group int // of the settings that it is about
}

func (e *Error) Error() string {
	var parts []string
	switch {
	case e.Line > 0:
		parts = append(parts, fmt.Sprintf("%s:%d:%d", visible.Line(e.Source), e.Line, e.Column))
	case e.Source != "":
		parts = append(parts, visible.Line(e.Source))
	}
	if e.Key != "" {
		parts = append(parts, visible.Name(e.Key))
	}
	return strings.Join(append(parts, e.Problem), ": ")
}

// Errors is everything that is wrong, in the order of the text.
type Errors []*Error

func (e Errors) Error() string {
	var lines []string
	for _, err := range e[:min(len(e), mostErrors)] {
		lines = append(lines, err.Error())
	}
	if more := len(e) - mostErrors; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// mostErrors is how many errors are told at once.
const mostErrors = 20

// Join returns errors as one, nil if there are none; of very many the first. Those that are nil count for nothing.
func Join(wrong []error) error {
	wrong = slices.DeleteFunc(slices.Clone(wrong), func(err error) bool { return err == nil })
	if more := len(wrong) - mostErrors; more > 0 {
		wrong = append(wrong[:mostErrors:mostErrors], fmt.Errorf("and %d more", more))
	}
	return errors.Join(wrong...)
}

// Unwrap returns the errors one by one.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, err := range e {
		out[i] = err
	}
	return out
}

// sorted returns the errors in the order of the text, as an error, or nil if there are none.
func (e Errors) sorted() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}
