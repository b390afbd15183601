package objective

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"shadowflow/graph"
)

// generator returns the source of an objective's generated data.
func generator(seed int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 0x5ad0f10)) }

func normal(r *rand.Rand, n int, scale float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = scale * r.NormFloat64()
	}
	return v
}

// split returns the bounds of part i of n things in equal parts.
func split(n, parts, i int) (from, to int) { return n * i / parts, n * (i + 1) / parts }

// newQuadratic makes (1/2) theta' A theta with a given spectrum.
func newQuadratic(o *options) *function {
	spectrum := o.list("spectrum", []float64{1, 4, 10})
	rotation := o.count("rotation", 1, 0, math.MaxInt32)
	dim := len(spectrum)
	var a mat.Dense
	a.CloneFrom(mat.NewDiagDense(dim, spectrum))
	if rotation > 0 && dim > 1 {
		var qr mat.QR
		qr.Factorize(mat.NewDense(dim, dim, normal(generator(rotation), dim*dim, 1)))
		var q mat.Dense
		qr.QTo(&q)
		a.Product(&q, &a, q.T())
	}
	for i := range dim { // to the bit symmetric
		for j := range i {
			a.Set(i, j, a.At(j, i))
		}
	}
	start := make([]float64, dim)
	for i := range start {
		start[i] = 1 / float64(1+i)
	}
	data := a.RawMatrix().Data
	return &function{
		dim: dim, batches: 1, start: start,
		loss: func(b *graph.Builder, theta graph.Value, _ int) graph.Value {
			column := theta.Reshape(dim, 1)
			product := b.ConstArray(theta.DType(), data, dim, dim).MatMul(column)
			return column.Mul(product).Sum().Mul(theta.Like(0.5))
		},
	}
}

// newLogistic makes the mean of log(1 + exp(-y x.theta)) plus (ridge/2) |theta|^2 for generated x and noisy labels y of +1
// and -1.
func newLogistic(o *options) *function {
	samples := o.count("samples", 40, 1, 10_000)
	features := o.count("features", 4, 1, 1_000)
	batches := o.count("batches", 1, 1, samples)
	ridge := o.nonNegative("ridge", 0.01)
	r := generator(o.count("seed", 1, 0, math.MaxInt32))
	truth := normal(r, features, 1)
	signed := normal(r, samples*features, 1) // y x
	for i := range samples {
		x := signed[i*features : (i+1)*features]
		dot := 0.5 * r.NormFloat64()
		for j, v := range x {
			dot += v * truth[j]
		}
		if dot < 0 {
			for j := range x {
				x[j] = -x[j]
			}
		}
	}
	start := normal(r, features, 0.5)
	return &function{
		dim: features, batches: batches, start: start,
		loss: func(b *graph.Builder, theta graph.Value, batch int) graph.Value {
			from, to := split(samples, batches, batch)
			x := b.ConstArray(theta.DType(), signed[from*features:to*features], to-from, features)
			margin := x.MatMul(theta.Reshape(features, 1)) // [n, 1]
			zero := margin.Like(0).BroadcastTo(to-from, 1)
			penalty := theta.Square().Sum().Mul(theta.Like(ridge / 2))
			return graph.Concat(1, zero, margin.Neg()).LogSumExp().Mean().Add(penalty)
		},
	}
}

// newFactorization makes (1/2)|A B - Y|^2 / rows for a generated Y of the rank that A and B have; theta is A [rows, rank], then
// B [rank, columns]. A batch is a part of the rows.
func newFactorization(o *options) *function {
	rows := o.count("rows", 5, 1, 2_000)
	columns := o.count("columns", 4, 1, 2_000)
	rank := o.count("rank", 2, 1, 200)
	batches := o.count("batches", 1, 1, rows)
	r := generator(o.count("seed", 1, 0, math.MaxInt32))
	var y mat.Dense
	y.Mul(mat.NewDense(rows, rank, normal(r, rows*rank, 1)), mat.NewDense(rank, columns, normal(r, rank*columns, 1)))
	target := y.RawMatrix().Data
	dim := rank * (rows + columns)
	return &function{
		dim: dim, batches: batches, start: normal(r, dim, 0.7),
		loss: func(b *graph.Builder, theta graph.Value, batch int) graph.Value {
			from, to := split(rows, batches, batch)
			left := theta.SliceAxis(0, from*rank, to*rank).Reshape(to-from, rank)
			right := theta.SliceAxis(0, rows*rank, dim).Reshape(rank, columns)
			want := b.ConstArray(theta.DType(), target[from*columns:to*columns], to-from, columns)
			scale := 0.5 / float64(to-from)
			return left.MatMul(right).Sub(want).Square().Sum().Mul(theta.Like(scale))
		},
	}
}
