//go:build !amd64 && !arm64

package vec

import "shadowflow/internal/kernel/isa"

func accelerate32(*Kernels[float32], isa.Set) {}

func accelerate64(*Kernels[float64], isa.Set) {}

func sizeRounds(isa.Set) func(sums, x, eps *float64, n int) { return nil }
