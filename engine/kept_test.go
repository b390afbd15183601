package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/graph"
)

// keptPair is a model's program of Hessian-vector products, whole and with what does not depend on the vector kept.
type keptPair struct {
	e              *env
	p              pair
	whole          *prog
	kept           *Kept
	fixed, in, out []Buffer
	fixedOf, inOf  []graph.Value
}

func keptPairOf(t *testing.T, dtype graph.DType, m model, large bool, opt Options) *keptPair {
	t.Helper()
	e := newEnv(dtype)
	k := &keptPair{e: e, p: pairOf(e, m, large)}
	k.whole = e.compile(t, opt, k.p.hv...)
	for _, v := range e.inputs() {
		b := NewBuffer(v.DType(), v.Size())
		put64(b, e.data[v.Node()])
		if slices.Contains(k.p.v, v) {
			k.inOf, k.in = append(k.inOf, v), append(k.in, b)
		} else {
			k.fixedOf, k.fixed = append(k.fixedOf, v), append(k.fixed, b)
		}
	}
	for _, v := range k.p.hv {
		k.out = append(k.out, NewBuffer(v.DType(), v.Size()))
	}
	var err error
	if k.kept, err = CompileKept(t.Context(), k.fixedOf, k.inOf, k.p.hv, opt); err != nil {
		t.Fatal(err)
	}
	return k
}

// products returns those of both programs.
func (k *keptPair) products(t *testing.T) (got, want [][]float64) {
	t.Helper()
	if err := k.kept.RunContext(t.Context(), k.in, k.out); err != nil {
		t.Fatal(err)
	}
	for _, b := range k.out {
		got = append(got, get64(b))
	}
	return got, k.whole.eval(t)
}

func TestProductsWithWhatIsKeptAreThoseOfTheWholeProgram(t *testing.T) {
	for _, m := range models {
		for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
			for _, threads := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s %v on %d threads", m.name, dtype, threads), func(t *testing.T) {
					k := keptPairOf(t, dtype, m, true, Options{Threads: threads})
					if err := k.kept.Fix(t.Context(), k.fixed); err != nil {
						t.Fatal(err)
					}
					for turn := range 2 {
						got, want := k.products(t)
						for i := range got {
							for j, v := range got[i] {
								if math.Float64bits(v) != math.Float64bits(want[i][j]) {
									t.Fatalf("product %d: output %d, element %d is %v: want the %v of the whole program", turn, i, j, v, want[i][j])
								}
							}
						}
						for i, v := range k.inOf { // another vector, at the same point
							for j := range k.e.data[v.Node()] {
								k.e.data[v.Node()][j] *= -0.5
							}
							put64(k.in[i], k.e.data[v.Node()])
						}
						for i, v := range k.e.inputs() {
							put64(k.whole.in[i], k.e.data[v.Node()])
						}
					}
				})
			}
		}
	}
}

func TestProductsWithWhatIsKeptDoNoMoreThanTheirOwn(t *testing.T) {
	for _, m := range models[:2] {
		k := keptPairOf(t, graph.Float32, m, true, Options{Threads: 1})
		gradient := k.e.compile(t, Options{Threads: 1}, k.p.g...).Flops()
		if own := k.kept.run.Flops(); own > 2*gradient {
			t.Errorf("%s: a product takes %d operations with what is kept: want no more than twice the gradient's %d", m.name, own, gradient)
		}
	}
}

func TestMeasureKeptSaysWhatCompileKeptTakes(t *testing.T) {
	for _, m := range models {
		k := keptPairOf(t, graph.Float32, m, true, Options{Threads: 2})
		cost, err := MeasureKept(k.fixedOf, k.inOf, k.p.hv, Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		if cost.PeakBytes != k.kept.PeakBytes() || len(k.kept.own) == 0 {
			t.Errorf("%s: measured %d bytes, made %d, for %d arrays that are kept too", m.name, cost.PeakBytes, k.kept.PeakBytes(), len(k.kept.own))
		}
	}
}

func TestWhatIsMadeOfKeptValuesAtLittleCostIsNotKept(t *testing.T) {
	b := graph.NewBuilder()
	x, y, v := b.Param("x", graph.Float32, 100), b.Param("y", graph.Float32, 100), b.Param("v", graph.Float32, 100)
	e := x.Exp()
	out := v.Mul(e).Mul(e.Add(y)).Add(x.Like(3)) // e + y is made again of e and of the fixed y
	k, err := CompileKept(t.Context(), []graph.Value{x, y}, []graph.Value{v}, []graph.Value{out}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(k.own) != 1 || len(k.given) != 1 {
		t.Errorf("%d arrays are made, and %d given ones read: want e, and y", len(k.own), len(k.given))
	}
}

func TestKeptProgramsSayWhatTheyWant(t *testing.T) {
	b := graph.NewBuilder()
	x, v := b.Param("x", graph.Float32, 3), b.Param("v", graph.Float32, 3)
	k, err := CompileKept(t.Context(), []graph.Value{x}, []graph.Value{v}, []graph.Value{x.Exp().Mul(v)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	one := []Buffer{NewBuffer(graph.Float32, 3)}
	check := func(name string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v: want %q", name, err, want)
		}
	}
	check("a run before Fix", k.RunContext(t.Context(), one, one), "behind a Fix that succeeds")
	check("no input", k.Fix(t.Context(), nil), "0 fixed inputs: want 1")
	check("a short input", k.Fix(t.Context(), []Buffer{NewBuffer(graph.Float32, 2)}), `fixed input 0 ("x"): want 3 elements of float32`)
	if err := k.Fix(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	check("two vectors", k.RunContext(t.Context(), append(one, one...), one), "2 inputs that change: want 1")
	ended, end := context.WithCancel(t.Context())
	end()
	check("a context that has ended", k.Fix(ended, one), "canceled")
	if _, err := CompileKept(t.Context(), []graph.Value{x}, nil, []graph.Value{v}, Options{}); err == nil || !strings.Contains(err.Error(), `"v"`) {
		t.Errorf("an input that is missing: %v", err)
	}
}
