package vec

import "unsafe"

//go:noescape
func prefetchLines(from unsafe.Pointer, lines int)
