package dataset

import (
	"fmt"
	"strings"

	"shadowflow/internal/plural"
)

// classNotes says which classes have no example to train on: a sign of labels
// that are not numbered 0, 1, 2, ...
func classNotes(d *Dataset) []string {
	if d.Train.Tokens() {
		return nil // a text has few of the bytes that there are
	}
	var empty []string
	first := 0 // class with an example
	for c, n := range d.Train.ClassCounts(d.Classes) {
		if n > 0 {
			continue
		}
		if c == len(empty) {
			first = c + 1
		}
		empty = append(empty, d.ClassNames[c])
	}
	const outputs = "the network gets an output for each class that no example asks for"
	switch {
	case len(empty) == 0:
		return nil
	case len(empty) == first:
		return []string{fmt.Sprintf("labels start at %d, not at 0: %s. If classes are counted from %[1]d, subtract %[1]d from the labels",
			first, outputs)}
	}
	shown := empty[:min(len(empty), 8)]
	more := ""
	if n := len(empty) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return []string{fmt.Sprintf("no training example has label %s%s, of 0 to %d: %s. If that is not meant, number the classes 0, 1, 2, ...",
		strings.Join(shown, ", "), more, d.Classes-1, outputs)}
}

// mostChannels is how many channels a picture has at most: grey, colours, and alpha.
const mostChannels = 4

// layoutNotes says where images [N, ...] look as if their channels were on the other side than the layout has them. They do where they would have more
// channels than a picture has, and in the other layout no more than that, or be square, which as they are read they are not: 28 by 28 pixels with 16 channels are
// likelier than 28 by 16 with 28. Shapes of which neither reading is a picture or alone is square say nothing.
func layoutNotes(shape []int, layout string) []string {
	if len(shape) != 4 {
		return nil
	}
	read, turned, other := imageShape{shape[1], shape[2], shape[3]}, imageShape{shape[3], shape[1], shape[2]}, LayoutNHWC
	if layout == LayoutNHWC {
		read, turned, other = turned, read, LayoutNCHW
	}
	if read.channels <= mostChannels || turned.channels > mostChannels && (read.square() || !turned.square()) {
		return nil
	}
	return []string{fmt.Sprintf("X has shape %v, read as images of %v: if it is those of %v, say data.layout: %s", shape, read, turned, other)}
}

// imageShape is what a layout makes of the axes of images.
type imageShape struct{ channels, height, width int }

func (s imageShape) square() bool { return s.height == s.width }

func (s imageShape) String() string {
	return fmt.Sprintf("%d by %d pixels with %s", s.height, s.width, plural.Of(s.channels, "channel"))
}

// turnedNotes says which image files ask for their pixels to be turned, as many
// photographs do.
func turnedNotes(files []string, turned []bool) []string {
	n, first := 0, ""
	for i, file := range files {
		if !turned[i] {
			continue
		}
		if n++; n == 1 {
			first = file
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of %d images, like %s, have an EXIF orientation, which is not applied: pixels are read as they are stored, "+
		"as by PIL's Image.open. If they should stand upright, write them anew through ImageOps.exif_transpose", n, len(files), first)}
}
