package gemm

import "unsafe"

// packing copies pieces of a right operand into panels: for each panel of width columns, rows of width elements, one
// behind the other. The last panel's missing columns are left as they are; tiles never use them.
type packing struct {
	ks    *kernels
	block *block
}

// pack copies k rows and n columns from src, laid out as m says, to the panels that start at dst. A panel has height
// rows in all, of which these are the ones from row at on.
func (p packing) pack(dst unsafe.Pointer, height, at int, src unsafe.Pointer, m matrix, k, n int) {
	wide, size := p.ks.width(), p.ks.size
	b := p.block
	for j := 0; j < n; j += wide {
		b.dst = unsafe.Add(dst, (height*j+at*wide)*size)
		b.src = unsafe.Add(src, j*m.col*size)
		b.ldd = wide * size
		if m.col == 1 {
			b.rows, b.cols, b.lds = k, min(wide, n-j), m.row*size
			p.ks.move(b)
			continue
		}
		b.rows, b.cols, b.lds = min(wide, n-j), k, m.col*size
		p.ks.flip(b)
	}
}
