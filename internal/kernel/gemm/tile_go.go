package gemm

import "unsafe"

// Tiles in plain Go: the reference for the others, and what processors without vector kernels use.
const (
	goRows  = 4
	goLanes = 8
)

func goKernels[T Float]() *kernels {
	ks := &kernels{
		rows: goRows, lanes: goLanes, vecs: 1, size: size[T](), maskWide: true,
		dot: func(t *tile) { dotGo[T](t, 1) }, dot8: func(t *tile) { dotGo[T](t, 8) },
		move: moveGo[T], deal: dealGo[T](goLanes), flip: flipGo[T], spread: spreadGo[T], peak: peakGo[T],
	}
	for m := 1; m <= goRows; m++ {
		ks.tiles = append(ks.tiles, []func(*tile){func(t *tile) { tileGo[T](t, m) }})
		ks.lanewise = append(ks.lanewise, func(t *tile) { lanesGo[T](t, m) })
	}
	if size[T]() == size[float32]() {
		ks.winograd = winogradGo()
	}
	return ks
}

func load[T Float](p unsafe.Pointer, off int) T { return *(*T)(unsafe.Add(p, off)) }

func tileGo[T Float](t *tile, m int) {
	cols := 0
	for mask := t.mask; mask != 0; mask >>= 1 {
		cols++
	}
	size := size[T]()
	for i := range m {
		j := 0
		for ; j+4 <= cols; j += 4 {
			quadGo[T](t, i*t.rs, j*size, i*t.rc+j*size)
		}
		for ; j < cols; j++ {
			oneGo[T](t, i*t.rs, j*size, i*t.rc+j*size)
		}
	}
}

// quadGo computes four neighbours of a row.
func quadGo[T Float](t *tile, aOff, bOff, cOff int) {
	size := size[T]()
	var s0, s1, s2, s3 T
	for p := range t.planes {
		for s := range t.segs {
			off := aOff + p*t.ps + s*t.ss
			for range t.count {
				a, b := load[T](t.a, off), unsafe.Add(t.b, bOff)
				s0 += a * load[T](b, 0)
				s1 += a * load[T](b, size)
				s2 += a * load[T](b, 2*size)
				s3 += a * load[T](b, 3*size)
				off += t.ks
				bOff += t.ldb
			}
		}
	}
	c := (*[4]T)(unsafe.Add(t.c, cOff))
	if t.accumulate != 0 {
		s0, s1, s2, s3 = s0+c[0], s1+c[1], s2+c[2], s3+c[3]
	}
	*c = [4]T{s0, s1, s2, s3}
}

func oneGo[T Float](t *tile, aOff, bOff, cOff int) {
	var sum T
	for p := range t.planes {
		for s := range t.segs {
			off := aOff + p*t.ps + s*t.ss
			for range t.count {
				sum += load[T](t.a, off) * load[T](t.b, bOff)
				off += t.ks
				bOff += t.ldb
			}
		}
	}
	c := (*T)(unsafe.Add(t.c, cOff))
	if t.accumulate != 0 {
		sum += *c
	}
	*c = sum
}

func lanesGo[T Float](t *tile, m int) {
	size := size[T]()
	for i := range m {
		for j, mask := 0, t.mask; mask != 0; j, mask = j+1, mask>>1 {
			oneGo[T](t, i*t.rs+j*size, j*size, i*t.rc+j*size)
		}
	}
}

func dotGo[T Float](t *tile, m int) {
	b := unsafe.Slice((*T)(t.b), t.count)
	for i := range m {
		a := unsafe.Slice((*T)(unsafe.Add(t.a, i*t.rs)), t.count)
		var even, odd T
		k := 0
		for ; k+2 <= len(a); k += 2 {
			even += a[k] * b[k]
			odd += a[k+1] * b[k+1]
		}
		if k < len(a) {
			even += a[k] * b[k]
		}
		sum := even + odd
		c := (*T)(unsafe.Add(t.c, i*t.rc))
		if t.accumulate != 0 {
			sum += *c
		}
		*c = sum
	}
}

func moveGo[T Float](b *block) {
	for i := range b.rows {
		dst := unsafe.Slice((*T)(unsafe.Add(b.dst, i*b.ldd)), b.cols)
		copy(dst, unsafe.Slice((*T)(unsafe.Add(b.src, i*b.lds)), b.cols))
	}
}

func dealGo[T Float](lanes int) func(b *block) {
	return func(b *block) {
		slot := roundUp(b.piece, lanes)
		for i := range b.rows {
			src := unsafe.Slice((*T)(unsafe.Add(b.src, i*b.lds)), b.cols)
			to := i * b.ldd
			for len(src) > 0 {
				n := min(b.piece, len(src))
				dst := unsafe.Slice((*T)(unsafe.Add(b.dst, to)), slot)
				clear(dst[copy(dst, src[:n]):])
				src = src[n:]
				to += b.gap
			}
		}
	}
}

func flipGo[T Float](b *block) {
	size := size[T]()
	for i := range b.rows {
		for j := range b.cols {
			*(*T)(unsafe.Add(b.dst, j*b.ldd+i*size)) = load[T](b.src, i*b.lds+j*size)
		}
	}
}

func spreadGo[T Float](b *block, group, element int) {
	for i := range b.rows {
		dst := unsafe.Slice((*T)(unsafe.Add(b.dst, i*b.ldd)), b.cols)
		src := unsafe.Slice((*T)(unsafe.Add(b.src, i*b.lds)), b.cols)
		for j := range dst {
			dst[j] = src[j/group*group+element]
		}
	}
}
