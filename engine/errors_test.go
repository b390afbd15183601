package engine

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"shadowflow/graph"
)

func TestCompileRefusesWhatIsNoProgram(t *testing.T) {
	b, other := graph.NewBuilder(), graph.NewBuilder()
	x, y := b.Param("weights", graph.Float64, 3), b.Param("y", graph.Float64, 3)
	for _, c := range []struct {
		name    string
		in, out []graph.Value
		want    string
	}{
		{"an output of a parameter that is no input", []graph.Value{y}, []graph.Value{x.Add(y)}, `"weights"`},
		{"an output that is a parameter that is no input", []graph.Value{y}, []graph.Value{x}, `"weights"`},
		{"an input that is no parameter", []graph.Value{x.Exp()}, []graph.Value{x}, "exp"},
		{"an input given twice", []graph.Value{x, x}, []graph.Value{x}, `"weights"`},
		{"a zero Value", []graph.Value{x}, []graph.Value{{}}, "zero Value"},
		{"values of two builders", []graph.Value{x}, []graph.Value{other.Const(graph.Float64, 1)}, "another Builder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Compile(c.in, c.out, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v: want one that says %s", err, c.want)
			}
		})
	}
}

func TestCompileReturnsTheFirstErrorOfTheBuilder(t *testing.T) {
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float64, 3)
	failed := x.Reshape(4)
	x.Reshape(5)
	for _, out := range []graph.Value{x, failed, failed.Exp()} {
		if _, err := Compile([]graph.Value{x}, []graph.Value{out}, Options{}); err == nil || err != b.Err() {
			t.Errorf("Compile returns %v: want %v", err, b.Err())
		}
	}
}

func TestAConstantOfTheZeroBuilderIsAProgram(t *testing.T) {
	var zero graph.Builder
	p, err := Compile(nil, []graph.Value{zero.Const(graph.Float64, 3)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := []float64{0}
	if err := p.Run(nil, []Buffer{Of(out)}); err != nil || out[0] != 3 {
		t.Errorf("the constant 3 is %v, %v", out, err)
	}
}

func TestRunRefusesBuffersThatDoNotFit(t *testing.T) {
	b := graph.NewBuilder()
	x, l := b.Param("features", graph.Float64, 2, 3), b.Param("labels", graph.Int32, 2)
	p, err := Compile([]graph.Value{x, l}, []graph.Value{x.Gather(l), x.Sum()}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fx, fl := Of(make([]float64, 6)), Of([]int32{0, 2})
	o, s := Of(make([]float64, 2)), Of(make([]float64, 1))
	for _, c := range []struct {
		name    string
		in, out []Buffer
		want    string
	}{
		{"too few inputs", []Buffer{fx}, []Buffer{o, s}, "1 input"},
		{"too few outputs", []Buffer{fx, fl}, []Buffer{o}, "1 output"},
		{"an input too short", []Buffer{Of(make([]float64, 5)), fl}, []Buffer{o, s}, `"features"`},
		{"an input of another type", []Buffer{Of(make([]float32, 6)), fl}, []Buffer{o, s}, "float64"},
		{"no input", []Buffer{{}, fl}, []Buffer{o, s}, "[2 3]"},
		{"an output too long", []Buffer{fx, fl}, []Buffer{o, o}, "output 1"},
		{"an output of another type", []Buffer{fx, fl}, []Buffer{o, Of([]float32{0})}, "output 1"},
		{"a label too large", []Buffer{fx, Of([]int32{0, 3})}, []Buffer{o, s}, "label 1 is 3"},
		{"a negative label", []Buffer{fx, Of([]int32{-1, 0})}, []Buffer{o, s}, "label 0 is -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := p.Run(c.in, c.out); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v: want one that says %s", err, c.want)
			}
		})
	}
	if err := p.Run([]Buffer{fx, fl}, []Buffer{o, s}); err != nil {
		t.Errorf("a run after failed ones: %v", err)
	}
}

func TestRunRefusesOutputsThatOverlap(t *testing.T) {
	b := graph.NewBuilder()
	x, y := b.Param("x", graph.Float64, 4), b.Param("y", graph.Float64)
	p, err := Compile([]graph.Value{x, y}, []graph.Value{x.Mul(y), x.Add(y), x.Sum()}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	at := func(i, n int) Buffer { return Of(a[i : i+n]) }
	for _, c := range []struct {
		name string
		in   [2]int // where in a the buffers begin
		out  [3]int
		want string // none where the run is allowed
	}{
		{"all apart, side by side", [2]int{0, 4}, [3]int{5, 9, 13}, ""},
		{"an input's very buffer", [2]int{0, 4}, [3]int{5, 0, 13}, ""},
		{"the very buffers of all inputs", [2]int{0, 4}, [3]int{0, 9, 4}, ""},
		{"inputs that overlap", [2]int{0, 3}, [3]int{5, 9, 13}, ""},
		{"an output that begins inside of an input", [2]int{0, 4}, [3]int{5, 3, 13}, `output 1 overlaps input 0 ("x") in part`},
		{"an output that ends inside of an input", [2]int{3, 13}, [3]int{7, 0, 12}, `output 1 overlaps input 0 ("x") in part`},
		{"an output inside of an input", [2]int{0, 4}, [3]int{5, 9, 2}, `output 2 overlaps input 0 ("x") in part`},
		{"an output around an input", [2]int{0, 6}, [3]int{4, 9, 13}, `output 0 overlaps input 1 ("y") in part`},
		{"one buffer for two outputs", [2]int{0, 4}, [3]int{5, 5, 13}, "output 1 overlaps output 0"},
		{"one input's buffer for two outputs", [2]int{0, 4}, [3]int{0, 0, 13}, "output 1 overlaps output 0"},
		{"an output that begins inside of another", [2]int{0, 4}, [3]int{5, 8, 13}, "output 1 overlaps output 0"},
		{"an output inside of another", [2]int{0, 4}, [3]int{5, 9, 10}, "output 2 overlaps output 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := p.Run([]Buffer{at(c.in[0], 4), at(c.in[1], 1)}, []Buffer{at(c.out[0], 4), at(c.out[1], 4), at(c.out[2], 1)})
			if c.want == "" && err != nil {
				t.Error(err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v: want one that says %s", err, c.want)
			}
		})
	}
}

func TestALabelOrIndexOutOfRangeNamesTheCallersLine(t *testing.T) {
	b := graph.NewBuilder()
	x, y, d := b.Param("x", graph.Float64, 2, 3), b.Param("y", graph.Float64, 2, 4), b.Param("d", graph.Float64, 2, 4)
	l := b.Param("l", graph.Int32, 2)
	_, _, line, _ := runtime.Caller(0)
	loss := x.CrossEntropy(l)
	squares := y.Gather(l).Square().Sum()
	gradient := graph.Grad(squares, y)
	rows := x.Rows(l).Square().Sum()
	curvature := graph.JVP(gradient, []graph.Value{y}, []graph.Value{d})[0]
	ofLoss := fmt.Sprintf("errors_test.go:%d: Gather([2 3], [2]): label 1 is 7: want 0 to 2", line+1)
	ofSquares := fmt.Sprintf("errors_test.go:%d: Gather([2 4], [2]): label 1 is 7: want 0 to 3", line+2)
	ofRows := fmt.Sprintf("errors_test.go:%d: Rows([2 3], [2]): index 1 is 7: want 0 to 1", line+4)
	for _, c := range []struct {
		name string
		out  graph.Value
		want string
	}{
		{"CrossEntropy", loss, ofLoss},
		{"the gradient of CrossEntropy", graph.Grad(loss, x)[0], ofLoss},
		{"Gather", squares, ofSquares},
		{"the gradient of Gather", gradient[0], ofSquares},
		{"a Hessian-vector product", curvature, ofSquares},
		{"a derivative of a Hessian-vector product", graph.Grad(curvature.Mul(d).Sum(), d)[0], ofSquares},
		{"Rows", rows, ofRows},
		{"the gradient of Rows", graph.Grad(rows, x)[0], ofRows},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Compile([]graph.Value{x, y, d, l}, []graph.Value{c.out}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			in := []Buffer{NewBuffer(graph.Float64, 6), NewBuffer(graph.Float64, 8), NewBuffer(graph.Float64, 8), Of([]int32{0, 7})}
			err = p.Run(in, []Buffer{NewBuffer(graph.Float64, c.out.Size())})
			var op *graph.OpError
			if !errors.As(err, &op) || !strings.HasSuffix(err.Error(), "/"+c.want) {
				t.Errorf("error is %v: want an OpError that ends with %s", err, c.want)
			}
		})
	}
}
