package spectrum

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/vec"
)

// A Product writes A v into av for several vectors at once, A a symmetric operator. The vectors of av overlap no others.
type Product[T graph.Float] func(vs, avs [][]T) error

// tile is the number of elements of each vector that are worked on while they are in a near cache.
const tile = 1 << 11

// kernels returns the functions that tiles are worked on with. Their bits do not depend on the instruction set.
func kernels[T graph.Float]() *vec.Kernels[T] {
	set, _ := isa.Best() // its error is the engine's to return; plain Go serves any
	return vec.For[T](set)
}

// inner returns the matrix [x, y] of inner products: those of tiles, summed in float64.
func inner[T graph.Float](xs, ys [][]T) *mat.Dense {
	if len(xs) == 0 || len(ys) == 0 {
		return &mat.Dense{}
	}
	dot := kernels[T]().Dot
	sums := diagnose.SumBlocks(len(xs[0]), func(from, to int) []float64 {
		out := make([]float64, len(xs)*len(ys))
		for at := from; at < to; at += tile {
			end := min(at+tile, to)
			for i, x := range xs {
				for j, y := range ys {
					out[i*len(ys)+j] += float64(dot(x[at:end], y[at:end]))
				}
			}
		}
		return out
	}, func(total *[]float64, part []float64) {
		if *total == nil {
			*total = part
			return
		}
		for i, v := range part {
			(*total)[i] += v
		}
	})
	return mat.NewDense(len(xs), len(ys), sums)
}

// inTiles calls f for each tile of n elements.
func inTiles(n int, f func(from, to int)) {
	type none struct{}
	diagnose.SumBlocks(n, func(from, to int) none {
		for at := from; at < to; at += tile {
			f(at, min(at+tile, to))
		}
		return none{}
	}, func(*none, none) {})
}

// take sets ys -= xs c, given coefficients [x, y].
func take[T graph.Float](ys, xs [][]T, c *mat.Dense) {
	if len(xs) == 0 || len(ys) == 0 {
		return
	}
	k := kernels[T]()
	inTiles(len(ys[0]), func(from, to int) {
		for j, y := range ys {
			for i, x := range xs {
				k.AddScaled(y[from:to], T(-c.At(i, j)), x[from:to])
			}
		}
	})
}

// rotate replaces the vectors by their combinations with coefficients [vector, combination], of which there are not more, and returns these. They lie in
// the memory of the first vectors.
func rotate[T graph.Float](vectors [][]T, c *mat.Dense) [][]T {
	_, count := c.Dims()
	if count == 0 {
		return nil
	}
	with := kernels[T]()
	inTiles(len(vectors[0]), func(from, to int) {
		room := make([]T, count*(to-from))
		for k := range count {
			row := room[k*(to-from) : (k+1)*(to-from)]
			for i, v := range vectors {
				with.AddScaled(row, T(c.At(i, k)), v[from:to])
			}
		}
		for k := range count {
			copy(vectors[k][from:to], room[k*(to-from):(k+1)*(to-from)])
		}
	})
	return vectors[:count]
}

// combined returns the combinations of vectors with coefficients [vector, combination] in memory of their own.
func combined[T graph.Float](vectors [][]T, c *mat.Dense) [][]T {
	_, count := c.Dims()
	out := make([][]T, count)
	for k := range out {
		out[k] = make([]T, len(vectors[0]))
	}
	with := kernels[T]()
	inTiles(len(vectors[0]), func(from, to int) {
		for k, o := range out {
			for i, v := range vectors {
				with.AddScaled(o[from:to], T(c.At(i, k)), v[from:to])
			}
		}
	})
	return out
}

// roundoff is how far products and sums of T are off, relative to what they are made of, with a margin.
func roundoff[T graph.Float]() float64 {
	if graph.TypeOf[T]().Size() == 4 {
		return 1e-6
	}
	return 1e-14
}

// signs fills v with random signs, of which every product with itself has the length of v squared.
func signs[T graph.Float](v []T, r *rand.Rand) {
	for i := 0; i < len(v); i += 64 {
		bits := r.Uint64()
		for j := i; j < min(i+64, len(v)); j++ {
			v[j] = T(1 - 2*int(bits&1))
			bits >>= 1
		}
	}
}

// gaussian fills v with a random vector of length 1.
func gaussian[T graph.Float](v []T, r *rand.Rand) {
	for i := range v {
		v[i] = T(r.NormFloat64())
	}
	scale(v, 1/diagnose.Norm(v))
}

// finite reports whether all elements are.
func finite(m *mat.Dense) bool {
	rows, columns := m.Dims()
	for i := range rows {
		for j := range columns {
			if v := m.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return false
			}
		}
	}
	return true
}

// orthonormal returns the vectors made orthonormal to the taken ones and to each other, in place, without those that are in the span of
// these.
func orthonormal[T graph.Float](taken, vectors [][]T) [][]T {
	basis := slices.Clone(taken)
	for _, v := range vectors {
		size := diagnose.Norm(v)
		if !(size > 0) {
			continue
		}
		scale(v, 1/size)
		left := orthogonalize(v, basis)
		if left == 0 {
			continue
		}
		scale(v, 1/left)
		if again := orthogonalize(v, basis); again > 0 {
			scale(v, 1/again)
			basis = append(basis, v)
		}
	}
	return basis[len(taken):]
}

// orthogonalize takes the components along the basis off w, twice (Kahan's "twice is enough"), and returns the norm of what is
// left, 0 where that is rounding.
func orthogonalize[T graph.Float](w []T, basis [][]T) float64 {
	before := diagnose.Norm(w)
	for range 2 {
		for _, q := range basis {
			subtract(w, diagnose.Dot(q, w), q)
		}
	}
	epsilon := 1e-15
	if graph.TypeOf[T]().Size() == 4 {
		epsilon = 1e-7
	}
	if left := diagnose.Norm(w); left > 10*epsilon*before {
		return left
	}
	return 0
}

func room[T graph.Float](like [][]T) [][]T {
	out := make([][]T, len(like))
	for i, v := range like {
		out[i] = make([]T, len(v))
	}
	return out
}

func scale[T graph.Float](v []T, a float64) {
	s := T(a)
	for i := range v {
		v[i] *= s
	}
}

// subtract sets w -= a q.
func subtract[T graph.Float](w []T, a float64, q []T) {
	s := T(a)
	for i, x := range q {
		w[i] -= s * x
	}
}
