package vec_test

import (
	"fmt"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/vec"
)

func ExampleFor() {
	set, err := isa.Best()
	if err != nil {
		fmt.Println(err)
		return
	}
	k := vec.For[float32](set)
	x := []float32{-1, 0, 2}
	k.Relu(x, x)
	fmt.Println(x, k.Sum(x))
	// Output: [0 0 2] 2
}
