package gemm

import "unsafe"

// The transforms of Winograd's convolution in plain Go. Those of a column or row are written out; a square's are two of them.

const rootHalf, rootTwo = 0.70710678118654752440, 1.41421356237309504880

func winogradGo() winogradKernels {
	return winogradKernels{
		scatterImage:  func(t *transform) { transformGo(t, 6, 6, imageGo) },
		scatterKernel: func(t *transform) { transformGo(t, 3, 6, kernelGo) },
		scatterResult: func(t *transform) { transformGo(t, 4, 6, resultGo) },
		gatherResult:  func(t *transform) { transformGo(t, 6, 4, fromResultGo) },
		gatherKernel:  func(t *transform) { transformGo(t, 6, 3, fromKernelGo) },
	}
}

// line is a column or row of a square.
type line [winogradIn]float32

// transformGo turns squares of n by n elements into squares of m by m.
func transformGo(t *transform, n, m int, one func(x line) line) {
	channels := (t.vecs - 1) * goLanes
	for mask := t.mask; mask != 0; mask >>= 1 {
		channels++
	}
	for tile := range t.count {
		for c := range channels {
			src := unsafe.Add(t.src, tile*t.srcStep+c*size[float32]())
			dst := unsafe.Add(t.dst, tile*t.dstStep+c*size[float32]())
			var half [winogradIn]line // the columns' transforms, by row
			for j := range n {
				var x line
				for i := range n {
					x[i] = load[float32](src, i*t.srcRow+j*t.srcCol)
				}
				for i, y := range one(x) {
					half[i][j] = y
				}
			}
			for i := range m {
				y := one(half[i])
				for j := range m {
					p := (*float32)(unsafe.Add(dst, i*t.dstRow+j*t.dstCol))
					if t.accumulate != 0 {
						y[j] += *p
					}
					*p = y[j]
				}
			}
		}
	}
}

func imageGo(x line) line {
	e1, o1 := x[4]-2*x[2], rootHalf*(x[3]-2*x[1])
	e2, o2 := x[4]-x[2]/2, rootTwo*(x[3]-x[1]/2)
	return line{x[0] - 2.5*x[2] + x[4], e1 + o1, e1 - o1, e2 + o2, e2 - o2, x[1] - 2.5*x[3] + x[5]}
}

func kernelGo(x line) line {
	const third = 1. / 3
	e1, o1 := -2*third*x[0]-third*x[2], -2*third*rootHalf*x[1]
	e2, o2 := third/2*x[0]+third*x[2], third/2*rootTwo*x[1]
	return line{x[0], e1 + o1, e1 - o1, e2 + o2, e2 - o2, x[2]}
}

func resultGo(x line) line {
	e1, o1 := x[0]+x[2]/2, rootHalf*(x[1]+x[3]/2)
	e2, o2 := x[0]+2*x[2], rootTwo*(x[1]+2*x[3])
	return line{x[0], e1 + o1, e1 - o1, e2 + o2, e2 - o2, x[3]}
}

func fromResultGo(x line) line {
	s1, d1, s2, d2 := x[1]+x[2], x[1]-x[2], x[3]+x[4], x[3]-x[4]
	return line{x[0] + s1 + s2, rootHalf*d1 + rootTwo*d2, s1/2 + 2*s2, rootHalf/2*d1 + 2*rootTwo*d2 + x[5]}
}

func fromKernelGo(x line) line {
	const third = 1. / 3
	s1, d1, s2, d2 := x[1]+x[2], x[1]-x[2], x[3]+x[4], x[3]-x[4]
	return line{x[0] - 2*third*s1 + third/2*s2, -2*third*rootHalf*d1 + third/2*rootTwo*d2, third*(s2-s1) + x[5]}
}
