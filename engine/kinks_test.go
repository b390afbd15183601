package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"shadowflow/graph"
)

// kinkCases are the cases of testdata/kinks.py, which writes what PyTorch takes for a derivative where there is none: relu'(0) = 0,
// |x|'(0) = 0; a tie of max or min gives half to each, a tie of amax an equal share to all; a pooling window gives all to the first.
var kinkCases = map[string]struct {
	elementwise bool
	f           func(x []graph.Value) graph.Value
}{
	"relu":              {true, func(x []graph.Value) graph.Value { return x[0].Relu() }},
	"abs":               {true, func(x []graph.Value) graph.Value { return x[0].Abs() }},
	"sign":              {true, func(x []graph.Value) graph.Value { return x[0].Sign() }},
	"max":               {true, func(x []graph.Value) graph.Value { return x[0].Max(x[1]) }},
	"min":               {true, func(x []graph.Value) graph.Value { return x[0].Min(x[1]) }},
	"max of infinities": {true, func(x []graph.Value) graph.Value { return x[0].Max(x[1]) }},
	"amax of all":       {false, func(x []graph.Value) graph.Value { return x[0].Amax().Reshape(1) }},
	"amax of rows":      {false, func(x []graph.Value) graph.Value { return x[0].Reshape(3, 3).Amax(1) }},
	"amax of columns":   {false, func(x []graph.Value) graph.Value { return x[0].Reshape(3, 3).Amax(0) }},
	"max pool": {false, func(x []graph.Value) graph.Value {
		return x[0].Reshape(1, 4, 4, 1).MaxPool(graph.PoolSpec{Size: [2]int{2, 2}}).Reshape(-1)
	}},
	"overlapping max pool": {false, func(x []graph.Value) graph.Value {
		return x[0].Reshape(1, 4, 4, 1).MaxPool(graph.PoolSpec{Size: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}}).Reshape(-1)
	}},
	"select":                     {true, func(x []graph.Value) graph.Value { return graph.Select(x[0].Greater(x[1]), x[0], x[1]) }},
	"softmax of large numbers":   {false, func(x []graph.Value) graph.Value { return x[0].Softmax() }},
	"logsumexp of large numbers": {false, func(x []graph.Value) graph.Value { return x[0].LogSumExp().Reshape(1) }},
	"gelu":                       {true, func(x []graph.Value) graph.Value { return x[0].Gelu() }},
	"silu":                       {true, func(x []graph.Value) graph.Value { return x[0].Silu() }},
	"sigmoid":                    {true, func(x []graph.Value) graph.Value { return x[0].Sigmoid() }},
	"tanh":                       {true, func(x []graph.Value) graph.Value { return x[0].Tanh() }},
	"cube":                       {true, func(x []graph.Value) graph.Value { return x[0].Pow(3) }},
	"power 1.5":                  {true, func(x []graph.Value) graph.Value { return x[0].Pow(1.5) }},
	"log1p":                      {true, func(x []graph.Value) graph.Value { return x[0].Log1p() }},
}

// number reads a JSON number, or a string where JSON has none.
type number float64

func (n *number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(string(slices.DeleteFunc(b, func(c byte) bool { return c == '"' })), 64)
	*n = number(v)
	return err
}

type kink struct {
	Name    string
	X, Grad [][]number
	Y       []number
}

func TestDerivativesAtKinksAndEdgesArePyTorchs(t *testing.T) {
	data, err := os.ReadFile("testdata/kinks.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []kink
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		c, ok := kinkCases[k.Name]
		if !ok {
			t.Errorf("no test of %q", k.Name)
			continue
		}
		repeats := []int{1} // as bytecode
		if c.elementwise {
			repeats = []int{1, 30} // and over tiles
		}
		for _, r := range repeats {
			t.Run(fmt.Sprintf("%s %d times", k.Name, r), func(t *testing.T) { checkKink(t, k, c.f, r) })
		}
	}
}

func checkKink(t *testing.T, k kink, f func(x []graph.Value) graph.Value, repeat int) {
	e := newEnv(graph.Float64)
	var xs []graph.Value
	for _, x := range k.X {
		shape := []int{repeat * len(x)}
		xs = append(xs, e.hold(e.x(shape...), func(i int) float64 { return float64(x[i%len(x)]) }))
	}
	y := f(xs)
	w := e.hold(e.weights(y.Shape()...), func(i int) float64 { return float64(i%len(k.Y) + 1) })
	loss := y.Mul(w).Sum()
	g := graph.Grad(loss, xs...)
	dirs := e.direction(xs)
	j := graph.NewJet()
	for i, x := range xs {
		j.Set(x, func(a, _ int) graph.Value { return []graph.Value{{}, dirs[i]}[a] })
	}
	outs := append([]graph.Value{y, graph.JVP([]graph.Value{y}, xs, dirs)[0].Mul(w).Sum(), j.Coef(y, 1, 0).Mul(w).Sum(), inner(g, dirs)}, g...)
	got := e.compile(t, Options{}, outs...).eval(t)
	want := func(ns []number) []float64 {
		var out []float64
		for range repeat {
			for _, n := range ns {
				out = append(out, float64(n))
			}
		}
		return out
	}
	near(t, "value", got[0], want(k.Y), 1e-15)
	near(t, "forward mode against reverse mode", got[1], got[3], 1e-13)
	near(t, "series against reverse mode", got[2], got[3], 1e-13)
	for i := range g {
		near(t, fmt.Sprintf("gradient %d", i), got[4+i], want(k.Grad[i]), 1e-13)
	}
}

func TestSecondDerivativesBesideAKinkAreThoseOfTheBranch(t *testing.T) {
	e := newEnv(graph.Float64)
	x := e.hold(e.x(4), func(i int) float64 { return []float64{-2, 0, 0, 3}[i] })
	y := x.Relu().Mul(x).Add(x.Abs().Mul(x)).Add(x.Max(x.Like(0)).Square())
	g := graph.Grad(y.Sum(), x)[0]
	h := graph.JVP([]graph.Value{g}, []graph.Value{x}, []graph.Value{x.Like(1).BroadcastTo(4)})[0]
	got := e.compile(t, Options{}, g, h).eval(t)
	near(t, "gradient", got[0], []float64{4, 0, 0, 18}, 0)
	near(t, "second derivative", got[1], []float64{-2, 0.5, 0.5, 6}, 0)
}
