package vec

import "unsafe"

// cacheLine is the number of bytes that memory moves in.
const cacheLine = 64

// Prefetch starts to bring x into the nearest cache. It changes nothing but the time that reading x, soon, will take.
func Prefetch[T Float](x []T) {
	if len(x) > 0 {
		prefetchLines(unsafe.Pointer(unsafe.SliceData(x)), (len(x)*int(unsafe.Sizeof(x[0]))+cacheLine-1)/cacheLine)
	}
}
