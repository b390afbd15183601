package nn

import (
	"fmt"
	"math"

	"shadowflow/graph"
)

// ViT is SimpleViT of the package vit-pytorch, which the paper's code trains (Beyer, Zhai, Kolesnikov, "Better plain ViT baselines for
// ImageNet-1k", arXiv:2205.01580): without class token or dropout, with fixed sine-cosine positions and no bias in attention. The last
// normalization comes before the mean over the patches, as in that package's current releases; older ones have it behind. docs/weights.md
// shows the PyTorch module and its names.
type ViT struct {
	Patch   int `yaml:"patch"`    // side of a patch, which divides the image's sides
	Dim     int `yaml:"dim"`      // width of a token; a multiple of 4 from 8 on, for the positions
	Depth   int `yaml:"depth"`    // number of attention and feed-forward pairs
	Heads   int `yaml:"heads"`    // of each attention
	DimHead int `yaml:"dim_head"` // width of a head
	MLP     int `yaml:"mlp"`      // hidden width of a feed-forward network, which has the exact gelu
}

// Build implements [Architecture].
func (a *ViT) Build(input []int, outputs int) (*Model, error) {
	if err := checkImages(input, outputs); err != nil {
		return nil, err
	}
	if err := inRange(field{"patch", a.Patch, maxWidth}, field{"dim", a.Dim, maxWidth}, field{"depth", a.Depth, maxDepth},
		field{"heads", a.Heads, maxDepth}, field{"dim_head", a.DimHead, maxWidth}, field{"mlp", a.MLP, maxWidth}); err != nil {
		return nil, err
	}
	h, w, c := input[0], input[1], input[2]
	if h%a.Patch != 0 || w%a.Patch != 0 {
		return nil, &FieldError{"patch", a.Patch, fmt.Sprintf("a divisor of both sides of an image of %dx%d", h, w)}
	}
	if a.Dim%4 != 0 || a.Dim < 8 {
		return nil, &FieldError{"dim", a.Dim, "a multiple of 4, at least 8"}
	}
	rows, cols, flat := h/a.Patch, w/a.Patch, a.Patch*a.Patch*c
	tokens := rows * cols
	d := &declaration{}
	layers := []layer{
		patches(rows, cols, a.Patch, c),
		d.layerNorm("to_patch_embedding.1", flat),
		d.linear("to_patch_embedding.2", flat, a.Dim, true),
		d.layerNorm("to_patch_embedding.3", a.Dim),
		addPositions(rows, cols, a.Dim),
	}
	norm := d.layerNorm("transformer.norm", a.Dim)
	for i := range a.Depth {
		name := fmt.Sprintf("transformer.layers.%d.", i)
		layers = append(layers, residual(d.attention(name+"0.", a.Dim, tokens, a.Heads, a.DimHead)),
			residual(d.feedForward(name+"1.net.", a.Dim, a.MLP)))
	}
	mean := pointwise(func(x graph.Value) graph.Value { return x.Reshape(-1, tokens, a.Dim).Mean(1) })
	layers = append(layers, norm, mean, d.linear("linear_head", a.Dim, outputs, true))
	return d.model(input, outputs, sequence(layers...)), nil
}

// patches cuts images into tokens [N*rows*cols, side*side*c], each patch row by row with its channels innermost.
func patches(rows, cols, side, c int) layer {
	return pointwise(func(x graph.Value) graph.Value {
		return x.Reshape(-1, rows, side, cols, side, c).Transpose(0, 1, 3, 2, 4, 5).Reshape(-1, side*side*c)
	})
}

// addPositions adds to each token sines and cosines of its column and row, at frequencies from 1 to 1/10000.
func addPositions(rows, cols, dim int) layer {
	quarter := dim / 4
	table := make([]float64, 0, rows*cols*dim)
	for r := range rows {
		for c := range cols {
			for _, wave := range []func(k float64) float64{
				func(k float64) float64 { return math.Sin(float64(c) * k) },
				func(k float64) float64 { return math.Cos(float64(c) * k) },
				func(k float64) float64 { return math.Sin(float64(r) * k) },
				func(k float64) float64 { return math.Cos(float64(r) * k) },
			} {
				for i := range quarter {
					table = append(table, wave(math.Pow(10000, -float64(i)/float64(quarter-1))))
				}
			}
		}
	}
	return func(_ *pass, x graph.Value) graph.Value {
		table := x.Builder().ConstArray(x.DType(), table, rows*cols, dim)
		return x.Reshape(-1, rows*cols, dim).Add(table).Reshape(-1, dim)
	}
}

func residual(l layer) layer {
	return func(p *pass, x graph.Value) graph.Value { return l(p, x).Add(x) }
}

// attention declares self-attention among the tokens of each image, from and to [N*tokens, dim], normalizing its input.
func (d *declaration) attention(name string, dim, tokens, heads, head int) layer {
	inner := heads * head
	norm := d.layerNorm(name+"norm", dim)
	qkv := d.linear(name+"to_qkv", dim, 3*inner, false)
	out := d.linear(name+"to_out", inner, dim, false)
	return func(p *pass, x graph.Value) graph.Value {
		return out(p, attend(qkv(p, norm(p, x)), tokens, heads, head, graph.Value{}))
	}
}

// attend returns what each token gets from the others, [N*tokens, heads*head], of queries, keys and values side by side
// [N*tokens, 3*heads*head]. A mask [tokens, tokens], if it is not the zero Value, is added to the products of queries and keys.
func attend(qkv graph.Value, tokens, heads, head int, mask graph.Value) graph.Value {
	// One transposition serves queries, keys and values: each is then a contiguous part [N, heads, tokens, head].
	all := qkv.Reshape(-1, tokens, 3, heads, head).Transpose(2, 0, 3, 1, 4)
	part := func(i int) graph.Value { return all.SliceAxis(0, i, i+1).Reshape(-1, heads, tokens, head) }
	dots := part(0).MatMul(part(1).T())
	dots = dots.Mul(dots.Like(1 / math.Sqrt(float64(head))))
	if mask.Valid() {
		dots = dots.Add(mask)
	}
	return dots.SoftmaxMatMul(part(2)).Transpose(0, 2, 1, 3).Reshape(-1, heads*head)
}

func (d *declaration) feedForward(name string, dim, hidden int) layer {
	return sequence(d.layerNorm(name+"0", dim), d.linear(name+"1", dim, hidden, true), pointwise(graph.Value.Gelu),
		d.linear(name+"3", hidden, dim, true))
}
