package dataset

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// npzPart is a part as an npz file has it.
type npzPart struct {
	shape  []int // [N, D] or [N, C, H, W]
	x      values
	labels labelled
}

// readNPZ reads a NumPy archive with X, y and, if there, X_test and y_test.
func readNPZ(ctx context.Context, s Spec) (*Dataset, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	train, test, err := parseNPZ(ctx, s.Path, f, info.Size())
	if err != nil {
		return nil, err
	}
	classes, err := countClasses(train.labels, test.labels, s.Classes, false)
	if err != nil {
		return nil, err
	}
	d := &Dataset{
		Name:       s.Name,
		Classes:    classes,
		ClassNames: numberNames(classes),
		Train:      train.part(),
		Test:       test.part(),
	}
	d.Shape = d.Train.Shape
	if d.Test.N() > 0 {
		if s.TestFraction != nil {
			return nil, &FieldError{"test_fraction", s.Path + " has its own test part, X_test; remove it"}
		}
		return d, nil
	}
	trainRows, testRows := splitRows(d.Train.Labels, classes, s.testFraction())
	if len(testRows) > 0 {
		d.Train, d.Test = d.Train.Select(trainRows), d.Train.Select(testRows)
	}
	d.Test.Shape = d.Shape
	return d, nil
}

// part moves the channels of images last.
func (a npzPart) part() Part {
	if a.shape == nil {
		return Part{}
	}
	p := Part{Shape: a.shape[1:], Labels: a.labels.labels, raw: a.x}
	if len(p.Shape) == 3 {
		c, h, w := p.Shape[0], p.Shape[1], p.Shape[2]
		p.Shape = []int{h, w, c}
		imagesChannelsLast(a.x.u8, c, h*w)
		imagesChannelsLast(a.x.f32, c, h*w)
		imagesChannelsLast(a.x.f64, c, h*w)
	}
	return p
}

// imagesChannelsLast reorders each image in place.
func imagesChannelsLast[T any](x []T, channels, pixels int) {
	image := make([]T, channels*pixels)
	for ; len(x) > 0; x = x[len(image):] {
		channelsLast(image, x[:len(image)], channels)
		copy(x, image)
	}
}

// parseNPZ reads the arrays. Without X_test and y_test, test is zero.
func parseNPZ(ctx context.Context, name string, r io.ReaderAt, size int64) (train, test npzPart, err error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return train, test, &FormatError{File: name, Got: err.Error(), Want: "a zip archive, as numpy.savez writes", Err: err}
	}
	a := npzArchive{ctx, name, archive}
	train, err = a.part("X", "y")
	if err != nil {
		return train, test, err
	}
	if !a.has("X_test") && !a.has("y_test") {
		return train, test, nil
	}
	test, err = a.part("X_test", "y_test")
	if err == nil && !slices.Equal(test.shape[1:], train.shape[1:]) {
		err = &FormatError{File: a.member("X_test"), Got: fmt.Sprintf("shape %v", test.shape),
			Want: fmt.Sprintf("examples of shape %v as in X", train.shape[1:])}
	}
	return train, test, err
}

// npzArchive is an open archive of arrays.
type npzArchive struct {
	ctx  context.Context
	path string
	zip  *zip.Reader
}

// member is how errors call an array.
func (a npzArchive) member(array string) string { return fmt.Sprintf("%s (%s.npy)", a.path, array) }

// find also takes names without .npy, which NumPy reads and npyio writes.
func (a npzArchive) find(array string) *zip.File {
	for _, f := range a.zip.File {
		if strings.TrimSuffix(f.Name, ".npy") == array {
			return f
		}
	}
	return nil
}

func (a npzArchive) has(array string) bool { return a.find(array) != nil }

// part reads a pair of arrays.
func (a npzArchive) part(xName, yName string) (out npzPart, err error) {
	err = a.read(xName, func(c *cursor, h npyHeader) (err error) {
		if len(h.shape) != 2 && len(h.shape) != 4 {
			return c.fail(0, fmt.Sprintf("shape %v", h.shape), "[N, D] or [N, C, H, W]")
		}
		out.shape = h.shape
		out.x, err = readNPYFloats(c, h)
		return err
	})
	if err != nil {
		return out, err
	}
	err = a.read(yName, func(c *cursor, h npyHeader) (err error) {
		out.labels, err = readNPYLabels(c, h)
		return err
	})
	if err != nil {
		return out, err
	}
	return out, out.labels.countLabels(out.shape[0], xName)
}

func (a npzArchive) read(array string, parse func(*cursor, npyHeader) error) error {
	f := a.find(array)
	if f == nil {
		var names []string
		for _, f := range a.zip.File {
			names = append(names, strings.TrimSuffix(f.Name, ".npy"))
		}
		return fmt.Errorf("%s: no array %s among %.10q; expected X, y and, if there is a test part, X_test, y_test",
			a.path, array, names)
	}
	c := &cursor{file: a.member(array)}
	r, err := f.Open()
	if err != nil {
		return c.ended(err, "an array in a zip archive")
	}
	defer r.Close()
	c.r = &contextReader{a.ctx, r}
	h, err := parseNPYHeader(c)
	if err != nil {
		return err
	}
	return parse(c, h)
}
