package vec

import "shadowflow/internal/kernel/isa"

// few is the number of elements up to which plain Go beats the call of an assembly function.
const few = 4

func accelerate32(k *Kernels[float32], set isa.Set) {
	switch set {
	case isa.AVX512:
		use32AVX512(k)
	case isa.AVX2:
		use32AVX2(k)
	}
}

func accelerate64(k *Kernels[float64], set isa.Set) {
	switch set {
	case isa.AVX512:
		use64AVX512(k)
	case isa.AVX2:
		use64AVX2(k)
	}
}
