package graph_test

import (
	"fmt"
	"log"

	"shadowflow/graph"
)

// The gradient of a small function.
func ExampleGrad() {
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float64, 2)
	y := x.At(0).Square().Mul(x.At(1)) // x0^2 x1
	g := graph.Grad(y, x)[0]

	p, err := graph.Compile([]graph.Value{x}, []graph.Value{y, g}, graph.Options{})
	if err != nil {
		log.Fatal(err)
	}
	value, gradient := make([]float64, 1), make([]float64, 2)
	if err := p.Run([]graph.Buffer{graph.Of([]float64{3, 5})}, []graph.Buffer{graph.Of(value), graph.Of(gradient)}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(value, gradient)
	// Output: [45] [30 9]
}

// A Hessian-vector product is the JVP of the gradient.
func ExampleJVP() {
	b := graph.NewBuilder()
	x, v := b.Param("x", graph.Float64, 2), b.Param("v", graph.Float64, 2)
	y := x.At(0).Square().Mul(x.At(1)) // its Hessian is [2 x1, 2 x0; 2 x0, 0]
	g := graph.Grad(y, x)
	hv := graph.JVP(g, []graph.Value{x}, []graph.Value{v})

	p, err := graph.Compile([]graph.Value{x, v}, hv, graph.Options{})
	if err != nil {
		log.Fatal(err)
	}
	out := make([]float64, 2)
	in := []graph.Buffer{graph.Of([]float64{3, 5}), graph.Of([]float64{1, 2})}
	if err := p.Run(in, []graph.Buffer{graph.Of(out)}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(out)
	// Output: [22 6]
}

// The solution of y' = y is found from its own series: the coefficient of t^k is that of the right-hand side, of degree k-1,
// divided by k.
func ExampleJet() {
	b := graph.NewBuilder()
	y := b.Param("y", graph.Float64)
	slope := y.Alias() // the right-hand side of y' = y
	jet := graph.NewJet()
	jet.Set(y, func(k, _ int) graph.Value {
		c := jet.Coef(slope, k-1, 0)
		return c.Div(c.Like(float64(k)))
	})
	var series []graph.Value
	for k := range 5 {
		series = append(series, jet.Coef(y, k, 0))
	}

	p, err := graph.Compile([]graph.Value{y}, series, graph.Options{})
	if err != nil {
		log.Fatal(err)
	}
	coef, out := make([]float64, len(series)), []graph.Buffer{}
	for k := range coef {
		out = append(out, graph.Of(coef[k:k+1]))
	}
	if err := p.Run([]graph.Buffer{graph.Of([]float64{1})}, out); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", coef)
	// Output: [1.0000 1.0000 0.5000 0.1667 0.0417]
}

// A step of gradient descent writes the weights where it read them.
func ExampleProgram_Run() {
	b := graph.NewBuilder()
	w, x, labels := b.Param("w", graph.Float32, 2, 2), b.Param("x", graph.Float32, 3, 2), b.Param("labels", graph.Int32, 3)
	loss := x.MatMul(w).CrossEntropy(labels)
	next := w.Sub(graph.Grad(loss, w)[0].Mul(w.Like(0.5)))
	p, err := graph.Compile([]graph.Value{w, x, labels}, []graph.Value{next, loss}, graph.Options{Threads: 1})
	if err != nil {
		log.Fatal(err)
	}
	weights, value := graph.NewBuffer(graph.Float32, 4), graph.NewBuffer(graph.Float32, 1)
	data, class := graph.Of([]float32{1, 0, 0, 1, -1, 0.5}), graph.Of([]int32{0, 1, 1})
	for range 100 {
		if err := p.Run([]graph.Buffer{weights, data, class}, []graph.Buffer{weights, value}); err != nil {
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
	_, err := graph.Compile([]graph.Value{x}, []graph.Value{y}, graph.Options{})
	op := err.(*graph.OpError)
	fmt.Println(op.Op, op.Shapes, op.Reason)
	// Output: MatMul [[2 3] [2 3]] inner axes 3 and 2 differ
}
