package vec

import "shadowflow/internal/kernel/isa"

func accelerate32(k *Kernels[float32], set isa.Set) {}

func accelerate64(k *Kernels[float64], set isa.Set) {}
