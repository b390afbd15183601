package layout_test

import (
	"fmt"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/layout"
	"shadowflow/internal/kernel/vec"
)

func ExampleNewPermute() {
	src := []int32{1, 2, 3, 4, 5, 6} // [2, 3]
	dst := make([]int32, 6)
	transpose := layout.NewPermute[int32]([]int{2, 3}, []int{1, 0})
	for i := range transpose.Chunks() {
		transpose.RunChunk(dst, src, i)
	}
	fmt.Println(dst)
	// Output: [1 4 2 5 3 6]
}

func ExampleNewPad() {
	pad := layout.NewPad[int32]([]int{3}, []int{1}, []int{2}, []int{1})
	dst := make([]int32, pad.Shape()[0])
	for i := range pad.Chunks() {
		pad.RunChunk(dst, []int32{7, 8, 9}, i)
	}
	fmt.Println(dst)
	// Output: [0 7 0 8 0 9 0 0]
}

func ExampleNewSum() {
	src := []float32{1, 2, 3, 4, 5, 6} // [2, 3]
	sum := layout.NewSum(vec.For[float32](isa.Go), []int{2, 3}, []int{1})
	dst, scratch := make([]float32, 2), make([]float32, sum.Scratch())
	for i := range sum.Chunks() {
		sum.RunChunk(dst, scratch, src, i)
	}
	sum.Finish(dst, scratch)
	fmt.Println(dst)
	// Output: [6 15]
}
