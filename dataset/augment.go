package dataset

// Augmentation is the usual one for small images (He et al., 2016, section
// 4.2): pad with Pad black pixels (raw value 0) on each side, crop to the
// original size at a random place, and flip left to right half of the time.
// What an image gets is a function of the seed, the step and the image's index
// alone.
type Augmentation struct {
	Pad  int
	Flip bool
	Seed uint64
}

// CropAndFlip is the augmentation that the configuration's augment turns on:
// padding 4 and flips.
func CropAndFlip(seed uint64) Augmentation {
	return Augmentation{Pad: 4, Flip: true, Seed: seed}
}

// draw chooses the crop's corner in the padded image, and whether to flip.
func (a Augmentation) draw(step, index int) (top, left int, flip bool) {
	r := stream("augment", a.Seed, uint64(step), uint64(index))
	top, left = r.IntN(2*a.Pad+1), r.IntN(2*a.Pad+1)
	return top, left, a.Flip && r.IntN(2) == 1
}

// GatherAugmented is Gather with the images augmented for the given step. The
// part must have images.
func GatherAugmented[T Float](dst []T, p Part, rows []int, a Augmentation, step int) {
	if len(p.Shape) != 3 {
		panic("dataset: augmentation of examples that are not images")
	}
	checkLength(len(dst), len(rows)*p.Size())
	s := newScaler[T](p)
	black := make([]T, s.channels)
	for c := range black {
		black[c] = s.value(0, c)
	}
	image := make([]T, s.size)
	for k, i := range rows {
		s.row(image, i)
		top, left, flip := a.draw(step, i)
		cropFlip(dst[k*s.size:][:s.size], image, p.Shape, top-a.Pad, left-a.Pad, flip, black)
	}
}

// cropFlip writes the window of src whose corner is at (top, left), which may
// lie outside src, where it is black.
func cropFlip[T Float](dst, src []T, shape []int, top, left int, flip bool, black []T) {
	h, w, channels := shape[0], shape[1], shape[2]
	for y := range h {
		for x := range w {
			sy, sx := y+top, x+left
			if flip {
				sx = w - 1 - x + left
			}
			pixel := black
			if sy >= 0 && sy < h && sx >= 0 && sx < w {
				pixel = src[(sy*w+sx)*channels:]
			}
			copy(dst[(y*w+x)*channels:][:channels], pixel)
		}
	}
}
