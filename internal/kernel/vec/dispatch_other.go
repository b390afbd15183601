//go:build !amd64 && !arm64

package vec

import "shadowflow/internal/kernel/isa"

func accelerate32(*Kernels[float32], isa.Set) {}

func accelerate64(*Kernels[float64], isa.Set) {}

func sizeRoundsFor(isa.Set) (sizeRounds[float32], sizeRounds[float64]) { return nil, nil }
