package vec

import "shadowflow/internal/kernel/isa"

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

func sizeRoundsFor(set isa.Set) (sizeRounds[float32], sizeRounds[float64]) {
	switch set {
	case isa.AVX512:
		return sizes32AVX512, sizes64AVX512
	case isa.AVX2:
		return sizes32AVX2, sizes64AVX2
	}
	return nil, nil
}
