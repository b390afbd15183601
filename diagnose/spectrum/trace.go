package spectrum

import (
	"fmt"
	"math"
	"math/rand/v2"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/internal/stats"
)

// An Estimate is a number found from random probes, with its standard error: 0 where it is exact.
type Estimate struct {
	Mean      float64
	Deviation float64
}

// TraceOptions say how a trace is estimated. The zero value is a good default.
type TraceOptions[T graph.Float] struct {
	// Probes is the number of random vectors, at least 2. If 0, it is 32.
	Probes int
	// Sketch is the number of random vectors whose products span what is taken exactly, as Hutch++ does: each takes two products. Without any, and
	// without known pairs, the estimate is Hutchinson's.
	Sketch int
	// Known are eigenpairs, which are taken exactly too: with them the largest part of the deviation is gone at no product.
	Known []Pairs[T]
	// Diagonal asks for that, and for the trace of its root.
	Diagonal bool
	// Parts are spans of elements, each part of several from..to, like a layer's: their traces are asked for.
	Parts [][][2]int
	// AtOnce is the number of vectors of a product. If 0, it is 4.
	AtOnce int
	// Seed draws the probes.
	Seed uint64
	// Progress, unless nil, is told how many products are done.
	Progress func(done, of int)
}

// Traced is what random probes say of a trace.
type Traced struct {
	Trace Estimate
	// Parts are the traces of the parts' blocks.
	Parts []Estimate
	// Diagonal has the diagonal's elements, and Deviations their standard errors; both are nil where they were not asked for.
	Diagonal, Deviations []float64
	// RootDiagonal is sum_i sqrt(max(0, A_ii)), tr Diag(A)^(1/2) where no element is below 0: by the jackknife over groups of probes, which takes off most of
	// what the root of a mean is below the mean of roots.
	RootDiagonal Estimate
	Products     int
}

// groups is the number of groups that probes are cut into for the jackknife, at most.
const groups = 8

// Trace estimates the trace of a symmetric operator A on vectors of dim elements: that of A in the span of what is known and sketched exactly, and of the rest
// P A P from random signs z, whose z'PAPz have the mean tr PAP (M. Hutchinson, Commun. Stat. Simul. 18 (1989) 1059; Hutch++: R. Meyer et al.,
// arXiv:2010.09649). The diagonal is that of the exact part and the mean of z * PAPz, element by element (C. Bekas et al., Appl. Numer. Math. 57 (2007) 1214).
func Trace[T graph.Float](dim int, apply Product[T], opt TraceOptions[T]) (Traced, error) {
	if opt.Probes == 0 {
		opt.Probes = 32
	}
	if opt.AtOnce == 0 {
		opt.AtOnce = 4
	}
	if dim < 1 || opt.Probes < 2 || opt.Sketch < 0 {
		return Traced{}, fmt.Errorf("trace: %d dimensions, %d probes and %d vectors of a sketch: want at least 1, 2 and 0", dim, opt.Probes, opt.Sketch)
	}
	s := &tracing[T]{dim: dim, apply: apply, opt: opt, rnd: rand.New(rand.NewPCG(opt.Seed, 0x7ace))}
	if s.parts = make([]stats.Running, len(opt.Parts)); opt.Diagonal || len(opt.Parts) > 0 {
		s.diagonal = make([]float64, dim)
	}
	if err := s.exactly(); err != nil {
		return Traced{}, err
	}
	if len(s.span) == dim {
		return s.whole(), nil
	}
	if err := s.probe(); err != nil {
		return Traced{}, err
	}
	return s.result(), nil
}

// tracing is the state of an estimate.
type tracing[T graph.Float] struct {
	dim   int
	apply Product[T]
	opt   TraceOptions[T]
	rnd   *rand.Rand

	span     [][]T     // of what is taken exactly, orthonormal
	exact    float64   // its trace
	diagonal []float64 // its diagonal
	rest     stats.Running
	parts    []stats.Running
	sums     [][]float64 // of the diagonals of a group's probes
	counts   []int
	squares  []float64 // of those of all probes
	products int
}

// exactly takes the known pairs, and those of the sketch, out.
func (s *tracing[T]) exactly() error {
	for _, pairs := range s.opt.Known {
		for k, v := range pairs.Vectors {
			s.span = append(s.span, v)
			s.exact += pairs.Values[k]
			for i := range s.diagonal {
				s.diagonal[i] += pairs.Values[k] * float64(v[i]) * float64(v[i])
			}
		}
	}
	sketch := min(s.opt.Sketch, s.dim-len(s.span))
	if sketch == 0 {
		return nil
	}
	vs := s.signs(sketch)
	image := room(vs)
	if err := s.multiply(vs, image); err != nil {
		return err
	}
	q := orthonormal(s.span, image)
	if len(q) == 0 {
		return nil
	}
	aq := room(q)
	if err := s.multiply(q, aq); err != nil {
		return err
	}
	h := inner(q, aq)
	for j := range q {
		s.exact += h.At(j, j)
	}
	if s.diagonal != nil { // of Q Q'A + A Q Q' - Q (Q'A Q) Q'
		for j, v := range q {
			for i := range s.diagonal {
				s.diagonal[i] += 2 * float64(v[i]) * float64(aq[j][i])
			}
			for k, w := range q {
				for i := range s.diagonal {
					s.diagonal[i] -= float64(v[i]) * h.At(j, k) * float64(w[i])
				}
			}
		}
	}
	s.span = append(s.span, q...)
	return nil
}

// whole is the result where nothing is left to probe.
func (s *tracing[T]) whole() Traced {
	out := Traced{Trace: Estimate{Mean: s.exact}, Products: s.products}
	for _, spans := range s.opt.Parts {
		out.Parts = append(out.Parts, Estimate{Mean: sumOver(spans, func(i int) float64 { return s.diagonal[i] })})
	}
	if s.opt.Diagonal {
		out.Diagonal = s.diagonal
		out.Deviations = make([]float64, s.dim)
		out.RootDiagonal.Mean = rootSum(s.diagonal, nil, 0)
	}
	return out
}

// probe multiplies random signs, without what they have in the span.
func (s *tracing[T]) probe() error {
	if s.opt.Diagonal {
		n := min(groups, s.opt.Probes)
		s.counts, s.squares = make([]int, n), make([]float64, s.dim)
		for range n {
			s.sums = append(s.sums, make([]float64, s.dim))
		}
	}
	for done := 0; done < s.opt.Probes; {
		zs := s.signs(min(s.opt.AtOnce, s.opt.Probes-done))
		vs := room(zs)
		for i, z := range zs {
			copy(vs[i], z)
		}
		azs := room(zs)
		take(vs, s.span, inner(s.span, vs))
		if err := s.multiply(vs, azs); err != nil {
			return err
		}
		take(azs, s.span, inner(s.span, azs))
		for i, z := range zs {
			s.add(done+i, z, azs[i])
		}
		done += len(zs)
	}
	return nil
}

// add takes the product of a probe.
func (s *tracing[T]) add(probe int, z, az []T) {
	s.rest.Add(diagnose.Dot(z, az))
	for k, spans := range s.opt.Parts {
		s.parts[k].Add(sumOver(spans, func(i int) float64 { return float64(z[i]) * float64(az[i]) }))
	}
	if !s.opt.Diagonal {
		return
	}
	g := probe % len(s.sums)
	s.counts[g]++
	for i, sum := range s.sums[g] {
		d := float64(z[i]) * float64(az[i])
		s.sums[g][i] = sum + d
		s.squares[i] += d * d
	}
}

func (s *tracing[T]) result() Traced {
	mean, deviation := s.rest.StandardError()
	out := Traced{Trace: Estimate{s.exact + mean, deviation}, Products: s.products}
	for k, spans := range s.opt.Parts {
		mean, deviation := s.parts[k].StandardError()
		out.Parts = append(out.Parts, Estimate{mean + sumOver(spans, func(i int) float64 { return s.diagonal[i] }), deviation})
	}
	if !s.opt.Diagonal {
		return out
	}
	n := float64(s.opt.Probes)
	total := make([]float64, s.dim)
	for _, sum := range s.sums {
		for i, v := range sum {
			total[i] += v
		}
	}
	out.Diagonal, out.Deviations = make([]float64, s.dim), make([]float64, s.dim)
	for i, v := range total {
		out.Diagonal[i] = s.diagonal[i] + v/n
		out.Deviations[i] = math.Sqrt(max(0, s.squares[i]-v*v/n) / (n - 1) / n)
	}
	out.RootDiagonal = s.jackknife(total)
	return out
}

// jackknife estimates the sum of the roots of the diagonal, given the sum of all probes' diagonals.
func (s *tracing[T]) jackknife(total []float64) Estimate {
	all := rootSum(s.diagonal, total, float64(s.opt.Probes))
	g := float64(len(s.sums))
	var without stats.Running
	left := make([]float64, s.dim)
	for k, sum := range s.sums {
		for i, v := range sum {
			left[i] = total[i] - v
		}
		without.Add(rootSum(s.diagonal, left, float64(s.opt.Probes-s.counts[k])))
	}
	mean, deviation := without.StandardError()
	return Estimate{Mean: g*all - (g-1)*mean, Deviation: (g - 1) * deviation}
}

// sumOver adds up what f gives for the elements of spans.
func sumOver(spans [][2]int, f func(i int) float64) (sum float64) {
	for _, span := range spans {
		for i := span[0]; i < span[1]; i++ {
			sum += f(i)
		}
	}
	return sum
}

// rootSum returns sum_i sqrt(max(0, d_i + sum_i/n)), without sums where these are nil.
func rootSum(d, sums []float64, n float64) float64 {
	total := 0.0
	for i, v := range d {
		if sums != nil {
			v += sums[i] / n
		}
		total += math.Sqrt(max(0, v))
	}
	return total
}

// multiply applies the operator to a few vectors at once.
func (s *tracing[T]) multiply(vs, avs [][]T) error {
	for from := 0; from < len(vs); from += s.opt.AtOnce {
		to := min(from+s.opt.AtOnce, len(vs))
		if err := s.apply(vs[from:to], avs[from:to]); err != nil {
			return err
		}
		s.products += to - from
		for _, av := range avs[from:to] {
			if size := diagnose.Norm(av); math.IsNaN(size) || math.IsInf(size, 0) {
				return fmt.Errorf("trace: %w", ErrNotFinite)
			}
		}
		if s.opt.Progress != nil {
			s.opt.Progress(s.products, 2*min(s.opt.Sketch, s.dim)+s.opt.Probes)
		}
	}
	return nil
}

func (s *tracing[T]) signs(count int) [][]T {
	out := make([][]T, count)
	for i := range out {
		out[i] = make([]T, s.dim)
		signs(out[i], s.rnd)
	}
	return out
}
