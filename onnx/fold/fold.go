// Package fold evaluates the operators of ONNX that depend on no data: the arithmetic of shapes, masks and positions that exporters write out as
// operators, where a program wants numbers.
package fold

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"shadowflow/internal/plural"
	"shadowflow/onnx"
)

// Array is a known array, row-major. Floating-point elements are in Floats, whole numbers and truth values (0, 1) in Ints.
type Array struct {
	Type   onnx.Type
	Shape  []int // empty for a scalar
	Ints   []int64
	Floats []float64
}

// Of returns a tensor of a file as an array.
func Of(t *onnx.Tensor) *Array {
	a := &Array{Type: t.Type, Shape: t.Shape}
	switch data := t.Data.(type) {
	case []int64:
		a.Ints = data
	case []float64:
		a.Floats = data
	case []float32:
		a.Floats = make([]float64, len(data))
		for i, v := range data {
			a.Floats[i] = float64(v)
		}
	}
	return a
}

// Vector returns an array of whole numbers, as shapes are.
func Vector(numbers ...int) *Array {
	a := &Array{Type: onnx.Int64, Shape: []int{len(numbers)}, Ints: make([]int64, len(numbers))}
	for i, n := range numbers {
		a.Ints[i] = int64(n)
	}
	return a
}

// Size returns the number of elements.
func (a *Array) Size() int { return size(a.Shape) }

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// pick makes an array of other shape whose elements are those at the indices.
func (a *Array) pick(shape, index []int) *Array {
	out := &Array{Type: a.Type, Shape: shape}
	if a.Type.Floating() {
		out.Floats = make([]float64, len(index))
		for i, at := range index {
			out.Floats[i] = a.Floats[at]
		}
		return out
	}
	out.Ints = make([]int64, len(index))
	for i, at := range index {
		out.Ints[i] = a.Ints[at]
	}
	return out
}

// clone returns an array with elements of its own.
func (a *Array) clone() *Array {
	return &Array{Type: a.Type, Shape: a.Shape, Ints: slices.Clone(a.Ints), Floats: slices.Clone(a.Floats)}
}

// put sets elements from one place on to n of another array's, which is of the same type.
func (a *Array) put(at int, from *Array, start, n int) {
	if a.Type.Floating() {
		copy(a.Floats[at:][:n], from.Floats[start:])
	} else {
		copy(a.Ints[at:][:n], from.Ints[start:])
	}
}

// shaped returns the same elements in another shape.
func (a *Array) shaped(shape []int) *Array {
	b := *a
	b.Shape = shape
	return &b
}

// Integers returns the elements of an array of whole numbers as a list, as lengths and axes are wanted.
func (a *Array) Integers() ([]int, error) {
	if a.Type.Floating() {
		return nil, fmt.Errorf("an array of %s, want whole numbers", a.Type)
	}
	out := make([]int, len(a.Ints))
	for i, n := range a.Ints {
		out[i] = int(n)
	}
	return out, nil
}

const (
	maxElements = 1 << 24 // of one array: a mask of 4096 by 4096 tokens
	maxWork     = 1 << 28 // elements of all arrays of a graph
	maxRank     = 64      // as files of tensors have
)

// Folder evaluates the operators of one graph, with a bound on what that costs.
type Folder struct{ work int }

// Knows reports whether an operator can be evaluated here.
func Knows(n *onnx.Node) bool { return n.Domain == "" && operators[n.Op] != nil }

// Eval evaluates an operator on its inputs, nil for those that are left out. The error has no name of the node.
func (f *Folder) Eval(n *onnx.Node, in []*Array) ([]*Array, error) {
	c := &call{node: n, in: in, attributes: n.Read(), folder: f}
	out, err := operators[n.Op](c)
	if err = errors.Join(err, c.attributes.Done()); err != nil {
		return nil, err
	}
	for _, a := range out {
		if len(a.Shape) > maxRank {
			return nil, fmt.Errorf("its result has %d axes, want at most %d", len(a.Shape), maxRank)
		}
		if a.Type == onnx.Float32 {
			for i, v := range a.Floats {
				a.Floats[i] = float64(float32(v))
			}
		}
	}
	return out, nil
}

// call is one evaluation.
type call struct {
	node       *onnx.Node
	in         []*Array
	attributes *onnx.Attributes
	folder     *Folder
}

// operator evaluates an operator.
type operator func(*call) ([]*Array, error)

// input returns an input that has to be there.
func (c *call) input(i int) (*Array, error) {
	if i >= len(c.in) || c.in[i] == nil {
		return nil, fmt.Errorf("it has no input %d", i)
	}
	return c.in[i], nil
}

// first makes an operator of what is done to its first input, which has to be there.
func first(f func(c *call, a *Array) ([]*Array, error)) operator {
	return func(c *call) ([]*Array, error) {
		a, err := c.input(0)
		if err != nil {
			return nil, err
		}
		return f(c, a)
	}
}

// optional returns the whole numbers of an input, nil if it is left out.
func (c *call) optional(i int) ([]int, error) {
	if i >= len(c.in) || c.in[i] == nil {
		return nil, nil
	}
	return c.in[i].Integers()
}

// room refuses shapes with a length below 0, and with more elements than shapes and masks have: with a length of 0, the other lengths are bounded so too.
func (c *call) room(shape []int) error {
	if len(shape) > maxRank {
		return fmt.Errorf("its result has %d axes, want at most %d", len(shape), maxRank)
	}
	n := 1
	for _, d := range shape {
		if d < 0 || n > maxElements/max(d, 1) {
			return fmt.Errorf("its result has the shape %v, want lengths of at least 0 and at most %s, for it depends on no data", shape, plural.Of(maxElements, "element"))
		}
		n *= max(d, 1)
	}
	return c.made(n)
}

// made counts so many elements, and refuses more than a graph's arithmetic has.
func (c *call) made(n int) error {
	if c.folder.work += n; c.folder.work > maxWork {
		return fmt.Errorf("what depends on no data has more than %s altogether", plural.Of(maxWork, "element"))
	}
	return nil
}

// axis returns an axis that counts from the last if it is below 0.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d of an array of %d axes", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

func one(a *Array, err error) ([]*Array, error) { return []*Array{a}, err }

// saturated makes a whole number of a floating-point one, which may be larger than any.
func saturated(v float64) int64 {
	switch {
	case v != v:
		return 0
	case v >= math.MaxInt64:
		return math.MaxInt64
	case v <= math.MinInt64:
		return math.MinInt64
	}
	return int64(v)
}
