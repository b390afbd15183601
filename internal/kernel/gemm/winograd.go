package gemm

import "unsafe"

// Winograd's convolution: a square of 4 by 4 results of a 3 by 3 kernel is
//
//	A' [(G g G') * (B' d B)] A
//
// where d are the 6 by 6 elements of the image that it depends on, g is the kernel, and * multiplies elements. Each of
// the 36 products is summed over the channels before the outer transform, so they are 36 products of matrices, tiles by
// channels times channels by results: 36 multiplications where the definition has 144. The sum being linear in each
// argument, its gradients are the transposed transforms:
//
//	dg = G' [sum over tiles of (B' d B) * (A dy A')] G
//
// and the gradient for the image is the same convolution with the kernel turned around. See Lavin and Gray, "Fast
// Algorithms for Convolutional Neural Networks" (arXiv:1509.09308), F(4x4, 3x3). The matrices are those of interpolation
// at 0, +-a, +-b and infinity; theirs has a = 1 and b = 2. With the roots of 1/2 and of 2, between which the errors of
// rounding are smallest, those are a quarter of theirs, 2 to 7 times those of adding up 32 to 512 channels directly:
//
//	B' = [1    0   -5/2   0    1  0]   G = [  1      0     0  ]   A' = [1  1    1     1    1   0]
//	     [0 -2a   -2      a    1  0]       [-2/3 -2/3a  -1/3  ]        [0  a   -a     b   -b   0]
//	     [0  2a   -2     -a    1  0]       [-2/3  2/3a  -1/3  ]        [0 1/2  1/2    2    2   0]
//	     [0 -b/2  -1/2    b    1  0]       [ 1/6  1/6b   1/3  ]        [0 a/2 -a/2   2b  -2b   1]
//	     [0  b/2  -1/2   -b    1  0]       [ 1/6 -1/6b   1/3  ]
//	     [0  1    0    -5/2    0  1]       [  0      0     1  ]
const (
	winogradOut    = 4                       // results of a tile, each way
	winogradIn     = winogradOut + 2         // elements of the image that they depend on
	winogradPlanes = winogradIn * winogradIn // products
	winogradTaps   = 3                       // of the kernel, each way
)

// transform is what a transform's kernel is told, distances in bytes: count squares of src become squares of dst, each
// element a vector of channels. Kernels in assembly read it by offset, so its layout is fixed.
type transform struct {
	src, dst         unsafe.Pointer
	srcRow, srcCol   int // between a square's rows and columns
	dstRow, dstCol   int
	srcStep, dstStep int // between squares
	count            int
	vecs             int    // vectors of channels
	mask             uint64 // the low bits, one for each channel of the last of them
	accumulate       int    // 1: add to dst, 0: overwrite it; for those that gather
}

// channels says how many channels there are.
func (t *transform) channels(n, lanes int) {
	t.vecs = ceilDiv(n, lanes)
	t.mask = 1<<(n-(t.vecs-1)*lanes) - 1
}

// winogradKernels are the transforms, for elements that have them.
type winogradKernels struct {
	scatterImage  func(*transform) // 6x6 to 6x6: B' X B
	scatterKernel func(*transform) // 3x3 to 6x6: G X G'
	scatterResult func(*transform) // 4x4 to 6x6: A X A'
	gatherResult  func(*transform) // 6x6 to 4x4: A' X A
	gatherKernel  func(*transform) // 6x6 to 3x3: G' X G
}

// Where Winograd's convolution beats the direct one, measured on Zen 4 and Zen 5.
const (
	winogradChannels = 16 // least channels on either side
	winogradGain     = 2  // least ratio of multiplications, rows and columns beyond the image counted
)

// winograd says whether the convolution is one that kernels with transforms do better by them.
func (s Conv) winograd(ks *kernels) bool {
	if ks.winograd.scatterImage == nil || s.KH != winogradTaps || s.KW != winogradTaps || s.StrideH*s.StrideW*s.Groups != 1 {
		return false
	}
	if h, w := s.dilation(); h*w != 1 {
		return false
	}
	if min(s.C, s.O) < winogradChannels || max(s.PadTop, s.PadLeft, s.PadBottom, s.PadRight) >= winogradTaps {
		return false
	}
	direct := s.OutH() * s.OutW() * winogradTaps * winogradTaps
	return direct >= winogradGain*winogradPlanes*tilesAcross(s.OutH())*tilesAcross(s.OutW())
}

// Floating-point operations of the transforms of a square of one channel, of its columns and then of the rows of what these yield.
const (
	scatterImageFlops  = (6 + 6) * 22
	scatterKernelFlops = (3 + 6) * 14
	scatterResultFlops = (4 + 6) * 16
	gatherResultFlops  = (6 + 4) * 16
	gatherKernelFlops  = (6 + 3) * 15
)

// winogradTiles returns the tiles that cover results h by w of all images.
func (s Conv) winogradTiles(h, w int) float64 { return float64(s.N * tilesAcross(h) * tilesAcross(w)) }

// winogradProducts is twice the multiply-adds of the transformed products of so many tiles.
func (s Conv) winogradProducts(tiles float64) float64 {
	return 2 * float64(s.terms()) * winogradPlanes * tiles * float64(s.C) * float64(s.O)
}

// winogradFlops returns the operations of the convolution by transforms: of products, and of each transform done once.
func (t *tapConv) winogradFlops(s Conv) float64 {
	tiles, terms := s.winogradTiles(t.dstH, t.dstW), float64(s.terms())
	return s.winogradProducts(tiles) + terms*tiles*float64(t.chans)*scatterImageFlops +
		terms*float64(t.chans*t.outs)*scatterKernelFlops + tiles*float64(t.outs)*gatherResultFlops
}

// winogradGradFlops is that of the gradient with respect to its kernel.
func (s Conv) winogradGradFlops() float64 {
	tiles, terms := s.winogradTiles(s.OutH(), s.OutW()), float64(s.terms())
	return s.winogradProducts(tiles) + terms*tiles*(float64(s.C)*scatterImageFlops+float64(s.O)*scatterResultFlops) + float64(s.C*s.O)*gatherKernelFlops
}

// tilesAcross returns how many tiles cover n results.
func tilesAcross(n int) int { return ceilDiv(n, winogradOut) }
