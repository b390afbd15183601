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

func sizeRoundsFor(set isa.Set) (sizeRounds[float32], sizeRounds[float64]) {
	if set == isa.NEON {
		return sizes32NEON, sizes64NEON
	}
	return nil, nil
}
