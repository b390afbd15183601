package gemm_test

import (
	"fmt"

	"shadowflow/internal/kernel/gemm"
	"shadowflow/internal/kernel/isa"
)

// A plan is made once for a shape and run many times, here without a pool of workers.
func Example() {
	set, err := isa.Best()
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := gemm.NewMatMul[float64](gemm.MatMul{Batch: 1, M: 2, N: 2, K: 3, TransB: true}, set, 1)
	c := make([]float64, 4)
	work := make([]float64, plan.Workspace())
	plan.Run(nil, c, work, false, gemm.Pair[float64]{A: []float64{1, 2, 3, 4, 5, 6}, B: []float64{1, 0, 1, 0, 1, 0}})
	fmt.Println(c)
	// Output: [4 2 10 5]
}
