package formula

import (
	"errors"
	"math"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

// two matrices with a vector between them, the second a kernel of a convolution, which is a matrix of two rows.
var matrices = []graph.Block{
	{Name: "a", Shape: []int{2, 3}}, {Name: "b", Shape: []int{2}, Offset: 6}, {Name: "c", Shape: []int{1, 2, 1}, Offset: 8},
}

func compute(t *testing.T, in string, x []float64) []float64 {
	t.Helper()
	return derived(t, in, x, nil)
}

// derived computes a formula of x, or its derivative along a direction.
func derived(t *testing.T, in string, x, along []float64) []float64 {
	t.Helper()
	b := graph.NewBuilder()
	theta, v := b.Param("x", graph.Float64, len(x)), b.Param("v", graph.Float64, len(x))
	l := Layout{matrices, map[string]Form{"x": Elements}}
	f := mustParse(t, in)
	form, err := f.Form(l.Forms)
	if err != nil {
		t.Fatal(err)
	}
	out := f.Graph(l, theta, map[string]graph.Value{"x": theta})
	if along == nil {
		along = x
	} else {
		out = graph.JVP([]graph.Value{out}, []graph.Value{theta}, []graph.Value{v})[0]
	}
	p, err := engine.Compile([]graph.Value{theta, v}, []graph.Value{out}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float64, l.Length(form, len(x)))
	if err := p.Run([]engine.Buffer{engine.Of(x), engine.Of(along)}, []engine.Buffer{engine.Of(got)}); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFunctionsOfMatricesAreTheirs(t *testing.T) {
	x := []float64{1, 2, 3, 4, 5, 6, 7, 8, 3, -4}
	h := math.Sqrt(0.5)
	for in, want := range map[string][]float64{
		"matmul(x, transpose(x))":               {14, 32, 32, 77, 9, -12, -12, 16},
		"matmul(transpose(x), x)":               {17, 22, 27, 22, 29, 36, 27, 36, 45, 25},
		"transpose(x)":                          {1, 4, 2, 5, 3, 6, 3, -4},
		"2 * identity(matmul(x, transpose(x)))": {2, 0, 0, 2, 2, 0, 0, 2},
		"norm(matmul(transpose(x), x)) * 0 + 1": {1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
		"matmul(matmul(x, transpose(x)), x)":    {142, 188, 234, 340, 449, 558, 7, 8, 75, -100},
		"matmul(x, matmul(transpose(x), x))":    {142, 188, 234, 340, 449, 558, 7, 8, 75, -100},
		"orthonormal(matmul(x, transpose(x)) * 0 + 1 + identity(matmul(x, transpose(x))))": {2 / math.Sqrt(5), -1 / math.Sqrt(5), 1 / math.Sqrt(5), 2 / math.Sqrt(5),
			2 / math.Sqrt(5), -1 / math.Sqrt(5), 1 / math.Sqrt(5), 2 / math.Sqrt(5)},
		"inverse_root(4 * identity(matmul(x, transpose(x))), 4)": {h, 0, 0, h, h, 0, 0, h},
		"total(matmul(x, transpose(x)))":                         {14 + 64 + 77 + 9 - 24 + 16},
	} {
		t.Run(in, func(t *testing.T) {
			got := compute(t, in, x)
			if len(got) != len(want) {
				t.Fatalf("%v, want %v", got, want)
			}
			for i, w := range want {
				if math.Abs(got[i]-w) > 1e-14*math.Max(1, math.Abs(w)) {
					t.Errorf("element %d: %.17g, want %.17g", i, got[i], w)
				}
			}
		})
	}
}

// An inverse root multiplied by itself and by the matrix is the identity, also of a matrix whose eigenvalues are far apart; and a
// basis is orthonormal.
func TestInverseRootsAndBasesAreWhatTheySay(t *testing.T) {
	x := []float64{1, 2, 3, 4, 5, 6, 7, 8, 3, -4}
	const a = "(matmul(x, transpose(x)) + 1e-6 * identity(matmul(x, transpose(x))))" // .27 and 91 of the first matrix, 1e-6 and 25 of the other
	const root = "inverse_root(" + a + ", 4)"
	const basis = "orthonormal(" + a + ")"
	for in, bound := range map[string]float64{
		"matmul(matmul(matmul(" + root + ", " + root + "), matmul(" + root + ", " + root + ")), " + a + ")": 1e-7,
		"matmul(matmul(inverse_root(" + a + ", 2), inverse_root(" + a + ", 2)), " + a + ")":                 5e-8, // 9 times the rounding of 1 times the condition, 25/1e-6
		"matmul(transpose(" + basis + "), " + basis + ")":                                                   1e-14,
	} {
		t.Run(in, func(t *testing.T) {
			for i, v := range compute(t, in, x) {
				want := 0.0
				if i%4 == 0 || i%4 == 3 {
					want = 1
				}
				if math.Abs(v-want) > bound {
					t.Errorf("element %d: %.17g, want %g", i, v, want)
				}
			}
		})
	}
}

func TestFunctionsOfMatricesHaveTheirDerivatives(t *testing.T) {
	x, v := []float64{1, 2, 3, 4, 5, 6, 7, 8, 3, -4}, []float64{0.3, -1, 0.2, 0.7, 1, -0.4, 0, 1, 0.5, 0.9}
	const a = "(matmul(x, transpose(x)) + 2 * identity(matmul(x, transpose(x))))"
	for _, in := range []string{"inverse_root(" + a + ", 4)", "inverse_root(" + a + ", 2)", "orthonormal(" + a + ")", "matmul(inverse_root(" + a + ", 4), x)"} {
		t.Run(in, func(t *testing.T) {
			at := func(s float64) []float64 {
				moved := make([]float64, len(x))
				for i := range x {
					moved[i] = x[i] + s*v[i]
				}
				return compute(t, in, moved)
			}
			const s = 1e-3
			back, forth, back2, forth2 := at(-s), at(s), at(-2*s), at(2*s)
			for i, got := range derived(t, in, x, v) {
				want := (8*(forth[i]-back[i]) - forth2[i] + back2[i]) / (12 * s)
				if math.Abs(got-want) > 1e-9 {
					t.Errorf("element %d: %.12g, by differences %.12g", i, got, want)
				}
			}
		})
	}
}

func TestFormsThatDoNotFitAreNamed(t *testing.T) {
	forms := map[string]Form{"x": Elements, "l": Left, "r": Right}
	for in, want := range map[string]string{
		"x + l":                    "x + l: it is made of what is of the weights' shapes and what is of rows by rows; want one form, or numbers",
		"matmul(x, l)":             "its first argument is of the weights' shapes, and its second of rows by rows; want as many columns as rows",
		"matmul(2, x)":             "its first argument is a number",
		"transpose(transpose(x))":  "its argument is of columns by rows",
		"identity(x)":              "its argument is of the weights' shapes; want square matrices",
		"if(x > 0, l, r)":          "want one form",
		"inverse_root(x, 4)":       "want square matrices",
		"2 * matmul(l, x) + r * 3": "it is made of",
	} {
		t.Run(in, func(t *testing.T) {
			_, err := mustParse(t, in).Form(forms)
			var wrong *FormError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
	for in, want := range map[string]Form{
		"matmul(l, matmul(x, r))": Elements, "matmul(r, transpose(x))": Turned, "l / norm(l)": Left, "matmul(x, matmul(transpose(x), l))": Left,
		"total(l) * 2": One, "total(l) * r": Right, "if(total(x) > 0, l, 0)": Left,
	} {
		t.Run(in, func(t *testing.T) {
			if got, err := mustParse(t, in).Form(forms); got != want || err != nil {
				t.Errorf("got what is %v, %v; want what is %v", got, err, want)
			}
		})
	}
}

// Weights of one axis have no part in square matrices, which leave them as they are.
func TestOfVectorsAloneThereIsNothing(t *testing.T) {
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float64, 3)
	for _, weights := range [][]graph.Block{nil, {{Name: "b", Shape: []int{3}}}} {
		l := Layout{weights, map[string]Form{"x": Elements}}
		names := map[string]graph.Value{"x": x}
		if mustParse(t, "inverse_root(matmul(x, transpose(x)), 4)").Graph(l, x, names).Valid() {
			t.Error("there is a matrix of it")
		}
		for _, in := range []string{"matmul(inverse_root(matmul(x, transpose(x)), 4), x)", "matmul(x, orthonormal(matmul(transpose(x), x)))"} {
			got := mustParse(t, in).Graph(l, x, names)
			p, err := engine.Compile([]graph.Value{x}, []graph.Value{got}, engine.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			out := make([]float64, 3)
			if err := p.Run([]engine.Buffer{engine.Of([]float64{1, 2, 3})}, []engine.Buffer{engine.Of(out)}); err != nil || out[0] != 1 || out[1] != 2 || out[2] != 3 {
				t.Errorf("%s: %v, %v", in, out, err)
			}
		}
	}
}
