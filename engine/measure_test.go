package engine

import (
	"fmt"
	"runtime"
	"testing"

	"shadowflow/graph"
)

// allocated returns the bytes that f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func mustMeasure(t *testing.T, in, out []graph.Value, opt Options) Cost {
	t.Helper()
	c, err := Measure(in, out, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMeasureSaysWhatCompileMakes(t *testing.T) {
	check := func(name string, e *env, outs []graph.Value) {
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s %v %d threads", name, e.dtype, threads), func(t *testing.T) {
				p := e.compile(t, Options{Threads: threads}, outs...)
				if got, want := mustMeasure(t, e.inputs(), outs, Options{Threads: threads}), (Cost{PeakBytes: p.PeakBytes(), RoomBytes: p.cost.RoomBytes, Flops: p.Flops()}); got != want {
					t.Errorf("measured %+v: want %+v", got, want)
				}
			})
		}
	}
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		for _, m := range models {
			e := newEnv(dtype)
			check(m.name, e, pairOf(e, m, true).outs)
		}
		for _, op := range operations() {
			e := newEnv(dtype)
			y := op.build(e)
			check(op.name, e, append(graph.Grad(y.Square().Sum(), e.xs...), y))
		}
	}
}

func TestPeakBytesAreWhatCompileAllocatesBesideThePlan(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			e := newEnv(graph.Float64)
			outs := pairOf(e, m, true).outs
			opt := Options{Threads: 2}
			peak := mustMeasure(t, e.inputs(), outs, opt).PeakBytes
			plan := allocated(func() { _, _ = Measure(e.inputs(), outs, opt) })
			all := allocated(func() { _, _ = Compile(e.inputs(), outs, opt) })
			if held := all - plan; held < peak*98/100 || held > peak*115/100 {
				t.Errorf("Compile allocates %d bytes more than Measure: want about the peak of %d", held, peak)
			}
		})
	}
}

func TestMeasureMakesNoArrays(t *testing.T) {
	const side = 1 << 15
	e := newEnv(graph.Float32)
	x := e.b.Param("x", graph.Float32, side, side)
	data := make([]float64, 1<<20)
	for _, c := range []struct {
		name string
		out  graph.Value
		want int64 // bytes of arrays
	}{
		{"a matrix that must be transposed", x.T().Reshape(-1).Tanh().Sum(), 4 * side * side},
		{"a product, and its right operand packed", x.MatMul(x).Exp().Amax(), 2 * 4 * side * side},
		{"a known number that must lie in memory", graph.Concat(1, x.Like(2).BroadcastTo(side, side), x).Sum(), 4 * 3 * side * side},
		{"a constant array", e.b.ConstArray(graph.Float32, data, 1<<10, 1<<10).Add(x.At(0, 0)).Sum(), 4 << 20},
		{"sums over the rows of many chunks", x.Square().Sum(0).Sum(), 4 * 16 * side},
	} {
		t.Run(c.name, func(t *testing.T) {
			var cost Cost
			used := allocated(func() { cost = mustMeasure(t, []graph.Value{x}, []graph.Value{c.out}, Options{Threads: 1}) })
			if used > 1<<18 {
				t.Errorf("Measure allocates %d bytes", used)
			}
			if cost.PeakBytes < c.want || cost.PeakBytes > c.want+c.want/4+1<<26 {
				t.Errorf("the peak is %d bytes: want about %d", cost.PeakBytes, c.want)
			}
		})
	}
}

func TestMeasureFailsWhereCompileDoes(t *testing.T) {
	b := graph.NewBuilder()
	x, y := b.Param("x", graph.Float64, 3), b.Param("y", graph.Float64, 3)
	_, want := Compile([]graph.Value{x}, []graph.Value{x.Add(y)}, Options{})
	if _, err := Measure([]graph.Value{x}, []graph.Value{x.Add(y)}, Options{}); err == nil || err.Error() != want.Error() {
		t.Errorf("Measure returns %v: want %v", err, want)
	}
}
