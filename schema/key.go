package schema

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
)

// String says what a value of the type is, for messages: "a number", "a list of whole numbers".
func (t Type) String() string {
	return [...]string{
		"a number", "a whole number", "a whole number", "true or false", "text", "a list of numbers", "a list of whole numbers",
		"a list of pairs of numbers, like [[2, 1.5]]",
	}[t]
}

// Key is one setting: everything that a file, a flag, a completion or a table of the documentation needs to know of it.
type Key struct {
	// Name is the key as users write it, without its section.
	Name string
	Type Type
	// Default is the value where the key is left out, of the Go type of Type.
	Default any
	// Range bounds a number, and each number of a list. If nil, any finite number will do.
	Range *Interval
	// Words are the values that a text may have. If nil, any text will do.
	Words []string
	// Doc is the key's meaning, a line without a full stop.
	Doc string
}
