// Package gemm multiplies matrices and convolves images, in float32 and float64.
//
// Everything is one operation: a tile of the result, a few rows by a few vectors, stays in registers while a kernel
// runs through the inner dimension. The left operand of that kernel is affine, not packed: element (row i, inner index
// (p, s, k)) lies at i*rs + p*ps + s*ss + k*ks, where the strides are arguments. A row-major or transposed matrix is
// affine; so is an image in NHWC layout seen by a convolution (rows are pixels, the inner index runs over kernel rows
// and, contiguously, over columns and channels) and seen by its kernel gradient (rows are channels, the inner index runs
// over images, rows and pixels). So no convolution builds an im2col matrix; an image that needs padding is
// copied once, with its border, into scratch. The right operand is packed into panels as wide as a tile.
//
// A 3 by 3 convolution of stride 1 in float32 takes a quarter of the multiplications: see winograd.go. It is 36 of the
// products above, between transforms that stay in the second-level cache, and two to three times as fast; its
// errors of rounding are 2 to 7 times those of adding up the products.
//
// A convolution with small groups, of one channel (depthwise) to half a vector of them, is no product of matrices worth a tile: its tiles are pixels by
// a vector of channels, multiplied lane by lane. See lanewise.go.
//
// Where a kernel's taps lie apart (a dilated convolution), the inner index runs over kernel rows, taps and channels, which is as affine.
//
// A plan fixes how one problem is cut: into chunks for the workers and blocks for the caches. The order in which products
// are added is part of the plan and depends on shapes and instruction set alone, so the same operands give the same bits
// on any number of workers.
//
// Operands of a network's products are mostly in main memory, and so are the results' places. Each step of a kernel therefore asks for a cache
// line that a later tile will read or write, walking over a rectangle of memory that the plan knows: reading takes place during the arithmetic.
//
// See Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), and, for convolutions through
// indirect or affine operands, Dukhan, "The Indirect Convolution Algorithm" (arXiv:1907.02129).
package gemm
