package engine

import (
	"math"
	"math/rand/v2"
	"testing"

	"shadowflow/graph"
)

// FuzzPrograms builds programs from bytes: operations on the values made so far, then derivatives of what came out. Nothing may
// panic, and what compiles must equal what the oracle makes of the same operations.
func FuzzPrograms(f *testing.F) {
	for _, seed := range []string{
		"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "shadowflow", "\x10\x20\x30\x40\x50\x60\x70\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0",
		"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6", "0123456789abcdefghijklmnopqrstuvwxyz",
		"the same inputs give the same bits on any number of cores", "\x01\x33\x02\x44\x0b\x07\x01\x1c\x02\x15\x03\x0a\x2d\x00\x01\x2e\x01",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(checkProgramOf)
}

func TestRandomProgramsMatchTheOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	for range 400 {
		data := make([]byte, 10+rng.IntN(150))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		if checkProgramOf(t, data); t.Failed() {
			t.Fatalf("the program of %q", data)
		}
	}
}

// checkProgramOf builds the program of the bytes and compares it with the oracle.
func checkProgramOf(t *testing.T, data []byte) {
	g := newGrower(data)
	g.grow()
	outs := g.results()
	if err := g.e.b.Err(); err != nil {
		if _, again := Compile(g.e.inputs(), outs, Options{}); again != err {
			t.Fatalf("Compile returns %v: want %v", again, err)
		}
		return
	}
	if elements(outs) > 2e5 {
		return
	}
	got := g.e.compile(t, Options{Threads: 1 + len(data)%2}, outs...).eval(t)
	want := g.e.expect(t, outs...)
	for runs := 3; !g.determined(t, outs, got, want, runs, runs > 30); runs *= 4 {
	}
}

// determined reports whether each number got is as near the one wanted as the rounding of intermediate results allows, which it
// finds out from runs of the oracle with noise a few hundred times the rounding of float64. More runs find more jumps.
func (g *grower) determined(t *testing.T, outs []graph.Value, got, want [][]float64, runs int, final bool) bool {
	spread := make([][]float64, len(outs))
	for range runs {
		o := oracle{values: map[*graph.Node][]float64{}, noise: func() float64 { return 1e-13 * (2*g.e.rng.Float64() - 1) }}
		for n, d := range g.e.data {
			o.values[n] = d
		}
		for k, v := range outs {
			noisy, err := o.eval(v.Node())
			if err != nil {
				t.Fatal(err)
			}
			if spread[k] == nil {
				spread[k] = make([]float64, len(noisy))
			}
			for i, x := range noisy {
				if same(x, want[k][i]) {
					continue
				}
				if d := math.Abs(x - want[k][i]); d > spread[k][i] || math.IsNaN(d) {
					spread[k][i] = d
				}
			}
		}
	}
	for k := range outs {
		for i, w := range want[k] {
			s := spread[k][i]
			off := math.Abs(got[k][i] - w)
			if same(got[k][i], w) || math.IsNaN(s) || off <= 10*s+1e-11*(1+math.Abs(w)) {
				continue
			}
			if final {
				t.Errorf("output %d of %d (%s %v), element %d: got %v, want %v within %v", k, len(outs),
					outs[k].Node().Op(), outs[k].Shape(), i, got[k][i], w, s)
				return true
			}
			return false
		}
	}
	return true
}

// same reports whether two numbers are equal, or neither is finite: which of them a sum of infinities is depends on its order.
func same(x, y float64) bool { return x == y || x-x != 0 && y-y != 0 }
