package vec

import "shadowflow/internal/kernel/isa"

func accelerate32(k *Kernels[float32], set isa.Set) {
	if set == isa.NEON {
		use32NEON(k)
	}
}

func accelerate64(k *Kernels[float64], set isa.Set) {
	if set == isa.NEON {
		use64NEON(k)
	}
}

func sizeRounds(set isa.Set) func(sums, x, eps *float64, n int) {
	if set == isa.NEON {
		return sizes64NEON
	}
	return nil
}
