package onnx

import (
	"fmt"
	"strconv"

	"shadowflow/internal/visible"
)

// Attributes reads a node's attributes, and remembers which were asked for: one that nobody asks for changes what the operator means.
type Attributes struct {
	node  *Node
	asked map[string]bool
	err   error
}

// Read begins to read the node's attributes.
func (n *Node) Read() *Attributes { return &Attributes{node: n, asked: map[string]bool{}} }

// Has reports whether the node has an attribute.
func (a *Attributes) Has(name string) bool { return a.node.Attribute(name) != nil }

// Int returns a whole number, absent where the node does not have it.
func (a *Attributes) Int(name string, absent int64) int64 {
	return value(a, name, absent, "a whole number")
}

// Float returns a number, absent where the node does not have it: of a float32 that with the fewest decimals, since 1e-5 was meant where the nearest
// float32 stands.
func (a *Attributes) Float(name string, absent float64) float64 {
	if !a.Has(name) {
		return absent
	}
	x, _ := strconv.ParseFloat(strconv.FormatFloat(float64(value(a, name, float32(0), "a number")), 'g', -1, 32), 64)
	return x
}

// Text returns a text, absent where the node does not have it.
func (a *Attributes) Text(name, absent string) string { return value(a, name, absent, "a text") }

// Ints returns a list of whole numbers, nil where the node does not have it.
func (a *Attributes) Ints(name string) []int64 {
	return value[[]int64](a, name, nil, "a list of whole numbers")
}

// Floats returns a list of numbers, nil where the node does not have it.
func (a *Attributes) Floats(name string) []float32 {
	return value[[]float32](a, name, nil, "a list of numbers")
}

// Tensor returns a tensor, nil where the node does not have it.
func (a *Attributes) Tensor(name string) *Tensor { return value[*Tensor](a, name, nil, "a tensor") }

// Ignore takes attributes as asked for that change nothing here.
func (a *Attributes) Ignore(names ...string) {
	for _, name := range names {
		a.asked[name] = true
	}
}

// Done returns an error if an attribute was of another type than it was asked for as, or if there is one that was not asked for.
func (a *Attributes) Done() error {
	for _, attribute := range a.node.Attributes {
		if a.err == nil && !a.asked[attribute.Name] {
			a.err = fmt.Errorf("attribute %q is not known of %s", visible.Name(attribute.Name), visible.Name(a.node.Op))
		}
	}
	return a.err
}

func value[T any](a *Attributes, name string, absent T, want string) T {
	a.asked[name] = true
	attribute := a.node.Attribute(name)
	if attribute == nil {
		return absent
	}
	v, ok := attribute.Value.(T)
	if !ok && a.err == nil {
		a.err = fmt.Errorf("attribute %q is of another type: want %s", name, want)
	}
	return v
}
