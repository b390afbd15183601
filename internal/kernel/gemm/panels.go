package gemm

import "unsafe"

// packing copies pieces of a right operand into panels: for each panel of width columns, rows of width elements, one
// behind the other. What the last panel has in its missing columns does not matter; tiles never use it.
type packing struct {
	ks    *kernels
	block *block
}

// pack copies k rows and n columns from src, laid out as m says, to the panels that start at dst. A panel has height
// rows in all, of which these are the ones from row at on.
func (p packing) pack(dst unsafe.Pointer, height, at int, src unsafe.Pointer, m matrix, k, n int) {
	wide, size := p.ks.width(), p.ks.size
	b := p.block
	if m.col == 1 {
		*b = block{
			dst: unsafe.Add(dst, at*wide*size), src: src, rows: k, cols: n,
			ldd: wide * size, lds: m.row * size, piece: wide, gap: height * wide * size,
		}
		p.ks.deal(b)
		return
	}
	for j := 0; j < n; j += wide {
		*b = block{
			dst: unsafe.Add(dst, (height*j+at*wide)*size), src: unsafe.Add(src, j*m.col*size),
			rows: min(wide, n-j), cols: k, ldd: wide * size, lds: m.col * size,
		}
		p.ks.flip(b)
	}
}
