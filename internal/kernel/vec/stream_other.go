//go:build !amd64

package vec

import "unsafe"

func streamLines(dst, src unsafe.Pointer, lines int) {
	n := lines * cacheLine
	copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
}
