package vec

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"shadowflow/internal/kernel/isa"
)

// fields lists the sizes with their names.
func (s Sizes) fields() map[string]float64 {
	return map[string]float64{"One": s.One, "Square": s.Square, "Excess": s.Excess, "Max": s.Max}
}

func TestSizesHaveThePlainBitsOnEveryInstructionSet(t *testing.T) {
	for _, set := range isa.Available() {
		t.Run(set.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(11, 12))
			sizes, plain := SizesFor[float64](set), SizesFor[float64](isa.Go)
			for _, n := range lengths() {
				ordinary, any := normals[float64](rng, n), make([]float64, n)
				fillRandom(rng, any)
				for _, x := range [][]float64{ordinary, any} {
					for _, eps := range []float64{0, 1e-16, 1e-8, 1} {
						want := plain(x, eps).fields()
						for name, got := range sizes(x, eps).fields() {
							if !same(got, want[name]) {
								t.Fatalf("%s of %d elements at eps %g is %v, want %v", name, n, eps, got, want[name])
							}
						}
					}
				}
			}
		})
	}
}

func TestSizesOfFloat32AreThoseOfTheSameNumbersInFloat64(t *testing.T) {
	for _, set := range isa.Available() {
		t.Run(set.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(15, 16))
			sizes, plain := SizesFor[float32](set), SizesFor[float64](isa.Go)
			for _, n := range lengths() {
				ordinary, any := normals[float32](rng, n), make([]float32, n)
				fillRandom(rng, any)
				for _, x := range [][]float32{ordinary, any} {
					wide := make([]float64, n)
					for i, v := range x {
						wide[i] = float64(v)
					}
					want := plain(wide, 1e-8).fields()
					for name, got := range sizes(x, 1e-8).fields() {
						if !same(got, want[name]) {
							t.Fatalf("%s of %d elements is %v, want %v", name, n, got, want[name])
						}
					}
				}
			}
		})
	}
}

func TestSizesAreThoseOfTheirDefinition(t *testing.T) {
	x := normals[float64](rand.New(rand.NewPCG(13, 14)), 203)
	for i := range x {
		x[i] *= math.Exp2(float64(i%40 - 30)) // some far below eps, where the excess would cancel
	}
	const eps = 1e-8
	exact := func(v float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(v) }
	one, square, excess, largest := exact(0), exact(0), exact(0), 0.0
	for _, v := range x {
		a := exact(math.Abs(v))
		q := new(big.Float).Mul(a, a)
		one.Add(one, a)
		square.Add(square, q)
		perturbed := new(big.Float).Sqrt(new(big.Float).Add(q, exact(eps)))
		excess.Add(excess, perturbed.Sub(perturbed, new(big.Float).Sqrt(exact(eps))))
		largest = max(largest, math.Abs(v))
	}
	for _, set := range isa.Available() {
		t.Run(set.String(), func(t *testing.T) {
			got := SizesFor[float64](set)(x, eps).fields()
			for name, want := range map[string]*big.Float{"One": one, "Square": square, "Excess": excess, "Max": exact(largest)} {
				value, _ := want.Float64()
				if math.Abs(got[name]-value) > 1e-14*value {
					t.Errorf("%s is %v, want %v", name, got[name], value)
				}
			}
		})
	}
}

func TestTheMaximumOfSizesIsNaNWhereverAnElementIs(t *testing.T) {
	for _, set := range isa.Available() {
		for at := range 20 {
			t.Run(fmt.Sprint(set, at), func(t *testing.T) {
				x := make([]float64, 20)
				x[at] = math.NaN()
				x[(at+3)%20] = math.Inf(1)
				if got := SizesFor[float64](set)(x, 1e-8); !math.IsNaN(got.Max) || !math.IsNaN(got.One) {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}
