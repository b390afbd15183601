package isa

import "golang.org/x/sys/cpu"

func available() []Set {
	x := cpu.X86
	sets := []Set{Go}
	if x.HasAVX2 && x.HasFMA {
		sets = append(sets, AVX2)
	}
	if len(sets) == 2 && x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL {
		sets = append(sets, AVX512)
	}
	return sets
}
