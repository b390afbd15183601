//go:build !amd64 && !arm64

package gemm

import "shadowflow/internal/kernel/isa"

func vectorKernels(int, isa.Set) *kernels { return nil }
