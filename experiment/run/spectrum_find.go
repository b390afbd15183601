package run

import (
	"context"
	"fmt"
	"strings"

	"shadowflow/diagnose/spectrum"
	"shadowflow/engine"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/objective/network"
	"shadowflow/safetensors"
)

// finder finds out about the spectrum of a problem's loss at its start.
type finder[T graph.Float] struct {
	c      *config.Config
	p      *Problem[T]
	opt    SpectrumOptions
	layers []layer
	g      []T

	hessian spectrum.Product[T]
	single  bool             // several vectors at once take no less
	matrix  *spectrum.Matrix // where it is small
	pairs   spectrum.Extremes[T]
	scaled  spectrum.Extremes[T] // of the preconditioned
}

// layer is what spans of the parameters are of.
type layer struct {
	name  string
	spans [][2]int
	size  int
}

// layersOf puts weights together whose names differ in what stands behind the last dot, as the weight and the bias of a layer do.
func layersOf(blocks []graph.Block) []layer {
	var out []layer
	at := map[string]int{}
	for _, b := range blocks {
		name := b.Name
		if i := strings.LastIndexByte(name, '.'); i > 0 {
			name = name[:i]
		}
		k, known := at[name]
		if !known {
			k = len(out)
			at[name], out = k, append(out, layer{name: name})
		}
		out[k].spans = append(out[k].spans, [2]int{b.Offset, b.Offset + b.Size()})
		out[k].size += b.Size()
	}
	return out
}

// atOnce and probesAtOnce are numbers of vectors of a product where each computes anew what it shares with others: of a search, in which two at once take a sixth more products, each of
// three quarters of the time, and more take more than they save; and of what is independent.
const (
	atOnce       = 2
	probesAtOnce = 4
)

// small reports whether the whole matrix is made.
func (f *finder[T]) small() bool {
	return f.p.Objective.Dim() <= spectrum.Small && !f.opt.estimated
}

// extremal are the options of a search for eigenvalues of an operator on so many dimensions.
func (f *finder[T]) extremal(top, bottom, dim int) spectrum.ExtremalOptions[T] {
	top = min(top, dim)
	opt := spectrum.ExtremalOptions[T]{Top: top, Bottom: min(bottom, dim-top), Tolerance: f.opt.Tolerance, AtOnce: atOnce, Seed: f.c.Seed}
	if f.single {
		opt.AtOnce = 1
	}
	opt.Brief, opt.Each = f.opt.Brief, f.opt.Brief
	return opt
}

// room refuses what the memory does not hold, before any of it is made.
func (f *finder[T]) room(s *source) error {
	dim := f.p.Objective.Dim()
	width, vectors, numbers := widthOf(f.c), int64(f.extremal(f.opt.Top, f.opt.Bottom, dim).Vectors()+8), int64(0)
	if f.opt.Density {
		vectors += int64(spectrum.QuadratureOptions{}.Vectors())
	}
	if f.opt.Precondition {
		vectors += int64(f.opt.Top+f.opt.Bottom) + 8
	}
	if f.small() {
		vectors, numbers = int64(f.opt.Top+f.opt.Bottom+8), 4*int64(dim)
	}
	bytes := int64(dim) * (vectors*width + (numbers+12)*8)
	if s.data != nil {
		loss, err := nn.ParseLoss(f.c.Loss)
		if err != nil {
			return err
		}
		cost, err := f.costOfProducts(s, loss)
		if err != nil {
			return err
		}
		bytes += cost.PeakBytes
	}
	return refuseRoom(bytes, dim)
}

// costOfProducts returns the cost of the program that they take.
func (f *finder[T]) costOfProducts(s *source, loss nn.Loss) (engine.Cost, error) {
	t, regression, all := graph.TypeOf[T](), s.data.Classes == 0, s.data.Train.N()
	if f.c.Batch.Physical >= all {
		return network.MeasureLinear(s.model, loss, t, all, regression, f.c.Threads)
	}
	return network.Measure(s.model, loss, t, f.c.Batch.Physical, regression, objective.Kind{Vectors: probesAtOnce}, f.c.Threads)
}

// find finds what is asked for.
func (f *finder[T]) find(ctx context.Context) (*Spectrum, error) {
	f.g = make([]T, f.p.Objective.Dim())
	e, err := f.p.Objective.Evaluate(ctx, f.p.Theta, objective.Full, objective.Want[T]{Gradient: f.g})
	if err != nil {
		return nil, err
	}
	if err := checkSeen(f.p, e, f.g); err != nil {
		return nil, err
	}
	out := &Spectrum{Loss: record.Number(e.Loss), Parameters: len(f.g), Examples: e.Examples, Exact: f.small()}
	if f.p.perturbed() {
		out.Notes = append(out.Notes, "the Hessian is that of the loss itself, not of what sam makes of it")
	}
	if f.hessian, f.single, err = hessianAt(ctx, objective.Plain(f.p.Objective), f.p.Theta); err != nil {
		return nil, err
	}
	if f.small() {
		if f.matrix, err = spectrum.Dense(len(f.g), f.hessian, 8, f.tell("the matrix", 0)); err != nil {
			return nil, err
		}
		out.Products += len(f.g)
	}
	if err := f.whole(ctx, out); err != nil {
		return nil, err
	}
	if f.opt.Layers {
		if err := f.eachLayer(ctx, out); err != nil {
			return nil, err
		}
	}
	if f.opt.Density {
		if err := f.density(ctx, out); err != nil {
			return nil, err
		}
	}
	if f.opt.Precondition {
		err = f.precondition(ctx, out)
	}
	return out, err
}

// tell returns what passes progress on.
func (f *finder[T]) tell(what string, extra int) func(done, of int) {
	return func(done, of int) {
		if f.opt.Progress != nil {
			f.opt.Progress(done, of+extra, what)
		}
	}
}

// guess tells how a search goes, by the products that the pairs found took.
func (f *finder[T]) guess(what string) func(found, wanted, products int) {
	tell := f.tell(what, 0)
	return func(found, wanted, products int) {
		tell(products, products+1+(wanted-found)*max(6, products/max(1, found)))
	}
}

// probes is the number of random vectors of a trace.
const probes = 32

// whole finds the extreme eigenvalues and the trace of the Hessian.
func (f *finder[T]) whole(ctx context.Context, out *Spectrum) error {
	dim := len(f.g)
	parts := make([][][2]int, len(f.layers))
	for i, l := range f.layers {
		parts[i] = l.spans
	}
	var traced spectrum.Traced
	var err error
	if f.matrix != nil {
		if f.pairs, err = spectrum.ExtremesOf[T](f.matrix, f.opt.Top, f.opt.Bottom); err != nil {
			return err
		}
		traced = f.matrix.Trace(parts...)
	} else if traced, err = f.estimate(dim, f.hessian, "eigenvalues", parts, &f.pairs); err != nil {
		return err
	}
	out.Eigenvalues = f.eigenvalues(f.pairs, traced)
	if f.matrix == nil {
		out.Products += f.pairs.Products + traced.Products
	}
	if f.opt.Layers {
		out.Layers = map[string]Layer{}
		for i, l := range f.layers {
			out.Names = append(out.Names, l.name)
			out.Layers[l.name] = Layer{Parameters: l.size, Trace: estimateOf(traced.Parts[i])}
		}
	}
	return nil
}

// estimate finds extreme eigenvalues, and with them the trace unless it is to be brief, of an operator that is not small.
func (f *finder[T]) estimate(dim int, apply spectrum.Product[T], what string, parts [][][2]int, pairs *spectrum.Extremes[T]) (traced spectrum.Traced, err error) {
	if f.opt.Top+f.opt.Bottom > 0 {
		search := f.extremal(f.opt.Top, f.opt.Bottom, dim)
		search.Progress = f.guess(what)
		if *pairs, err = spectrum.Extremal(dim, apply, search); err != nil || f.opt.Brief {
			return traced, err
		}
	}
	return spectrum.Trace(dim, apply, spectrum.TraceOptions[T]{
		Probes: probes, Known: []spectrum.Pairs[T]{pairs.Top, pairs.Bottom}, Diagonal: true, Parts: parts, AtOnce: probesAtOnce, Seed: f.c.Seed, Progress: f.tell("trace", 0),
	})
}

// eigenvalues writes down what was found, with the trace unless that was left out.
func (f *finder[T]) eigenvalues(e spectrum.Extremes[T], traced spectrum.Traced) Eigenvalues {
	out := Eigenvalues{
		Top: record.Numbers(e.Top.Values), Bottom: record.Numbers(e.Bottom.Values),
		Residuals: Residuals{record.Numbers(e.Top.Residuals), record.Numbers(e.Bottom.Residuals)},
		Converged: e.Converged || len(e.Top.Values)+len(e.Bottom.Values) == 0, Tolerance: record.Number(e.Tolerance),
	}
	if !f.opt.Brief || f.matrix != nil {
		trace, diagonal := estimateOf(traced.Trace), estimateOf(traced.RootDiagonal)
		out.Trace, out.RootDiagonal = &trace, &diagonal
	}
	return out
}

// eachLayer finds the largest and the smallest eigenvalue of each layer's block.
func (f *finder[T]) eachLayer(ctx context.Context, out *Spectrum) error {
	for _, l := range f.layers {
		found, own := out.Layers[l.name], spectrum.Extremes[T]{}
		block, err := (*spectrum.Matrix)(nil), error(nil)
		switch apply := spectrum.Masked(len(f.g), l.spans, f.hessian); {
		case f.matrix != nil:
			block, err = f.matrix.Block(l.spans)
		default:
			block, own, err = f.ofLayer(l, apply, out)
		}
		if err != nil {
			return err
		}
		if block != nil {
			n := len(block.Values)
			found.Top, found.Bottom = record.Number(block.Values[n-1]), record.Number(block.Values[0])
		} else {
			found.Top, found.Bottom = record.Number(own.Top.Values[0]), record.Number(own.Bottom.Values[0])
			found.Residual = record.Number(max(own.Top.Residuals[0], own.Bottom.Residuals[0]))
			if !own.Converged {
				out.Notes = append(out.Notes, fmt.Sprintf("layer %s: after %d products its eigenvalues are within %.1e, not within %.1e of the largest", l.name, own.Products, found.Residual, own.Tolerance))
			}
		}
		out.Layers[l.name] = found
	}
	return nil
}

// ofLayer finds the eigenvalues of a layer's block, or the whole block where a search is not done after half as many products as that takes: where the smallest ones are crowded
// near 0, as those of a last layer, of which a sum over the classes has none.
func (f *finder[T]) ofLayer(l layer, apply spectrum.Product[T], out *Spectrum) (block *spectrum.Matrix, own spectrum.Extremes[T], err error) {
	if l.size > 2*probes {
		search := f.extremal(1, 1, l.size)
		search.Progress = f.guess("layer " + l.name)
		if l.size <= spectrum.Small {
			search.MaxProducts = l.size / 2
		}
		own, err = spectrum.Extremal(l.size, apply, search)
		out.Products += own.Products
		if err != nil || own.Converged || l.size > spectrum.Small {
			return nil, own, err
		}
	}
	block, err = spectrum.Dense(l.size, apply, probesAtOnce, f.tell("layer "+l.name, 0))
	out.Products += l.size
	return block, own, err
}

// densityPoints is the number of points that a density is given at.
const densityPoints = 400

func (f *finder[T]) density(ctx context.Context, out *Spectrum) (err error) {
	var spread *spectrum.Spread
	if f.matrix != nil {
		spread = f.matrix.Spread()
	} else {
		spread, err = spectrum.Quadrature(len(f.g), f.hessian, spectrum.QuadratureOptions{Seed: f.c.Seed, Progress: f.tell("density", 0)})
		if err != nil {
			return err
		}
		out.Products += spread.Products
	}
	out.Density = densityOf(spread)
	return nil
}

// writeVectors writes the eigenvectors, under each weight's name with the prefix top.0., top.1., .., bottom.0., .. of the Hessian's, and with
// preconditioned. before it of the other's.
func (f *finder[T]) writeVectors(model *nn.Model) error {
	var tensors []safetensors.Tensor
	for _, part := range []struct {
		prefix string
		pairs  spectrum.Pairs[T]
	}{{"top", f.pairs.Top}, {"bottom", f.pairs.Bottom}, {"preconditioned.top", f.scaled.Top}, {"preconditioned.bottom", f.scaled.Bottom}} {
		for k, v := range part.pairs.Vectors {
			more, err := nn.Tensors(model, fmt.Sprintf("%s.%d.", part.prefix, k), v)
			if err != nil {
				return err
			}
			tensors = append(tensors, more...)
		}
	}
	if err := safetensors.WriteFile(f.opt.Vectors, tensors, map[string]string{"loss": f.c.Loss}); err != nil {
		return fmt.Errorf("--vectors: %w", err)
	}
	return nil
}
