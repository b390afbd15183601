// Package dataset reads data of real formats into memory: the digits and the
// text that the binary carries, the MNIST family (IDX), CIFAR-10 and CIFAR-100,
// NumPy archives, tables (CSV), folders of images, and texts. Whatever the
// format, the result is a Dataset: a training and a test Part, both with raw
// values stored as narrowly as the file stored them, the standardization that
// turns them into a model's inputs in float32 or float64, and what is to be
// predicted: classes, or numbers. Everything random here (subsets, splits,
// augmentation) is a function of explicit seeds, the same on every platform.
package dataset

import (
	"fmt"
	"slices"

	"shadowflow/internal/plural"
)

// Dataset is data for classification or regression, whole in memory.
type Dataset struct {
	Name string

	// Shape is the shape of one example: [H, W, C] for images, channels last,
	// or [D] for plain features.
	Shape []int

	// Classes is the number of classes; labels are 0..Classes-1. It is 0 where
	// numbers are predicted.
	Classes int

	// ClassNames has one name a class, in the order of the labels.
	ClassNames []string

	// FeatureNames and TargetNames name the columns of a table; without names in
	// the file the former are nil, the latter numbered.
	FeatureNames, TargetNames []string

	Train, Test Part

	// Mean and Std are the numbers that standardize the inputs, one a channel or,
	// for plain features, a column; nil if the inputs are left as they are. Std is
	// 0 for a constant channel or column, which is only centred.
	Mean, Std []float64

	// TargetMean and TargetStd are those that have standardized the targets, one a
	// column; nil if these are left as they are.
	TargetMean, TargetStd []float64

	// Notes say what a person should know of the data: what looks like a mistake.
	Notes []string

	// NoteOnTargets says that the numbers to predict look like those of classes, where nothing said which they are; empty if they do not.
	// It is none of the Notes, for a loss may want them so.
	NoteOnTargets string

	// Attribution says who made the data and under which licence, where known.
	Attribution string
}

// Part is the training or the test part of a Dataset. The inputs are read
// through Inputs, Gather and GatherAugmented. Copies share the values, which
// nothing here changes.
type Part struct {
	// Shape is the shape of one example, as in Dataset.
	Shape []int

	// Labels has the class of each example, of a text's windows that of each of
	// their tokens; Targets its numbers to predict: one of them is empty.
	Labels  []int32
	Targets Targets

	tokens    bool // see Tokens
	raw       values
	mean, std []float64
}

// raw is the type of a number in a file.
type raw interface{ uint8 | float32 | float64 }

// values are raw numbers in the type that the file had them in. At most one of
// the slices is not empty.
type values struct {
	u8  []uint8
	f32 []float32
	f64 []float64
}

// bytes is the memory that the values take.
func (v values) bytes() int { return len(v.u8) + 4*len(v.f32) + 8*len(v.f64) }

// take returns copies of the given rows of size values each.
func (v values) take(rows []int, size int) values {
	return values{
		u8:  takeRows(v.u8, rows, size),
		f32: takeRows(v.f32, rows, size),
		f64: takeRows(v.f64, rows, size),
	}
}

func takeRows[T any](x []T, rows []int, size int) []T {
	if len(x) == 0 {
		return nil
	}
	out := make([]T, 0, len(rows)*size)
	for _, r := range rows {
		out = append(out, x[r*size:(r+1)*size]...)
	}
	return out
}

// NewPart makes a part of examples of the given shape, [H, W, C] or [D], from
// their values, row-major, and their labels. It keeps the slices, not copies.
// It returns an error if the lengths do not fit together or a label is
// negative.
func NewPart[T raw](shape []int, x []T, labels []int32) (Part, error) {
	for i, l := range labels {
		if l < 0 {
			return Part{}, fmt.Errorf("dataset: label %d of example %d is negative", l, i)
		}
	}
	return newPart(shape, x, len(labels), Part{Labels: labels})
}

// newPart completes a part of n examples that has all but the inputs.
func newPart[T raw](shape []int, x []T, n int, p Part) (Part, error) {
	size, err := exampleSize(shape)
	if err != nil {
		return Part{}, err
	}
	if len(x)%size != 0 || len(x)/size != n {
		return Part{}, fmt.Errorf("dataset: %s and %s; expected %s (shape %v) a label", plural.Count(len(x), "value"), plural.Count(n, "label"), plural.Count(size, "value"), shape)
	}
	p.Shape = slices.Clone(shape)
	switch x := any(x).(type) {
	case []uint8:
		p.raw.u8 = x
	case []float32:
		p.raw.f32 = x
	case []float64:
		p.raw.f64 = x
	}
	return p, nil
}

func exampleSize(shape []int) (int, error) {
	if len(shape) != 1 && len(shape) != 3 {
		return 0, fmt.Errorf("dataset: shape %v of an example; expected [D] or [H, W, C]", shape)
	}
	size := 1
	for _, d := range shape {
		if d < 1 {
			return 0, fmt.Errorf("dataset: shape %v of an example; expected positive sizes", shape)
		}
		size *= d
	}
	return size, nil
}

// N is the number of examples.
func (p Part) N() int {
	if p.Targets.Columns > 0 {
		return p.Targets.n()
	}
	return len(p.Labels) / p.LabelsEach()
}

// Size is the number of values of one example.
func (p Part) Size() int {
	size := 1
	for _, d := range p.Shape {
		size *= d
	}
	return size
}

// channels is the number of means and deviations that standardize the part: the
// channels of images, the columns of a table.
func (p Part) channels() int { return p.Shape[len(p.Shape)-1] }

// Select returns a part with copies of the given examples, in the given order.
func (p Part) Select(rows []int) Part {
	out := p
	out.Labels = takeRows(p.Labels, rows, p.LabelsEach())
	out.Targets.Values = takeRows(p.Targets.Values, rows, p.Targets.Columns)
	out.raw = p.raw.take(rows, p.Size())
	return out
}

// ClassCounts returns the number of labels of each of the classes.
func (p Part) ClassCounts(classes int) []int {
	counts := make([]int, classes)
	for _, l := range p.Labels {
		counts[l]++
	}
	return counts
}
