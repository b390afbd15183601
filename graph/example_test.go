package graph_test

import (
	"fmt"
	"log"

	"shadowflow/engine"
	"shadowflow/graph"
)

// The gradient of a small function.
func ExampleGrad() {
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float64, 2)
	y := x.At(0).Square().Mul(x.At(1)) // x0^2 x1
	g := graph.Grad(y, x)[0]

	p, err := engine.Compile([]graph.Value{x}, []graph.Value{y, g}, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	value, gradient := make([]float64, 1), make([]float64, 2)
	if err := p.Run([]engine.Buffer{engine.Of([]float64{3, 5})}, []engine.Buffer{engine.Of(value), engine.Of(gradient)}); err != nil {
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

	p, err := engine.Compile([]graph.Value{x, v}, hv, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	out := make([]float64, 2)
	in := []engine.Buffer{engine.Of([]float64{3, 5}), engine.Of([]float64{1, 2})}
	if err := p.Run(in, []engine.Buffer{engine.Of(out)}); err != nil {
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

	p, err := engine.Compile([]graph.Value{y}, series, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	coef, out := make([]float64, len(series)), []engine.Buffer{}
	for k := range coef {
		out = append(out, engine.Of(coef[k:k+1]))
	}
	if err := p.Run([]engine.Buffer{engine.Of([]float64{1})}, out); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", coef)
	// Output: [1.0000 1.0000 0.5000 0.1667 0.0417]
}

// An embedding looks rows of a table up by integers; the gradient adds up what comes back to each row.
func ExampleValue_Rows() {
	b := graph.NewBuilder()
	table, words := b.Param("table", graph.Float64, 3, 2), b.Param("words", graph.Int32, 4)
	y := table.Rows(words) // [4, 2]
	g := graph.Grad(y.Sum(), table)[0]

	p, err := engine.Compile([]graph.Value{table, words}, []graph.Value{y, g}, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	rows, gradient := make([]float64, 8), make([]float64, 6)
	in := []engine.Buffer{engine.Of([]float64{1, 2, 3, 4, 5, 6}), engine.Of([]int32{2, 0, 2, 2})}
	if err := p.Run(in, []engine.Buffer{engine.Of(rows), engine.Of(gradient)}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(rows, gradient)
	// Output: [5 6 1 2 5 6 5 6] [1 1 0 0 3 3]
}
