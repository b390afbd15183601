package dataset

import (
	"context"
	"fmt"

	"shadowflow/internal/plural"
)

// IDX, the format of MNIST and its relatives (http://yann.lecun.com/exdb/mnist):
// a magic number (two zero bytes, the type of the elements, the number of
// dimensions), each dimension as a big-endian uint32, the elements.
const (
	idxImagesMagic = 0x00000803 // unsigned bytes, three dimensions
	idxLabelsMagic = 0x00000801 // unsigned bytes, one dimension

	idxMaxSide  = 1 << 12
	idxMaxBytes = 1 << 31
)

// readIDX reads the four files of a data set of the MNIST family.
func readIDX(ctx context.Context, s Spec) (*Dataset, error) {
	train, trainLabels, err := readIDXPart(ctx, s.TrainImages, s.TrainLabels)
	if err != nil {
		return nil, err
	}
	test, testLabels := Part{Shape: train.Shape}, labelled{}
	if s.TestImages != "" {
		test, testLabels, err = readIDXPart(ctx, s.TestImages, s.TestLabels)
		if err != nil {
			return nil, err
		}
		if test.Shape[0] != train.Shape[0] || test.Shape[1] != train.Shape[1] {
			return nil, &FormatError{File: s.TestImages, Offset: 8,
				Got:  fmt.Sprintf("images of %dx%d", test.Shape[0], test.Shape[1]),
				Want: fmt.Sprintf("%dx%d as in %s", train.Shape[0], train.Shape[1], s.TrainImages)}
		}
	}
	classes, err := countClasses(trainLabels, testLabels, s.Classes, true)
	if err != nil {
		return nil, err
	}
	return &Dataset{
		Name:       s.Name,
		Shape:      train.Shape,
		Classes:    classes,
		ClassNames: numberNames(classes),
		Train:      train,
		Test:       test,
	}, nil
}

func readIDXPart(ctx context.Context, imagesPath, labelsPath string) (Part, labelled, error) {
	var part Part
	err := withFile(ctx, imagesPath, func(c *cursor) (err error) {
		part, err = parseIDXImages(c)
		return err
	})
	if err != nil {
		return Part{}, labelled{}, err
	}
	var labels labelled
	err = withFile(ctx, labelsPath, func(c *cursor) (err error) {
		labels, err = parseIDXLabels(c)
		return err
	})
	if err != nil {
		return Part{}, labelled{}, err
	}
	if err := labels.countLabels(len(part.raw.u8)/part.Size(), imagesPath); err != nil {
		return Part{}, labelled{}, err
	}
	part.Labels = labels.labels
	return part, labels, nil
}

// parseIDXImages reads images; their labels are still to come.
func parseIDXImages(c *cursor) (Part, error) {
	if err := expectMagic(c, idxImagesMagic, "images: unsigned bytes, 3 dimensions"); err != nil {
		return Part{}, err
	}
	var dims [3]int64
	for i, d := range []struct {
		what  string
		limit uint32
	}{{"number of images", idxMaxBytes}, {"height", idxMaxSide}, {"width", idxMaxSide}} {
		v, err := c.uint32(d.what)
		if err != nil {
			return Part{}, err
		}
		if v < 1 || v > d.limit {
			return Part{}, c.fail(c.off-4, fmt.Sprintf("%s %d", d.what, v), fmt.Sprintf("1 to %d", d.limit))
		}
		dims[i] = int64(v)
	}
	if dims[0] > idxMaxBytes/(dims[1]*dims[2]) {
		return Part{}, c.fail(4, fmt.Sprintf("%d images of %dx%d bytes", dims[0], dims[1], dims[2]),
			fmt.Sprintf("at most %d bytes in all", idxMaxBytes))
	}
	x, err := c.bytes(dims[0]*dims[1]*dims[2], fmt.Sprintf("pixels of %s of %dx%d", plural.Count(dims[0], "image"), dims[1], dims[2]))
	if err != nil {
		return Part{}, err
	}
	return Part{Shape: []int{int(dims[1]), int(dims[2]), 1}, raw: values{u8: x}}, c.end()
}

func parseIDXLabels(c *cursor) (labelled, error) {
	if err := expectMagic(c, idxLabelsMagic, "labels: unsigned bytes, 1 dimension"); err != nil {
		return labelled{}, err
	}
	n, err := c.uint32("number of labels")
	if err != nil {
		return labelled{}, err
	}
	if n < 1 || n > idxMaxBytes {
		return labelled{}, c.fail(4, fmt.Sprintf("number of labels %d", n), fmt.Sprintf("1 to %d", idxMaxBytes))
	}
	start := c.off
	raw, err := c.bytes(int64(n), plural.Count(n, "label"))
	if err != nil {
		return labelled{}, err
	}
	labels := make([]int32, len(raw))
	for i, b := range raw {
		labels[i] = int32(b)
	}
	return labelled{labels: labels, file: c.file, start: start, width: 1}, c.end()
}

func expectMagic(c *cursor, want uint32, meaning string) error {
	got, err := c.uint32("magic number")
	if err != nil {
		return err
	}
	if got != want {
		return c.fail(0, fmt.Sprintf("magic number 0x%08x", got), fmt.Sprintf("0x%08x (%s)", want, meaning))
	}
	return nil
}
