package gemm

import "unsafe"

// frame is a rectangle of source rows and columns, partly outside of the image, in which a convolution finds its left
// operand: the images themselves if nothing lies outside, else a copy in scratch with zeros around.
type frame struct {
	h, w, c int // of the source images
	row0    int // source row of the frame's first row, for the first row of results
	col0    int // source column of the frame's first column
	rows    int // for one row of results; more need step rows each
	cols    int
	step    int // source rows between rows of results
	chans   int // channels copied: a group's, or fewer
	inPlace bool
	// Where group is 2 or more, a copy has in each channel the element of that number of the channel's group.
	group, element int
	pixel          int // elements between neighbours
	rowPitch       int
	imgPitch       int
}

// place decides whether the images serve as they are, and lays out the copy of band rows of results otherwise.
func (f *frame) place(results, band, size int) {
	f.inPlace = f.group < 2 && f.chans == f.c && f.row0 >= 0 && f.col0 >= 0 &&
		f.row0+(results-1)*f.step+f.rows <= f.h && f.col0+f.cols <= f.w
	if f.inPlace {
		f.pixel, f.rowPitch, f.imgPitch = f.c, f.w*f.c, f.h*f.w*f.c
		return
	}
	f.pixel, f.rowPitch = f.chans, f.cols*f.chans
	f.imgPitch = spread(((band-1)*f.step+f.rows)*f.rowPitch, size)
}

// spread lengthens n elements so that blocks at that distance start in different sets of a cache.
func spread(n, size int) int {
	const page, odd = 4096, 17 * cacheLine
	return (roundUp(n*size-odd, page) + odd) / size
}

// scratch returns the elements that copies of the given number of images need.
func (f *frame) scratch(images int) int {
	if f.inPlace {
		return 0
	}
	return images * f.imgPitch
}

// fill returns the frame's first element for results from row first on, of images n0 to n1 and channels from ch on.
// It copies what band rows of results need, unless the images serve in place.
func fill[T Float](f *frame, ks *kernels, b *block, src, scratch []T, n0, n1, ch, first, band int) unsafe.Pointer {
	if f.rows == 0 { // no tap reads anything
		return nil
	}
	if f.inPlace {
		return at(src, ((n0*f.h+f.row0+first*f.step)*f.w+f.col0)*f.c+ch)
	}
	rows := (band-1)*f.step + f.rows
	top := f.row0 + first*f.step
	lo, hi := max(0, -top), min(rows, f.h-top)
	left, right := max(0, -f.col0), min(f.cols, f.w-f.col0)
	for n := n0; n < n1; n++ {
		img := scratch[(n-n0)*f.imgPitch:][:rows*f.rowPitch]
		if lo >= hi || left >= right {
			clear(img)
			continue
		}
		clear(img[:lo*f.rowPitch])
		clear(img[hi*f.rowPitch:])
		for r := lo; r < hi && left > 0; r++ {
			clear(img[r*f.rowPitch:][:left*f.chans])
		}
		for r := lo; r < hi && right < f.cols; r++ {
			clear(img[r*f.rowPitch+right*f.chans : (r+1)*f.rowPitch])
		}
		dst := img[lo*f.rowPitch+left*f.chans:]
		from := src[((n*f.h+top+lo)*f.w+f.col0+left)*f.c+ch:]
		f.copyRows(ks, b, unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(from)), hi-lo, right-left)
	}
	return at(scratch, 0)
}

// sourcesOf returns the memory that fill reads, of so many channels from ch on.
func sourcesOf[T Float](f *frame, src []T, n0, n1, ch, chans, first, band int) stretch {
	if n0 >= n1 {
		return stretch{}
	}
	top := f.row0 + first*f.step
	lo := n0*f.h + max(0, top)
	hi := (n1-1)*f.h + min(f.h, top+(band-1)*f.step+f.rows)
	return stretchOf(src, lo*f.w*f.c+ch, (hi-lo)*f.w, chans, f.c)
}

// copyRows copies the part of the frame that lies inside of an image.
func (f *frame) copyRows(ks *kernels, b *block, dst, src unsafe.Pointer, rows, cols int) {
	if f.chans == f.c {
		*b = block{
			dst: dst, src: src, rows: rows, cols: cols * f.c, ldd: f.rowPitch * ks.size, lds: f.w * f.c * ks.size,
		}
		f.copy(ks, b)
		return
	}
	for r := range rows {
		*b = block{
			dst: unsafe.Add(dst, r*f.rowPitch*ks.size), src: unsafe.Add(src, r*f.w*f.c*ks.size),
			rows: cols, cols: f.chans, ldd: f.chans * ks.size, lds: f.c * ks.size,
		}
		f.copy(ks, b)
	}
}

func (f *frame) copy(ks *kernels, b *block) {
	if f.group < 2 {
		ks.move(b)
		return
	}
	ks.spread(b, f.group, f.element)
}
