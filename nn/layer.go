package nn

import (
	"fmt"
	"slices"

	"shadowflow/graph"
)

// layer maps activations to activations. What it needs of the parameters it was declared with, it takes from the pass.
type layer func(p *pass, x graph.Value) graph.Value

// pass is one recording of a network.
type pass struct {
	params  []graph.Value
	running graph.Value // used where eval is set
	eval    bool
	batch   []graph.Value // statistics of the batch normalizations met so far
	mask    graph.Value   // see causal; the zero Value before it is met
	err     error
}

// declaration collects the parameters and running averages of a network while its layers are made, in PyTorch's order.
type declaration struct {
	params []Param
	stats  []Stat
}

// model makes the declared network; l is the whole of it.
func (d *declaration) model(input []int, outputs int, l layer) *Model {
	return &Model{input: slices.Clone(input), outputs: outputs, params: d.params, stats: d.stats, layer: l}
}

// param declares parameters whose order in a graph is that in PyTorch, and returns their number.
func (d *declaration) param(name string, init initializer, shape ...int) int {
	return d.permuted(Param{Name: name, Shape: shape, Torch: shape, init: init})
}

func (d *declaration) permuted(p Param) int {
	if n := len(d.params); n > 0 {
		p.Offset = d.params[n-1].Offset + d.params[n-1].Size()
	}
	d.params = append(d.params, p)
	return len(d.params) - 1
}

func (d *declaration) stat(name string, size int, start float64) int {
	offset := 0
	if n := len(d.stats); n > 0 {
		offset = d.stats[n-1].Offset + d.stats[n-1].Size
	}
	d.stats = append(d.stats, Stat{Name: name, Size: size, Offset: offset, start: start})
	return offset
}

// sequence applies layers one after the other.
func sequence(layers ...layer) layer {
	return func(p *pass, x graph.Value) graph.Value {
		for _, l := range layers {
			x = l(p, x)
		}
		return x
	}
}

// pointwise makes a layer of a function without parameters.
func pointwise(f func(graph.Value) graph.Value) layer {
	return func(_ *pass, x graph.Value) graph.Value { return f(x) }
}

var relu = pointwise(graph.Value.Relu)

// linear declares nn.Linear(in, out): x [N, in] times the transposed weight [out, in], plus the bias.
func (d *declaration) linear(name string, in, out int, bias bool) layer {
	w := d.param(name+".weight", uniformFanIn(in), out, in)
	return d.affine(name, w, in, out, bias)
}

// linearOfImage declares nn.Linear on flattened images [H, W, C]. PyTorch flattens them as [C, H, W]; here they lie as
// [H, W, C], so the weight's columns are permuted once in the file and no image ever.
func (d *declaration) linearOfImage(name string, image []int, out int) layer {
	h, w, c := image[0], image[1], image[2]
	in := h * w * c
	p := d.permuted(Param{
		Name: name + ".weight", Shape: []int{out, in}, Torch: []int{out, in},
		view: []int{out, c, h, w}, perm: []int{0, 2, 3, 1}, init: uniformFanIn(in),
	})
	return d.affine(name, p, in, out, true)
}

func (d *declaration) affine(name string, weight, in, out int, bias bool) layer {
	if !bias {
		return func(p *pass, x graph.Value) graph.Value { return x.MatMul(p.params[weight].T()) }
	}
	b := d.param(name+".bias", uniformFanIn(in), out)
	return func(p *pass, x graph.Value) graph.Value { return x.MatMul(p.params[weight].T()).Add(p.params[b]) }
}

// kernel declares the weight of nn.Conv2d, [out, in, size, size] there and [size, size, in, out] here.
func (d *declaration) kernel(name string, in, out, size int, init initializer) int {
	torch := []int{out, in, size, size}
	return d.permuted(Param{
		Name: name + ".weight", Shape: []int{size, size, in, out}, Torch: torch, view: torch, perm: []int{2, 3, 1, 0}, init: init,
	})
}

// conv declares nn.Conv2d with an odd kernel, padded so that stride 1 keeps the image's size, without bias.
func (d *declaration) conv(name string, in, out, size, stride int, init initializer) layer {
	w, pad := d.kernel(name, in, out, size, init), size/2
	spec := graph.ConvSpec{Stride: [2]int{stride, stride}, Pad: [4]int{pad, pad, pad, pad}}
	return func(p *pass, x graph.Value) graph.Value { return x.Conv2D(p.params[w], spec) }
}

// convBias declares nn.Conv2d with a bias and PyTorch's default initialization.
func (d *declaration) convBias(name string, in, out, size int) layer {
	fanIn := in * size * size
	conv := d.conv(name, in, out, size, 1, uniformFanIn(fanIn))
	b := d.param(name+".bias", uniformFanIn(fanIn), out)
	return func(p *pass, x graph.Value) graph.Value { return conv(p, x).Add(p.params[b]) }
}

// batchNorm declares nn.BatchNorm2d.
func (d *declaration) batchNorm(name string, channels int) layer {
	const eps = 1e-5
	scale := d.param(name+".weight", constant(1), channels)
	shift := d.param(name+".bias", constant(0), channels)
	mean := d.stat(name+".running_mean", channels, 0)
	variance := d.stat(name+".running_var", channels, 1)
	return func(p *pass, x graph.Value) graph.Value {
		if p.eval {
			m := p.running.SliceAxis(0, mean, mean+channels)
			v := p.running.SliceAxis(0, variance, variance+channels)
			return Normalized(x, m, v, p.params[scale], p.params[shift], eps)
		}
		count := x.Size() / channels
		if count == 1 && p.err == nil {
			p.err = fmt.Errorf("%s sees one value a channel, which has no variance: want a batch of at least 2", name)
		}
		y, m, v := x.BatchNorm(p.params[scale], p.params[shift], eps)
		p.batch = append(p.batch, m, v.Mul(v.Like(float64(count)/float64(count-1))))
		return y
	}
}

// Normalized is the batch normalization of x [.., C] by a mean and a variance [C] that are given, as in evaluation mode: scale (x - mean)/sqrt(variance + eps) + shift.
func Normalized(x, mean, variance, scale, shift graph.Value, eps float64) graph.Value {
	a := scale.Mul(variance.Add(variance.Like(eps)).Rsqrt())
	return x.Mul(a).Add(shift.Sub(mean.Mul(a)))
}

// layerNorm declares nn.LayerNorm over the last axis.
func (d *declaration) layerNorm(name string, size int) layer {
	scale := d.param(name+".weight", constant(1), size)
	shift := d.param(name+".bias", constant(0), size)
	return func(p *pass, x graph.Value) graph.Value { return x.LayerNorm(p.params[scale], p.params[shift], 1e-5) }
}
