package isa

import "golang.org/x/sys/cpu"

func available() []Set {
	if cpu.ARM64.HasASIMD {
		return []Set{Go, NEON}
	}
	return []Set{Go}
}
