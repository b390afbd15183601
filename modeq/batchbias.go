package modeq

import (
	"context"
	"errors"
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// NoiseTerms is the number of terms that noise adds to the expected second-order term.
const NoiseTerms = 5

// BatchBiasOptions say which expectation is wanted.
type BatchBiasOptions struct {
	// Order is the law by which the batches are drawn.
	Order Correlation
	// Hessians is the number of batches, the next ones, whose Hessians stand for that of all in the fifth term; 0 stands for 1, and
	// at least the number of batches makes that term exact.
	Hessians int
	Threads  int
}

// BatchBias is the expectation, over the order of mini-batches, of the part of the second-order term C that memory has,
//
//	C_mem = sum_i dU/ds_i sum_k w_i(n-k) phi_i'(g_k) H_k sum_{l=k..n-1} F^(l),
//
// to second order in the noise of the batches' gradients and Hessians, memory full: for a rule in the memory form that acts
// coordinate by coordinate, at any eps. Without noise it is Terms[0]. The noise terms are those of arXiv:2602.01642, where that
// speaks of Adam and of eps = 0 (see [AdamNoise]): what coordinate j's own variance does in coordinate j (1), what the others' do
// through the update (2), how coordinate j's variance changes along F (3), how the others' change along coordinate j (4), and the
// covariances of j with the others (5).
//
// No matrix is formed. With H_k and xi_k the Hessian and the noise of batch k, v_b = dU/ds_b phi_b', and means over the batches, the
// terms are coefficients of coordinate j times H F, H (E delta^2 U), mean_k xi_k (H_k F), mean_k H_k (v_b xi_k) and
// mean_k xi_k (H v_b xi_k). In the last, H would cost a product with each batch for each batch; Hessians of other batches stand for it.
//
// An evaluation costs, beside the gradients' mean and variance, each batch's gradient once more, and 2 + 2m Hessian-vector products with
// each batch, two in a pass, m being the number of moments (and one more where the update reads g itself). Exact, the fifth term takes
// m products with each batch for each batch.
//
// It is not for concurrent use.
type BatchBias[T graph.Float] struct {
	objective objective.Objective[T]
	hessians  int
	kernels   noiseSums
	programs  *noisePrograms
	chunk     int

	kept         []float64
	update, bend []T   // F and E delta^2 U
	paths        [][]T // v_b

	noise    [][]T // of the batches that a pass needs, a ring
	holds    []int // which they are
	vectors  [][]T
	products [][]T
	means    [][]float64 // H F, H (E delta^2 U), own slope, others' slopes.., products..
	terms    [1 + NoiseTerms][]float64
}

// ExpectedBias is the expected C_mem by its terms. Its slices are the evaluator's, and overwritten by its next evaluation.
type ExpectedBias struct {
	// Terms are C_mem without noise, and the five terms of noise.
	Terms [1 + NoiseTerms][]float64
	// Kept says, by 1 or 0, where the expansion in noise was used: where what U changes by to second order is at most half of U,
	// which for Adam with a long memory is a variance of at most g^2 + eps. The other coordinates have no noise terms and give none
	// to others.
	Kept []float64
	// LeftOut is the number of those others.
	LeftOut int
}

// Sum returns a coordinate's expected C_mem.
func (e *ExpectedBias) Sum(j int) float64 {
	sum := 0.0
	for _, t := range e.Terms {
		sum += t[j]
	}
	return sum
}

// productsAtOnce is the number of Hessian-vector products of a pass, which share their gradient: more would take more memory.
const productsAtOnce = 2

// evaluationChunk is the number of coordinates that the programs take at once.
const evaluationChunk = 8192

// NewBatchBias prepares the expectation for a rule on a loss of several batches.
func NewBatchBias[T graph.Float](r *rule.Rule, loss objective.Objective[T], opt BatchBiasOptions) (*BatchBias[T], error) {
	m, err := r.MemoryForm()
	if err != nil {
		return nil, err
	}
	batches, dim := loss.Batches(), loss.Dim()
	switch {
	case !r.Elementwise:
		return nil, fmt.Errorf("expected bias of %s: its update is not made coordinate by coordinate", r.Name)
	case r.Conditioning().Active():
		return nil, fmt.Errorf("expected bias of %s: what is made of the gradient first, %v, is not in its expansion", r.Name, r.Conditioning())
	case batches < 2:
		return nil, errors.New("expected bias over the order of batches: there is one batch; want at least two")
	case opt.Order.At == nil:
		return nil, errors.New("expected bias over the order of batches: no order; want the correlation of sampled, shuffled or cyclic batches")
	}
	b := &BatchBias[T]{objective: loss, hessians: min(max(1, opt.Hessians), batches), chunk: min(dim, evaluationChunk)}
	var kernels []rule.Kernel
	for _, mo := range noiseMoments(m) {
		kernels = append(kernels, mo.Kernel)
	}
	b.kernels = sumsOf(kernels, opt.Order.within(2*m.Window(DefaultTolerance)))
	if b.programs, err = newNoisePrograms(m, &b.kernels, b.chunk, opt.Threads); err != nil {
		return nil, fmt.Errorf("expected bias of %s: %w", r.Name, err)
	}
	b.kept, b.update, b.bend = make([]float64, dim), make([]T, dim), make([]T, dim)
	paths := b.programs.paths
	b.paths = vectorsOf[T](paths, dim)
	b.noise = vectorsOf[T](min(b.hessians+1, batches), dim)
	b.holds = make([]int, len(b.noise))
	b.vectors, b.products = vectorsOf[T](productsAtOnce, dim), vectorsOf[T](productsAtOnce, dim)
	b.means = vectorsOf[float64](3+2*paths, dim)
	for i := range b.terms {
		b.terms[i] = make([]float64, dim)
	}
	return b, nil
}

func vectorsOf[T graph.Float](n, dim int) [][]T {
	out := make([][]T, n)
	for i := range out {
		out[i] = make([]T, dim)
	}
	return out
}

// At returns the expected C_mem at theta, given mean and variance of the batches' gradients there, the latter divided by the number of
// batches. each, if not nil, is told of each batch's noise, its gradient less the mean, once.
func (b *BatchBias[T]) At(ctx context.Context, theta []T, mean, variance []float64, each func(noise []T)) (*ExpectedBias, error) {
	dim := b.objective.Dim()
	if len(theta) != dim || len(mean) != dim || len(variance) != dim {
		return nil, fmt.Errorf("expected bias: slices of %d, %d and %d numbers: want %d", len(theta), len(mean), len(variance), dim)
	}
	if err := b.respond(theta, mean, variance); err != nil {
		return nil, err
	}
	if err := b.multiply(ctx, theta, mean, each); err != nil {
		return nil, err
	}
	if err := b.combine(theta, mean, variance); err != nil {
		return nil, err
	}
	out := &ExpectedBias{Terms: b.terms, Kept: b.kept}
	for _, k := range b.kept {
		if k == 0 {
			out.LeftOut++
		}
	}
	return out, nil
}

// inChunks runs a program of float64 over parts of vectors; the last parts are filled up with ones.
func (b *BatchBias[T]) inChunks(p *engine.Program, inputs, outputs int, load, store func(i, from int, part []float64)) error {
	in, out := vectorsOf[float64](inputs, b.chunk), vectorsOf[float64](outputs, b.chunk)
	for from := 0; from < b.objective.Dim(); from += b.chunk {
		n := min(b.chunk, b.objective.Dim()-from)
		for i, part := range in {
			load(i, from, part[:n])
			for j := n; j < len(part); j++ {
				part[j] = 1
			}
		}
		if err := p.Run(buffers(in), buffers(out)); err != nil {
			return err
		}
		for i, part := range out {
			store(i, from, part[:n])
		}
	}
	return nil
}

// respond finds F, where noise is small, E delta^2 U, and the paths of noise.
func (b *BatchBias[T]) respond(theta []T, mean, variance []float64) error {
	into := append([][]T{b.update, nil, b.bend}, b.paths...)
	return b.inChunks(b.programs.before, 3, len(into), func(i, from int, part []float64) {
		switch i {
		case 0:
			copy(part, mean[from:])
		case 1:
			convert(part, theta[from:])
		default:
			copy(part, variance[from:])
		}
	}, func(i, from int, part []float64) {
		if i == 1 {
			copy(b.kept[from:], part)
			return
		}
		convert(into[i][from:from+len(part)], part)
	})
}

func convert[A, B graph.Float](to []A, from []B) {
	for i := range to {
		to[i] = A(from[i])
	}
}

// multiply finds the means of the products with the batches' Hessians.
func (b *BatchBias[T]) multiply(ctx context.Context, theta []T, mean []float64, each func(noise []T)) error {
	for _, m := range b.means {
		clear(m)
	}
	for i := range b.holds {
		b.holds[i] = -1
	}
	batches, told := b.objective.Batches(), 0
	for k := range batches {
		for next := k; next < k+len(b.noise); next++ {
			if err := b.load(ctx, next%batches, next%len(b.noise), theta, mean); err != nil {
				return err
			}
			if each != nil && next == told && next < batches {
				each(b.noise[next%len(b.noise)])
				told++
			}
		}
		if err := b.pass(ctx, k, theta); err != nil {
			return err
		}
	}
	return nil
}

// load puts a batch's noise into a place of the ring, unless it is there.
func (b *BatchBias[T]) load(ctx context.Context, batch, place int, theta []T, mean []float64) error {
	if b.holds[place] == batch {
		return nil
	}
	xi := b.noise[place]
	if _, err := b.objective.Evaluate(ctx, theta, batch, objective.Want[T]{Gradient: xi}); err != nil {
		return err
	}
	for j, g := range xi {
		xi[j] = T(float64(g) - mean[j])
	}
	b.holds[place] = batch
	return nil
}

// pass multiplies batch k's Hessian by all that it is needed for.
func (b *BatchBias[T]) pass(ctx context.Context, k int, theta []T) error {
	batches, paths := b.objective.Batches(), b.programs.paths
	share := 1 / float64(batches)
	slopes, crossed := b.means[3:3+paths], b.means[3+paths:]
	own := b.noise[k%len(b.noise)]
	p := &productPass[T]{b: b, ctx: ctx, batch: k, theta: theta}
	p.add(b.update, nil, func(hv []T) {
		addTo64(b.means[0], share, hv)
		addProduct(b.means[2], share, own, hv)
	})
	p.add(b.bend, nil, func(hv []T) { addTo64(b.means[1], share, hv) })
	for i, v := range b.paths {
		p.add(v, own, func(hv []T) {
			addTo64(slopes[i], share, hv)
			if b.hessians == batches { // its own is among those that stand for all
				addProduct(crossed[i], share*share, own, hv)
			}
		})
	}
	for ahead := 1; ahead <= min(b.hessians, batches-1); ahead++ {
		xi := b.noise[(k+ahead)%len(b.noise)]
		for i, v := range b.paths {
			p.add(v, xi, func(hv []T) { addProduct(crossed[i], share/float64(b.hessians), xi, hv) })
		}
	}
	p.flush()
	return p.err
}

// productPass collects vectors that a batch's Hessian is to be multiplied by, and multiplies as many at once as there is room for.
type productPass[T graph.Float] struct {
	b     *BatchBias[T]
	ctx   context.Context
	batch int
	theta []T
	take  []func(hv []T) // what becomes of the products
	err   error
}

// add asks for the product with v, coordinate by coordinate times xi if that is not nil.
func (p *productPass[T]) add(v, xi []T, take func(hv []T)) {
	if p.err != nil {
		return
	}
	to := p.b.vectors[len(p.take)]
	copy(to, v)
	for j, x := range xi {
		to[j] *= x
	}
	if p.take = append(p.take, take); len(p.take) == len(p.b.vectors) {
		p.flush()
	}
}

// flush multiplies, and hands the products to those that asked for them.
func (p *productPass[T]) flush() {
	n := len(p.take)
	if n == 0 || p.err != nil {
		return
	}
	want := objective.Want[T]{Vectors: p.b.vectors[:n], Products: p.b.products[:n]}
	if _, p.err = p.b.objective.Evaluate(p.ctx, p.theta, p.batch, want); p.err != nil {
		return
	}
	for i, take := range p.take {
		take(p.b.products[i])
	}
	p.take = p.take[:0]
}

// addTo64 sets y += a x.
func addTo64[T graph.Float](y []float64, a float64, x []T) {
	for j, v := range x {
		y[j] += a * float64(v)
	}
}

// addProduct adds a x y, coordinate by coordinate.
func addProduct[T graph.Float](sum []float64, a float64, x, y []T) {
	for j, v := range x {
		sum[j] += a * float64(v) * float64(y[j])
	}
}

// combine makes the terms of the products.
func (b *BatchBias[T]) combine(theta []T, mean, variance []float64) error {
	in := append([][]float64{mean, nil, variance, b.kept}, b.means...)
	return b.inChunks(b.programs.after, len(in), len(b.terms), func(i, from int, part []float64) {
		if i == 1 {
			convert(part, theta[from:])
			return
		}
		copy(part, in[i][from:])
	}, func(i, from int, part []float64) { copy(b.terms[i][from:], part) })
}
