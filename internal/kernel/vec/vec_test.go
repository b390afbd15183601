package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"shadowflow/internal/kernel/isa"
)

// forEach runs a test for both element types on every instruction set of this machine.
func forEach(t *testing.T, f32 func(*testing.T, *Kernels[float32]), f64 func(*testing.T, *Kernels[float64])) {
	for _, set := range isa.Available() {
		t.Run(fmt.Sprintf("float32/%v", set), func(t *testing.T) { f32(t, For[float32](set)) })
		t.Run(fmt.Sprintf("float64/%v", set), func(t *testing.T) { f64(t, For[float64](set)) })
	}
}

// lengths are those that the kernels cut differently: below a vector, around several, and long ones.
func lengths() []int {
	var n []int
	for i := range 71 {
		n = append(n, i)
	}
	return append(n, 127, 128, 129, 255, 256, 257, 1000, 1023, 1024, 1025, 4096, 4097, 9001)
}

// special are the values at which functions break.
func special[T Float]() []T {
	small, large := math.SmallestNonzeroFloat64, math.MaxFloat64
	if unsafe.Sizeof(T(0)) == 4 {
		small, large = math.SmallestNonzeroFloat32, math.MaxFloat32
	}
	tiny, huge := T(small), T(large)
	normal := 2 / huge
	values := []T{0, 1, 0.5, 2, 3, tiny, 3 * tiny, normal, normal / 3, huge, huge / 2, T(math.Inf(1)), 20, 88.5, 100, 104, 709.5, 745}
	for _, v := range values[:len(values):len(values)] {
		values = append(values, -v)
	}
	return append(values, T(math.NaN()), -T(math.NaN()), T(math.Copysign(0, -1)))
}

// fillRandom mixes ordinary, widely scaled and special values.
func fillRandom[T Float](rng *rand.Rand, x []T) {
	s := special[T]()
	for i := range x {
		switch rng.IntN(8) {
		case 0:
			x[i] = s[rng.IntN(len(s))]
		case 1:
			x[i] = T(rng.NormFloat64() * math.Exp2(float64(rng.IntN(60)-30)))
		default:
			x[i] = T(rng.NormFloat64())
		}
	}
}

// same says whether two numbers are the same bits, or both NaN.
func same[T Float](a, b T) bool {
	if a != a || b != b {
		return a != a && b != b
	}
	return math.Float64bits(float64(a)) == math.Float64bits(float64(b))
}

type exactCase[T Float] struct {
	name string
	call func(k *Kernels[T], dst, x, y, z []T)
	want func(x, y, z T) T
}

// exactCases are the functions that must give the same bits everywhere, with their definitions in one line each.
func exactCases[T Float]() []exactCase[T] {
	unary := func(name string, of func(*Kernels[T]) Unary[T], want func(x T) T) exactCase[T] {
		return exactCase[T]{name, func(k *Kernels[T], dst, x, _, _ []T) { of(k)(dst, x) }, func(x, _, _ T) T { return want(x) }}
	}
	binary := func(name string, of func(*Kernels[T]) Binary[T], want func(x, y T) T) exactCase[T] {
		return exactCase[T]{name, func(k *Kernels[T], dst, x, y, _ []T) { of(k)(dst, x, y) }, func(x, y, _ T) T { return want(x, y) }}
	}
	when := func(b bool, x, y T) T {
		if b {
			return x
		}
		return y
	}
	root := func(x T) T { return T(math.Sqrt(float64(x))) }
	return []exactCase[T]{
		unary("Neg", func(k *Kernels[T]) Unary[T] { return k.Neg }, func(x T) T { return -x }),
		unary("Abs", func(k *Kernels[T]) Unary[T] { return k.Abs }, func(x T) T { return T(math.Abs(float64(x))) }),
		unary("Sign", func(k *Kernels[T]) Unary[T] { return k.Sign }, func(x T) T {
			return when(x != x, x, when(x > 0, 1, when(x < 0, -1, 0)))
		}),
		unary("Sqrt", func(k *Kernels[T]) Unary[T] { return k.Sqrt }, root),
		unary("Rsqrt", func(k *Kernels[T]) Unary[T] { return k.Rsqrt }, func(x T) T { return 1 / root(x) }),
		unary("Recip", func(k *Kernels[T]) Unary[T] { return k.Recip }, func(x T) T { return 1 / x }),
		unary("Relu", func(k *Kernels[T]) Unary[T] { return k.Relu }, func(x T) T { return when(x < 0, 0, x) }),
		unary("Step", func(k *Kernels[T]) Unary[T] { return k.Step }, func(x T) T { return when(x > 0, 1, 0) }),
		binary("Add", func(k *Kernels[T]) Binary[T] { return k.Add }, func(x, y T) T { return x + y }),
		binary("Sub", func(k *Kernels[T]) Binary[T] { return k.Sub }, func(x, y T) T { return x - y }),
		binary("Mul", func(k *Kernels[T]) Binary[T] { return k.Mul }, func(x, y T) T { return x * y }),
		binary("Div", func(k *Kernels[T]) Binary[T] { return k.Div }, func(x, y T) T { return x / y }),
		binary("Max", func(k *Kernels[T]) Binary[T] { return k.Max }, func(x, y T) T { return max(x, y) }),
		binary("Min", func(k *Kernels[T]) Binary[T] { return k.Min }, func(x, y T) T { return min(x, y) }),
		binary("Greater", func(k *Kernels[T]) Binary[T] { return k.Greater }, func(x, y T) T { return when(x > y, 1, 0) }),
		binary("GreaterEqual", func(k *Kernels[T]) Binary[T] { return k.GreaterEqual }, func(x, y T) T { return when(x >= y, 1, 0) }),
		binary("Equal", func(k *Kernels[T]) Binary[T] { return k.Equal }, func(x, y T) T { return when(x == y, 1, 0) }),
		{"Select", func(k *Kernels[T], dst, x, y, z []T) { k.Select(dst, x, y, z) }, func(x, y, z T) T { return when(x == 0, z, y) }},
		{"MulAdd", func(k *Kernels[T], dst, x, y, z []T) { k.MulAdd(dst, x, y, z) }, func(x, y, z T) T { return T(x*y) + z }},
		{"Fill", func(k *Kernels[T], dst, _, _, _ []T) { k.Fill(dst, 2.5) }, func(_, _, _ T) T { return 2.5 }},
	}
}

func TestExactFunctionsGiveTheirDefinitionsBits(t *testing.T) {
	forEach(t, testExact[float32], testExact[float64])
}

func testExact[T Float](t *testing.T, k *Kernels[T]) {
	rng := rand.New(rand.NewPCG(1, 2))
	const most = 9100
	var pool [4][]T
	for i := range pool {
		pool[i] = make([]T, most)
		fillRandom(rng, pool[i])
	}
	for _, c := range exactCases[T]() {
		for _, n := range lengths() {
			off := rng.IntN(4)
			x, y, z := pool[0][off:][:n], pool[1][rng.IntN(4):][:n], pool[2][rng.IntN(4):][:n]
			dst := pool[3][off:][:n]
			c.call(k, dst, x, y, z)
			for i := range dst {
				if want := c.want(x[i], y[i], z[i]); !same(dst[i], want) {
					t.Fatalf("%s of length %d: element %d of (%v, %v, %v) is %v, want %v", c.name, n, i, x[i], y[i], z[i], dst[i], want)
				}
			}
		}
	}
}

func TestAddScaledIsAMulAddInPlace(t *testing.T) {
	forEach(t, testAddScaled[float32], testAddScaled[float64])
}

func testAddScaled[T Float](t *testing.T, k *Kernels[T]) {
	rng := rand.New(rand.NewPCG(3, 4))
	const a = -2.7
	for _, n := range lengths() {
		x, y := make([]T, n+3)[rng.IntN(4):][:n], make([]T, n+3)[rng.IntN(4):][:n]
		fillRandom(rng, x)
		fillRandom(rng, y)
		got := slices.Clone(y)
		k.AddScaled(got, a, x)
		for i := range got {
			if want := T(a*x[i]) + y[i]; !same(got[i], want) {
				t.Fatalf("element %d of %d: %v and %v times %v come to %v, want %v", i, n, y[i], a, x[i], got[i], want)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("it reads beyond a source of 9 elements for 20 results")
		}
	}()
	k.AddScaled(make([]T, 20), a, make([]T, 9))
}

func TestExactFunctionsOfAllPairsOfSpecialValues(t *testing.T) {
	forEach(t, testSpecialPairs[float32], testSpecialPairs[float64])
}

func testSpecialPairs[T Float](t *testing.T, k *Kernels[T]) {
	var x, y, z []T
	for _, a := range special[T]() {
		for _, b := range special[T]() {
			x, y, z = append(x, a), append(y, b), append(z, -b)
		}
	}
	dst := make([]T, len(x))
	for _, c := range exactCases[T]() {
		for _, width := range []int{1, 3, len(x)} { // the short way and the long one
			for at := 0; at+width <= len(x); at += width {
				c.call(k, dst[at:at+width], x[at:], y[at:], z[at:])
			}
			for i := range len(x) / width * width {
				if want := c.want(x[i], y[i], z[i]); !same(dst[i], want) {
					t.Fatalf("%s(%v, %v, %v) = %v, want %v", c.name, x[i], y[i], z[i], dst[i], want)
				}
			}
		}
	}
}
