package vec

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"shadowflow/internal/kernel/isa"
)

// approximate are the functions with an error bound, in units of the last place of the rounded exact result. The exact
// result is, for float32, package math's in float64; for float64, a computation with 256 bits.
var approximate = []struct {
	name         string
	of32         func(*Kernels[float32]) Unary[float32]
	of64         func(*Kernels[float64]) Unary[float64]
	exact32      func(x float64) float64
	exact64      func(x float64) *big.Float
	bound        float64
	low, high    float64 // where the function has something to do
	nearby, unit float64 // a point that needs more samples, and how far around it
	bits         uint64  // a sum over the bits of vector kernels' results
}{
	{"Exp", func(k *Kernels[float32]) Unary[float32] { return k.Exp }, func(k *Kernels[float64]) Unary[float64] { return k.Exp },
		exp64, func(x float64) *big.Float { return bigExp(bigOf(x)) }, 1.5, -760, 720, -715, 30, 0x4ba82dc60aef196b},
	{"Log", func(k *Kernels[float32]) Unary[float32] { return k.Log }, func(k *Kernels[float64]) Unary[float64] { return k.Log },
		math.Log, func(x float64) *big.Float { return bigLog(bigOf(x), log64(x)) }, 1.5, 0, 10, 1, 0.5, 0x3b01945318432905},
	{"Log1p", func(k *Kernels[float32]) Unary[float32] { return k.Log1p }, func(k *Kernels[float64]) Unary[float64] { return k.Log1p },
		math.Log1p, bigLog1p, 1.5, -1, 10, 0, 0.8, 0x4720d71a47f4f033},
	{"Tanh", func(k *Kernels[float32]) Unary[float32] { return k.Tanh }, func(k *Kernels[float64]) Unary[float64] { return k.Tanh },
		math.Tanh, bigTanh, 2, -25, 25, 0, 1, 0xdc6d06f5c3d3cfc4},
	{"Sigmoid", func(k *Kernels[float32]) Unary[float32] { return k.Sigmoid }, func(k *Kernels[float64]) Unary[float64] { return k.Sigmoid },
		sigmoid64, bigSigmoid, 2, -750, 50, 0, 5, 0x9aff4ce8acbde22d},
	{"Erf", func(k *Kernels[float32]) Unary[float32] { return k.Erf }, func(k *Kernels[float64]) Unary[float64] { return k.Erf },
		math.Erf, bigErf, 2, -7, 7, 1, 0.5, 0xe9747410d4ebe244},
}

// exp64 is math.Exp, which on amd64 overflows, and on arm64 underflows, too early.
func exp64(x float64) float64 {
	if x > 709 {
		return math.Expm1(x)
	}
	if x < -700 {
		return math.Ldexp(math.Exp(x+64*math.Ln2), -64)
	}
	return math.Exp(x)
}

// log64 is math.Log, which on amd64 is wrong for subnormals.
func log64(x float64) float64 {
	mantissa, exponent := math.Frexp(x)
	return math.Log(mantissa) + float64(exponent)*math.Ln2
}

func sigmoid64(x float64) float64 {
	if x < 0 {
		return exp64(x) / (1 + exp64(x))
	}
	return 1 / (1 + math.Exp(-x))
}

const bigBits = 256

func bigOf(x float64) *big.Float { return new(big.Float).SetPrec(bigBits).SetFloat64(x) }

func bigNew() *big.Float { return new(big.Float).SetPrec(bigBits) }

// bigExp sums the Taylor series of x/2^20 and squares the sum 20 times.
func bigExp(x *big.Float) *big.Float {
	const squarings = 20
	r := bigNew().SetMantExp(x, -squarings)
	sum, term := bigOf(1), bigOf(1)
	for k := 1; k <= 24; k++ {
		term.Mul(term, r)
		term.Quo(term, bigOf(float64(k)))
		sum.Add(sum, term)
	}
	for range squarings {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLog improves an approximation y of log(u) by one step of Halley's method, which triples its digits.
func bigLog(u *big.Float, y float64) *big.Float {
	e := bigExp(bigOf(y))
	step := bigNew().Quo(bigNew().Sub(u, e), bigNew().Add(u, e))
	return bigNew().Add(bigOf(y), step.Mul(step, bigOf(2)))
}

func bigLog1p(x float64) *big.Float {
	if math.Abs(x) < 0x1p-60 {
		half := bigNew().Mul(bigOf(x), bigOf(x/2))
		return half.Sub(bigOf(x), half)
	}
	return bigLog(bigNew().Add(bigOf(1), bigOf(x)), math.Log1p(x))
}

func bigTanh(x float64) *big.Float {
	if math.Abs(x) < 0x1p-60 {
		return bigOf(x)
	}
	e := bigExp(bigOf(2 * x))
	return bigNew().Quo(bigNew().Sub(e, bigOf(1)), bigNew().Add(e, bigOf(1)))
}

func bigSigmoid(x float64) *big.Float {
	e := bigExp(bigOf(-x))
	return e.Quo(bigOf(1), e.Add(e, bigOf(1)))
}

// bigErf sums the Taylor series, whose terms for |x| < 8 stay below 2^100.
func bigErf(x float64) *big.Float {
	if math.Abs(x) >= 8 {
		return bigOf(math.Copysign(1, x))
	}
	const twoByRootPi = "1.12837916709551257389615890312154517168810125865799771368817144342128493688298682897348732"
	factor, _, err := big.ParseFloat(twoByRootPi, 10, 2*bigBits, big.ToNearestEven)
	if err != nil {
		panic(err)
	}
	square := bigNew().Mul(bigOf(x), bigOf(x))
	sum, power := bigNew(), bigOf(x)
	for n := 0; power.Sign() != 0 && power.MantExp(nil) > -bigBits; n++ {
		sum.Add(sum, bigNew().Quo(power, bigOf(float64(2*n+1))))
		power.Mul(power, square)
		power.Quo(power, bigOf(-float64(n+1)))
	}
	return sum.Mul(sum, factor)
}

// samples are points over a function's range, around its critical point, and at all scales.
func samples(rng *rand.Rand, n int, low, high, nearby, unit float64) []float64 {
	var x []float64
	for range n {
		scale := math.Exp2(float64(rng.IntN(200) - 170))
		x = append(x, low+(high-low)*rng.Float64(), nearby+unit*(2*rng.Float64()-1), nearby+scale*rng.NormFloat64(), scale*rng.NormFloat64())
	}
	return x
}

func TestFloat32FunctionsKeepTheirErrorBounds(t *testing.T) {
	forEach(t, func(t *testing.T, k *Kernels[float32]) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, f := range approximate {
			var x []float32
			for _, v := range samples(rng, 30_000, max(f.low, -110), min(f.high, 95), max(f.nearby, -95), f.unit) {
				x = append(x, float32(v))
			}
			for bits := uint64(0); bits < 1<<32; bits += 65_521 {
				x = append(x, math.Float32frombits(uint32(bits)))
			}
			x = append(x, special[float32]()...)
			got := make([]float32, len(x))
			f.of32(k)(got, x)
			worst, where := 0.0, float32(0)
			for i, v := range x {
				exact := f.exact32(float64(v))
				want := float32(exact)
				if math.IsNaN(exact) || math.IsInf(float64(want), 0) || exact == 0 {
					if !same(got[i], want) {
						t.Fatalf("%s(%v) = %v, want %v", f.name, v, got[i], want)
					}
					continue
				}
				ulp := math.Exp2(math.Max(math.Floor(math.Log2(math.Abs(float64(want))))-23, -149))
				if e := math.Abs(float64(got[i])-exact) / ulp; !(e <= worst) && !math.IsNaN(worst) {
					worst, where = e, v
				}
			}
			t.Logf("%s: %.3f ulp at %v", f.name, worst, where)
			if !(worst <= f.bound) {
				t.Errorf("%s(%v) is off by %v ulp, bound %v", f.name, where, worst, f.bound)
			}
		}
	}, func(*testing.T, *Kernels[float64]) {})
}

func TestFloat64FunctionsKeepTheirErrorBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, f := range approximate {
		x := append(samples(rng, 400, f.low, f.high, f.nearby, f.unit), special[float64]()...)
		var atLimit []float64 // points where the function is at a limit, which must be met
		exact := map[float64]*big.Float{}
		for _, v := range x {
			limit := f.exact32(v)
			saturated := math.Abs(v) > 1e6 && f.name != "Log" && f.name != "Log1p"
			if math.IsNaN(limit) || math.IsInf(limit, 0) || limit == 0 || saturated {
				atLimit = append(atLimit, v)
			} else {
				exact[v] = f.exact64(v)
			}
		}
		for _, set := range isa.Available() {
			t.Run(fmt.Sprintf("%s/%v", f.name, set), func(t *testing.T) {
				call := f.of64(For[float64](set))
				got := make([]float64, 1)
				for _, v := range atLimit {
					if call(got, []float64{v}); !same(got[0], f.exact32(v)) {
						t.Errorf("%s(%v) = %v, want %v", f.name, v, got[0], f.exact32(v))
					}
				}
				worst, where := 0.0, 0.0
				for v, want := range exact {
					call(got, []float64{v})
					if math.IsInf(got[0], 0) || math.IsNaN(got[0]) {
						t.Fatalf("%s(%v) = %v, want %v", f.name, v, got[0], want)
					}
					ulp := max(math.Exp2(float64(want.MantExp(nil)-53)), math.SmallestNonzeroFloat64)
					off, _ := bigNew().Sub(bigOf(got[0]), want).Float64()
					if e := math.Abs(off) / ulp; e > worst {
						worst, where = e, v
					}
				}
				t.Logf("%.3f ulp at %v", worst, where)
				if !(worst <= f.bound) {
					t.Errorf("%s(%v) is off by %v ulp, bound %v", f.name, where, worst, f.bound)
				}
			})
		}
	}
}

func TestVectorInstructionSetsAgreeToTheBit(t *testing.T) {
	if len(isa.Available()) < 3 {
		t.Skip("one vector instruction set on this machine")
	}
	testAgreement[float32](t)
	testAgreement[float64](t)
}

// The sums are those of what AVX2 gives.
func TestTranscendentalFunctionsGiveTheSameBitsOnEveryProcessor(t *testing.T) {
	var x32 []float32
	var x64 []float64
	for i := range 1 << 15 { // at all scales, and where the functions change
		near := float64(i-1<<14) / 2048
		x32 = append(x32, math.Float32frombits(uint32(i)*131_071), float32(near))
		x64 = append(x64, math.Float64frombits(uint64(i)*562_949_953_421_311), near)
	}
	for _, set := range isa.Available() {
		if set == isa.Go {
			continue // takes these functions from package math
		}
		for _, f := range approximate {
			t.Run(fmt.Sprintf("%s/%v", f.name, set), func(t *testing.T) {
				var sum uint64
				got32, got64 := make([]float32, len(x32)), make([]float64, len(x64))
				f.of32(For[float32](set))(got32, x32)
				f.of64(For[float64](set))(got64, x64)
				for i, v := range got32 {
					if v == v {
						sum = sum*31 + uint64(math.Float32bits(v))
					}
					if w := got64[i]; w == w {
						sum = sum*31 + math.Float64bits(w)
					}
				}
				if sum != f.bits {
					t.Errorf("the sum of the results' bits is %#x, want %#x", sum, f.bits)
				}
			})
		}
	}
}

func testAgreement[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	x := special[T]()
	for _, v := range samples(rng, 5000, -760, 720, 0, 3) {
		x = append(x, T(v))
	}
	got, want := make([]T, len(x)), make([]T, len(x))
	narrow, wide := elementwiseOf(For[T](isa.AVX2)), elementwiseOf(For[T](isa.AVX512))
	for name := range wide {
		narrow[name](got, x, x, x)
		wide[name](want, x, x, x)
		for i, v := range x {
			if !same(got[i], want[i]) {
				t.Errorf("%s(%v) is %v on AVX2 and %v on AVX-512", name, v, got[i], want[i])
				break
			}
		}
	}
}
