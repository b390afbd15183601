package gemm

import "unsafe"

// Bounds of the blocks of tiles, measured on Zen 4 and Zen 5.
const (
	tileBytes  = 256 << 10 // a block's elements in all planes, with what else is needed, stay in the second-level cache
	leastTiles = 28        // of a block: two kernels' rows, so that reading the other operand is worth its while
)

// tiling covers the results of all images with squares, and cuts those into blocks: bands of rows of tiles in an image,
// or whole images where they are small.
type tiling struct {
	images      int // in all
	rows, cols  int // tiles in an image
	together    int // images in a block
	band, bands int // rows of tiles in a block, blocks in an image
}

// newTiling cuts into blocks of about the given number of tiles.
func newTiling(images, height, width, tiles int) tiling {
	t := tiling{images: images, rows: tilesAcross(height), cols: tilesAcross(width), together: 1, bands: 1}
	if each := t.rows * t.cols; each <= tiles {
		t.together = min(images, tiles/each)
		t.together = ceilDiv(images, ceilDiv(images, t.together))
	} else {
		t.bands = ceilDiv(t.rows, max(1, tiles/t.cols))
	}
	t.band = ceilDiv(t.rows, t.bands)
	t.bands = ceilDiv(t.rows, t.band)
	return t
}

// tilesFor returns how many tiles make a block, if each has the given bytes in all planes.
func tilesFor(bytes int) int { return max(leastTiles, tileBytes/bytes) }

// blocks returns how many there are.
func (t *tiling) blocks() int { return ceilDiv(t.images, t.together) * t.bands }

// most returns the tiles of the largest block.
func (t *tiling) most() int { return t.together * t.band * t.cols }

// tileBlock is images n0 to n1, rows of tiles from first on.
type tileBlock struct{ n0, n1, first, rows int }

func (t *tiling) block(i int) tileBlock {
	b := tileBlock{n0: i / t.bands * t.together, first: i % t.bands * t.band}
	b.n1, b.rows = min(b.n0+t.together, t.images), min(t.band, t.rows-b.first)
	return b
}

// tiles returns how many tiles the block has.
func (t *tiling) tiles(b tileBlock) int { return (b.n1 - b.n0) * b.rows * t.cols }

// window returns the frame of squares of in elements each way, one for each square of results, of images whose element
// (row, col) is the first square's first.
func (t *tiling) window(in, h, w, c, row, col, size int) frame {
	f := frame{
		h: h, w: w, c: c, row0: row, col0: col,
		rows: in, cols: winogradOut*(t.cols-1) + in, step: winogradOut, chans: c,
	}
	f.place(t.rows, t.band, size)
	return f
}

// planes is where the transforms of a block of tiles lie: one matrix after the other, tiles by channels.
type planes struct{ pitch, plane int } // elements between tiles, and between planes

// newPlanes lays out matrices of the given extent so that neither tiles nor planes crowd in a few sets of a cache.
func newPlanes(tiles, channels int, ks *kernels) planes {
	line := cacheLine / ks.size
	pitch := roundUp(channels, line)
	if pitch*ks.size%256 == 0 {
		pitch += line
	}
	return planes{pitch: pitch, plane: spread(tiles*pitch, ks.size)}
}

// scatter fills the planes at dst with the transforms of a block of tiles, from so many channels of a frame, of which
// the first element is at src.
func (t *tiling) scatter(one func(*transform), tr *transform, f *frame, src unsafe.Pointer, channels int, b tileBlock, to planes, dst unsafe.Pointer, ks *kernels) {
	size := ks.size
	*tr = transform{
		srcRow: f.rowPitch * size, srcCol: f.pixel * size, srcStep: winogradOut * f.pixel * size,
		dstRow: winogradIn * to.plane * size, dstCol: to.plane * size, dstStep: to.pitch * size,
	}
	tr.channels(channels, ks.lanes)
	for n := range b.n1 - b.n0 {
		for i := range b.rows {
			tr.count = t.cols
			tr.src = unsafe.Add(src, (n*f.imgPitch+i*winogradOut*f.rowPitch)*size)
			tr.dst = unsafe.Add(dst, (n*b.rows+i)*t.cols*tr.dstStep)
			one(tr)
		}
	}
}
