package dataset

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"shadowflow/internal/plural"
	"shadowflow/internal/userfile"
	"slices"
	"strings"
)

// npzPart is a part as an npz file has it: with labels, or with targets.
type npzPart struct {
	shape   []int // [N, D] or [N, C, H, W], with channels last [N, H, W, C]
	x       values
	labels  labelled
	targets Targets
}

// readNPZ reads a NumPy archive with X, y and, if there, X_test and y_test.
func readNPZ(ctx context.Context, s Spec) (*Dataset, error) {
	f, size, err := userfile.Open(s.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	train, test, err := parseNPZ(ctx, s.Path, f, size, s.Task)
	if err != nil {
		return nil, err
	}
	d := &Dataset{Name: s.Name, Notes: layoutNotes(train.shape, s.Layout)}
	d.Train, d.Test = train.part(s.Layout), test.part(s.Layout)
	d.Shape = d.Train.Shape
	if columns := train.targets.Columns; columns == 0 {
		if d.Classes, err = countClasses(train.labels, test.labels, s.Classes, false); err != nil {
			return nil, err
		}
		d.ClassNames = numberNames(d.Classes)
	} else {
		if s.Classes != 0 {
			return nil, &FieldError{"classes", fmt.Sprintf("%d; y of %s are numbers to predict, not classes: remove it", s.Classes, s.Path)}
		}
		d.TargetNames = numberNames(columns)
		if s.Task != TaskRegression {
			d.NoteOnTargets = wholeTargetsNote(train.targets, "y, an array of floats,")
		}
	}
	if d.Test.N() > 0 {
		if s.TestFraction != nil {
			return nil, &FieldError{"test_fraction", s.Path + " has its own test part, X_test; remove it"}
		}
		return d, nil
	}
	if f := s.testFraction(); f > 0 {
		d.Train, d.Test, err = d.Train.split(d.Classes, f)
	}
	d.Test.Shape = d.Shape
	return d, err
}

// part moves the channels of images last, if they are not.
func (a npzPart) part(layout string) Part {
	if a.shape == nil {
		return Part{}
	}
	p := Part{Shape: a.shape[1:], Labels: a.labels.labels, Targets: a.targets, raw: a.x}
	if len(p.Shape) == 3 && layout != LayoutNHWC {
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

// parseNPZ reads the arrays, y as the task says or, if it does not, by the type.
// Without X_test and y_test, test is zero.
func parseNPZ(ctx context.Context, name string, r io.ReaderAt, size int64, task string) (train, test npzPart, err error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return train, test, &FormatError{File: name, Got: err.Error() + userfile.Explain(r), Want: "a zip archive, as numpy.savez writes", Err: err}
	}
	a := npzArchive{ctx, name, size, archive}
	if err := a.checkNames(); err != nil {
		return train, test, err
	}
	train, err = a.part("X", "y", task)
	if err != nil {
		return train, test, err
	}
	if !a.has("X_test") && !a.has("y_test") {
		return train, test, nil
	}
	task = TaskClassification
	if train.targets.Columns > 0 {
		task = TaskRegression
	}
	test, err = a.part("X_test", "y_test", task)
	switch {
	case err != nil:
	case !slices.Equal(test.shape[1:], train.shape[1:]):
		err = &FormatError{File: a.member("X_test"), Got: fmt.Sprintf("shape %v", test.shape),
			Want: fmt.Sprintf("examples of shape %v as in X", train.shape[1:])}
	case test.targets.Columns != train.targets.Columns:
		err = &FormatError{File: a.member("y_test"), Got: plural.Count(test.targets.Columns, "column"),
			Want: fmt.Sprintf("%d as in y", train.targets.Columns)}
	}
	return train, test, err
}

// npzArchive is an open archive of arrays.
type npzArchive struct {
	ctx  context.Context
	path string
	size int64
	zip  *zip.Reader
}

// member is how errors call an array.
func (a npzArchive) member(array string) string { return fmt.Sprintf("%s (%s.npy)", a.path, array) }

// checkNames refuses an archive with two arrays of one name: which of them NumPy reads is chance. One that is there in other letters would
// not be read at all.
func (a npzArchive) checkNames() error {
	seen := map[string]bool{}
	for _, f := range a.zip.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		if seen[name] {
			return &FormatError{File: a.path, Got: fmt.Sprintf("two arrays %q", name), Want: "one of each name"}
		}
		seen[name] = true
	}
	for _, array := range []string{"X", "y", "X_test", "y_test"} {
		for name := range seen {
			if !seen[array] && strings.EqualFold(name, array) {
				return &FormatError{File: a.path, Got: fmt.Sprintf("an array %q", name), Want: array + ", if that is what it is, or another name"}
			}
		}
	}
	return nil
}

// names lists the archive's arrays, of many and of long names no more than tells which archive it is.
func (a npzArchive) names() string {
	const most, longest = 20, 80
	var out []string
	for _, f := range a.zip.File[:min(most, len(a.zip.File))] {
		name := []rune(strings.TrimSuffix(f.Name, ".npy"))
		if len(name) > longest {
			name = append(name[:longest:longest], []rune("...")...)
		}
		out = append(out, fmt.Sprintf("%q", string(name)))
	}
	if more := len(a.zip.File) - most; more > 0 {
		out = append(out, fmt.Sprintf("%d more", more))
	}
	return "[" + strings.Join(out, " ") + "]"
}

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
func (a npzArchive) part(xName, yName, task string) (out npzPart, err error) {
	err = a.read(xName, func(c *cursor, h npyHeader) (err error) {
		if len(h.shape) != 2 && len(h.shape) != 4 {
			return c.fail(0, fmt.Sprintf("shape %v", h.shape), "[N, D] or [N, C, H, W] (data.layout: nhwc for [N, H, W, C])")
		}
		out.shape = h.shape
		out.x, err = readNPYInputs(c, h)
		return err
	})
	if err != nil {
		return out, err
	}
	err = a.read(yName, func(c *cursor, h npyHeader) (err error) {
		if task == TaskRegression || task != TaskClassification && h.isFloat() {
			out.targets, err = readNPYTargets(c, h, out.shape[0], xName)
			return err
		}
		if out.labels, err = readNPYLabels(c, h); err != nil {
			return err
		}
		return out.labels.countLabels(out.shape[0], xName)
	})
	return out, err
}

func (a npzArchive) read(array string, parse func(*cursor, npyHeader) error) error {
	f := a.find(array)
	if f == nil {
		return fmt.Errorf("%s: no array %s among %s; expected X, y and, if there is a test part, X_test, y_test", a.path, array, a.names())
	}
	c := &cursor{file: a.member(array)}
	r, err := f.Open()
	if err != nil {
		return c.ended(err, "an array in a zip archive")
	}
	defer r.Close()
	c.r = &contextReader{a.ctx, r}
	if much := (expansion{min(int64(f.CompressedSize64), a.size), int64(f.UncompressedSize64)}).tooMuch(); much != "" {
		return c.fail(0, much, wantData)
	}
	h, err := parseNPYHeader(c)
	if err != nil {
		return err
	}
	if end := int64(f.UncompressedSize64); c.off+int64(h.count()*h.width) > end { // before room is made for it
		return c.fail(end, "the file ends", fmt.Sprintf("%s of shape %v: %d more bytes", plural.Count(h.count(), "element"), h.shape, c.off+int64(h.count()*h.width)-end))
	}
	return parse(c, h)
}
