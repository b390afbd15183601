package engine_test

import (
	"fmt"
	"log"

	"shadowflow/engine"
	"shadowflow/graph"
)

// A step of gradient descent writes the weights where it read them.
func ExampleProgram_Run() {
	b := graph.NewBuilder()
	w, x, labels := b.Param("w", graph.Float32, 2, 2), b.Param("x", graph.Float32, 3, 2), b.Param("labels", graph.Int32, 3)
	loss := x.MatMul(w).CrossEntropy(labels)
	next := w.Sub(graph.Grad(loss, w)[0].Mul(w.Like(0.5)))
	p, err := engine.Compile([]graph.Value{w, x, labels}, []graph.Value{next, loss}, engine.Options{Threads: 1})
	if err != nil {
		log.Fatal(err)
	}
	weights, value := engine.NewBuffer(graph.Float32, 4), engine.NewBuffer(graph.Float32, 1)
	data, class := engine.Of([]float32{1, 0, 0, 1, -1, 0.5}), engine.Of([]int32{0, 1, 1})
	for range 100 {
		if err := p.Run([]engine.Buffer{weights, data, class}, []engine.Buffer{weights, value}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("loss %.3f\n", value.Float32s()[0])
	// Output: loss 0.019
}

// An error says which operation does not fit, and where it was called.
func ExampleCompile() {
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float64, 2, 3)
	y := x.MatMul(x)
	_, err := engine.Compile([]graph.Value{x}, []graph.Value{y}, engine.Options{})
	op := err.(*graph.OpError)
	fmt.Println(op.Op, op.Shapes, op.Reason)
	// Output: MatMul [[2 3] [2 3]] inner axes 3 and 2 differ
}

// What a program takes is known before anything of it is allocated.
func ExampleMeasure() {
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float32, 1<<16, 1<<10)
	loss := x.T().MatMul(x).Tanh().Sum()
	cost, err := engine.Measure([]graph.Value{x}, []graph.Value{loss}, engine.Options{Threads: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cost.Flops, cost.PeakBytes > 4<<20)
	// Output: 137438953472 true
}
