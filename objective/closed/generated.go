package closed

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/objective"
	"shadowflow/schema"
)

// generator returns the source of an objective's generated data.
func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5ad0f10)) }

func normal(r *rand.Rand, n int, scale float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = scale * r.NormFloat64()
	}
	return v
}

// split returns the bounds of part i of n things in equal parts.
func split(n, parts, i int) (from, to int) { return n * i / parts, n * (i + 1) / parts }

// maxSpectrum bounds the number of eigenvalues, whose matrix is stored whole.
const maxSpectrum = 1000

// newQuadratic makes (1/2) theta' A theta with a given spectrum.
func newQuadratic(v schema.Values) (*objective.Function, error) {
	spectrum, rotation := get[[]float64](v, "spectrum"), get[int](v, "rotation")
	dim := len(spectrum)
	if dim < 1 || dim > maxSpectrum {
		return nil, schema.Setting{}.ValueError("spectrum", "%s: want from 1 to %d", plural.Count(dim, "number"), maxSpectrum)
	}
	var a mat.Dense
	a.CloneFrom(mat.NewDiagDense(dim, spectrum))
	if rotation > 0 && dim > 1 {
		var qr mat.QR
		qr.Factorize(mat.NewDense(dim, dim, normal(generator(uint64(rotation)), dim*dim, 1)))
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
	return &objective.Function{
		Dim: dim, Start: start,
		Batch: func(theta graph.Value, _ int) graph.Value {
			column := theta.Reshape(dim, 1)
			product := theta.Builder().ConstArray(theta.DType(), data, dim, dim).MatMul(column)
			return column.Mul(product).Sum().Mul(theta.Like(0.5))
		},
	}, nil
}

// newLogistic makes the mean of log(1 + exp(-y x.theta)) plus (ridge/2) |theta|^2 for generated x and noisy labels y of +1
// and -1.
func newLogistic(v schema.Values) (*objective.Function, error) {
	samples, features, batches := get[int](v, "samples"), get[int](v, "features"), get[int](v, "batches")
	if batches > samples {
		return nil, schema.Setting{}.ValueError("batches", "%d: want at most samples, %d", batches, samples)
	}
	ridge := get[float64](v, "ridge")
	r := generator(get[uint64](v, "seed"))
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
	return &objective.Function{
		Dim: features, Batches: batches, Start: start,
		Batch: func(theta graph.Value, i int) graph.Value {
			from, to := split(samples, batches, i)
			x := theta.Builder().ConstArray(theta.DType(), signed[from*features:to*features], to-from, features)
			margin := x.MatMul(theta.Reshape(features, 1)) // [n, 1]
			zero := margin.Like(0).BroadcastTo(to-from, 1)
			penalty := theta.Square().Sum().Mul(theta.Like(ridge / 2))
			return graph.Concat(1, zero, margin.Neg()).LogSumExp().Mean().Add(penalty)
		},
	}, nil
}

// newFactorization makes (1/2)|A B - Y|^2 / rows for a generated Y of the rank that A and B have; theta is A [rows, rank], then
// B [rank, columns]. A batch is a part of the rows.
func newFactorization(v schema.Values) (*objective.Function, error) {
	rows, columns, rank := get[int](v, "rows"), get[int](v, "columns"), get[int](v, "rank")
	batches := get[int](v, "batches")
	if batches > rows {
		return nil, schema.Setting{}.ValueError("batches", "%d: want at most rows, %d", batches, rows)
	}
	r := generator(get[uint64](v, "seed"))
	var y mat.Dense
	y.Mul(mat.NewDense(rows, rank, normal(r, rows*rank, 1)), mat.NewDense(rank, columns, normal(r, rank*columns, 1)))
	target := y.RawMatrix().Data
	dim := rank * (rows + columns)
	return &objective.Function{
		Dim: dim, Batches: batches, Start: normal(r, dim, 0.7),
		Blocks: []graph.Block{
			{Name: "A", Shape: []int{rows, rank}},
			{Name: "B", Shape: []int{rank, columns}, Offset: rows * rank},
		},
		Batch: func(theta graph.Value, i int) graph.Value {
			from, to := split(rows, batches, i)
			left := theta.SliceAxis(0, from*rank, to*rank).Reshape(to-from, rank)
			right := theta.SliceAxis(0, rows*rank, dim).Reshape(rank, columns)
			want := theta.Builder().ConstArray(theta.DType(), target[from*columns:to*columns], to-from, columns)
			scale := 0.5 / float64(to-from)
			return left.MatMul(right).Sub(want).Square().Sum().Mul(theta.Like(scale))
		},
	}, nil
}
