package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"shadowflow/graph"
)

// GPT is a language model of GPT-2's kind (Radford, Wu, Child, Luan, Amodei, Sutskever, "Language Models are Unsupervised Multitask
// Learners", 2019): token and position embeddings, pre-layernorm blocks of causal attention and an MLP of four times the width, a final
// layernorm and a head without bias. Its gelu is the exact one, where GPT-2's is an approximation; there is no dropout. Names and layouts are
// nanoGPT's, with nn.Linear where GPT-2's files have transposed weights; docs/weights.md shows the PyTorch module.
//
// An example is a window of tokens, at most Context of them; its logits are those of the token behind each, [N*tokens, classes].
type GPT struct {
	Depth   int  `yaml:"depth"`   // number of blocks
	Heads   int  `yaml:"heads"`   // of each attention; a divisor of Dim
	Dim     int  `yaml:"dim"`     // width
	Context int  `yaml:"context"` // positions
	Tied    bool `yaml:"tied"`    // the head's weight is the token embedding
}

// Build implements [Architecture]: input is the number of tokens of a window, classes that of the vocabulary.
func (a *GPT) Build(input []int, classes int) (*Model, error) {
	if err := checkData(input, classes); err != nil {
		return nil, err
	}
	if err := inRange(field{"depth", a.Depth, maxDepth}, field{"heads", a.Heads, maxDepth}, field{"dim", a.Dim, maxWidth},
		field{"context", a.Context, maxWidth}); err != nil {
		return nil, err
	}
	if a.Dim%a.Heads != 0 {
		return nil, &FieldError{"heads", a.Heads, fmt.Sprintf("a divisor of dim, %d", a.Dim)}
	}
	if len(input) != 1 {
		return nil, &FieldError{"the shape of an example", input, "the tokens of a window: a language model wants a text, data.name: text"}
	}
	if input[0] > a.Context {
		return nil, &FieldError{"the shape of an example", input, fmt.Sprintf("a window of at most %d tokens, model.context", a.Context)}
	}
	d, tokens := &declaration{}, input[0]
	const std = 0.02
	last := std / math.Sqrt(2*float64(a.Depth)) // of what is added to the residual stream, as in GPT-2
	table := d.param("transformer.wte.weight", normal(std), classes, a.Dim)
	layers := []layer{d.embedding(table, tokens, a.Context, a.Dim, std)}
	for i := range a.Depth {
		name := fmt.Sprintf("transformer.h.%d.", i)
		layers = append(layers,
			residual(d.causalAttention(name, a.Dim, tokens, a.Heads, std, last)),
			residual(sequence(d.layerNorm(name+"ln_2", a.Dim), d.normalLinear(name+"mlp.c_fc", a.Dim, 4*a.Dim, std), pointwise(graph.Value.Gelu),
				d.normalLinear(name+"mlp.c_proj", 4*a.Dim, a.Dim, last))))
	}
	layers = append(layers, d.layerNorm("transformer.ln_f", a.Dim))
	head := table
	if !a.Tied {
		head = d.param("lm_head.weight", normal(std), classes, a.Dim)
	}
	layers = append(layers, func(p *pass, x graph.Value) graph.Value { return x.MatMul(p.params[head].T()) })
	m := d.model(input, classes, sequence(layers...))
	m.tokens, m.adapt = true, a.adapt
	return m, nil
}

func normal(std float64) initializer {
	return func(r *rand.Rand) float64 { return std * r.NormFloat64() }
}

// normalLinear declares nn.Linear with a weight drawn from a normal distribution and a bias of zero.
func (d *declaration) normalLinear(name string, in, out int, std float64) layer {
	w := d.param(name+".weight", normal(std), out, in)
	b := d.param(name+".bias", constant(0), out)
	return func(p *pass, x graph.Value) graph.Value { return x.MatMul(p.params[w].T()).Add(p.params[b]) }
}

// embedding looks tokens [N, tokens] up and adds a vector for the position of each, as [N*tokens, dim].
func (d *declaration) embedding(table, tokens, context, dim int, std float64) layer {
	positions := d.param("transformer.wpe.weight", normal(std), context, dim)
	return func(p *pass, x graph.Value) graph.Value {
		return p.params[table].Rows(x).Add(p.params[positions].SliceAxis(0, 0, tokens)).Reshape(-1, dim)
	}
}

// causalAttention declares self-attention of each token to those before it and itself, from and to [N*tokens, dim], normalizing its input.
func (d *declaration) causalAttention(name string, dim, tokens, heads int, std, last float64) layer {
	norm := d.layerNorm(name+"ln_1", dim)
	qkv := d.normalLinear(name+"attn.c_attn", dim, 3*dim, std)
	out := d.normalLinear(name+"attn.c_proj", dim, dim, last)
	return func(p *pass, x graph.Value) graph.Value {
		return out(p, attend(qkv(p, norm(p, x)), tokens, heads, dim/heads, p.causal(x, tokens)))
	}
}

// causal is what hides from each token those behind it: added to the products of queries [tokens] and keys [tokens].
func (p *pass) causal(like graph.Value, tokens int) graph.Value {
	if !p.mask.Valid() {
		table := make([]float64, tokens*tokens)
		HideLater(table, tokens)
		p.mask = like.Builder().ConstArray(like.DType(), table, tokens, tokens)
	}
	return p.mask
}

// HideLater sets what hides later tokens in a table of zeros [queries, keys] that is added to products of queries and keys: a finite number far below any product, which keeps
// derivatives free of differences of infinities.
func HideLater(table []float64, keys int) {
	const hidden = -1e30
	for i := range table {
		if query, key := i/keys, i%keys; key > query {
			table[i] = hidden
		}
	}
}
