package schema

import (
	"fmt"
	"math"
	"shadowflow/internal/visible"
	"slices"
)

// Type is the kind of value that a key takes.
type Type uint8

// The types of values, with the Go type that holds each.
const (
	Number  Type = iota // float64
	Whole               // int
	Seed                // uint64
	Flag                // bool
	Text                // string
	Numbers             // []float64
	Wholes              // []int
	Pairs               // [][2]float64
	Tree                // []Setting, of keys that the program does not know
	Texts               // []string, different ones
	Trees               // [][]Setting
)

// String says what a value of the type is, for messages: "a number", "a list of whole numbers".
func (t Type) String() string {
	return [...]string{
		"a number", "a whole number", "a whole number", "true or false", "text", "a list of numbers", "a list of whole numbers",
		"a list of pairs of numbers, like [[2, 1.5]]", "keys and values", "a list of words", "a list of keys and values",
	}[t]
}

// Key is one setting: everything that a file, a flag, a completion or a table of the documentation needs to know of it.
type Key struct {
	// Section is the group that the key belongs to, "" for a key that stands alone.
	Section string
	// Name is the key as users write it, without its section.
	Name string
	Type Type
	// Default is the value where the key is left out, of the Go type of Type; nil for none, where that is allowed.
	Default any
	// Range bounds a number, and each number of a list. If nil, any finite number will do.
	Range *Interval
	// Words are the values that a text may have, or each of a list of texts. If nil, any text will do.
	Words []string
	// Inside are the keys that each of the Trees may have, for editors. A list of one may be its item there.
	Inside []Key
	// Doc is the key's meaning, a line without a full stop.
	Doc string
	// When says where the key has a meaning: where all conditions hold.
	When []Condition

	// Optional keys may be null, for no value.
	Optional bool
	// Sparse keys are written only where their value is not the default.
	Sparse bool
	// Repeats allows a list of texts to hold one twice.
	Repeats bool
	// Inert keys cannot change what is computed.
	Inert bool
	// Timeless keys cannot change how long a step of a computation takes.
	Timeless bool
}

// Condition holds where another key, a selector, has one of some words for its value.
type Condition struct {
	Key   string // with its section
	Words []string
}

// Path returns the key with its section: optimizer.beta2.
func (k *Key) Path() string { return join(k.Section, k.Name) }

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

// check says what is wrong with a value of the key's Go type: a word that it does not know, a number out of range. "" says that it
// is right.
func (k *Key) check(value any) (problem string) {
	switch v := value.(type) {
	case string:
		return k.checkText(v)
	case []string:
		there := map[string]bool{}
		for i, text := range v {
			if there[text] && !k.Repeats {
				return inItem(i, visible.Name(text)+" is there already")
			}
			there[text] = true
		}
		return checkEach(v, k.checkText)
	case float64:
		return k.checkNumber(v)
	case int:
		return k.checkNumber(float64(v))
	case uint64:
		return k.checkNumber(float64(v))
	case []float64:
		return checkEach(v, k.checkNumber)
	case []int:
		return checkEach(v, func(x int) string { return k.checkNumber(float64(x)) })
	case [][2]float64:
		return checkEach(v, func(p [2]float64) string { return checkEach(p[:], k.checkNumber) })
	}
	return ""
}

func (k *Key) checkText(text string) (problem string) {
	if k.Words == nil || slices.Contains(k.Words, text) {
		return ""
	}
	return fmt.Sprintf("unknown value %q; %s", visible.Clip(text), Suggest(text, k.Words))
}

func checkEach[T any](values []T, check func(T) string) (problem string) {
	for i, v := range values {
		if problem := check(v); problem != "" {
			return inItem(i, problem)
		}
	}
	return ""
}

func inItem(i int, problem string) string { return fmt.Sprintf("item %d: %s", i+1, problem) }

func (k *Key) checkNumber(x float64) (problem string) {
	finite := !math.IsNaN(x) && !math.IsInf(x, 0)
	switch r := k.Range; {
	case finite && (r == nil || r.Contains(x)):
		return ""
	case r == nil || r.Unbounded():
		return FormatNumber(x) + " is out of range; expected a finite number"
	default:
		return fmt.Sprintf("%s is out of range; expected a number %s, %s", FormatNumber(x), r, r.Notation())
	}
}
