package vec

import "unsafe"

//go:noescape
func streamLines(dst, src unsafe.Pointer, lines int)
