package imported

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/onnx"
	"shadowflow/onnx/fold"
)

// attention is softmax(scale Q K' + mask) V for each head of each example, recorded as the built-in networks have it, so that it is run head by head where theirs
// is.
func attention(c *call) ([]value, error) {
	c.attributes.Ignore("softmax_precision", "qk_matmul_output_mode") // of an output that is not there
	if softcap := c.attributes.Float("softcap", 0); softcap != 0 {
		return nil, fmt.Errorf("softcap is %v, want 0: others are not there yet", softcap)
	}
	for i, name := range []string{"past_key", "past_value", "nonpad_kv_seqlen"} {
		if c.has(4 + i) {
			return nil, fmt.Errorf("it has %s, keys and values of tokens before: export the network without a cache", name)
		}
	}
	q, err := c.heads(0, "q_num_heads")
	if err != nil {
		return nil, err
	}
	k, err := c.heads(1, "kv_num_heads")
	if err != nil {
		return nil, err
	}
	v, err := c.heads(2, "kv_num_heads")
	if err != nil {
		return nil, err
	}
	s, t, u := q.Shape(), k.Shape(), v.Shape()
	if s[0] != t[0] || s[3] != t[3] || s[1]%t[1] != 0 || !slices.Equal(t[:3], u[:3]) {
		return nil, fmt.Errorf("its queries, keys and values have the shapes %v, %v and %v: want [N, heads, tokens, size], and a multiple of the heads of keys and values for queries", s, t, u)
	}
	k, v = repeated(k, s[1]/t[1]), repeated(v, s[1]/t[1])
	dots := q.MatMul(k.T())
	if !dots.Valid() {
		return nil, c.fault()
	}
	usual := 1 / math.Sqrt(float64(s[3]))
	dots = dots.Mul(dots.Like(meant(c.attributes.Float("scale", usual), usual)))
	if dots, err = c.masked(dots); err != nil {
		return nil, err
	}
	y := dots.SoftmaxMatMul(v)
	if len(c.shapeOf(c.in[0])) == 4 {
		return plainOne(y)
	}
	return plainOne(y.Transpose(0, 2, 1, 3).Reshape(s[0], s[2], s[1]*u[3]))
}

// heads returns an input as [N, heads, tokens, size]; the file may have it as [N, tokens, heads*size], and then says the number of heads.
func (c *call) heads(i int, name string) (graph.Value, error) {
	n := int(c.attributes.Int(name, 0))
	v, err := c.array(i)
	if err != nil {
		return v, err
	}
	switch s := v.Shape(); {
	case len(s) == 4:
		return v, nil
	case len(s) != 3:
		return v, fmt.Errorf("its input %d has shape %v, want [N, heads, tokens, size] or [N, tokens, heads*size]", i, s)
	case n < 1 || s[2]%n != 0:
		return v, fmt.Errorf("%s is %d, want a divisor of the last of the lengths %v of input %d", name, n, s, i)
	default:
		return v.Reshape(s[0], s[1], n, s[2]/n).Transpose(0, 2, 1, 3), nil
	}
}

// repeated gives as many heads of queries each head of keys or values [N, heads, tokens, size].
func repeated(v graph.Value, times int) graph.Value {
	s := v.Shape()
	return v.Reshape(s[0], s[1], 1, s[2], s[3]).BroadcastTo(s[0], s[1], times, s[2], s[3]).Reshape(s[0], s[1]*times, s[2], s[3])
}

// masked adds to the products of queries and keys what hides tokens: the mask that the node reads, and where it is causal the tokens behind each.
func (c *call) masked(dots graph.Value) (graph.Value, error) {
	if c.has(3) {
		mask, err := c.mask(3)
		if err != nil {
			return dots, err
		}
		if s := mask.Shape(); len(s) > 4 || !fits(s, dots.Shape()) {
			return dots, fmt.Errorf("its mask has shape %v, which does not broadcast to %v", s, dots.Shape())
		}
		dots = dots.Add(mask)
	}
	if c.attributes.Int("is_causal", 0) != 0 {
		s := dots.Shape()
		hidden, err := c.causal(s[2], s[3])
		if err != nil {
			return dots, err
		}
		dots = dots.Add(hidden)
	}
	return dots, nil
}

// fits reports whether an array of a shape can be added to one of another without making it larger.
func fits(shape, to []int) bool {
	for i, d := range shape {
		if d != 1 && d != to[len(to)-len(shape)+i] {
			return false
		}
	}
	return true
}

// mask returns an input that is to be added to products: of truth values, what hides where they are false.
func (c *call) mask(i int) (graph.Value, error) {
	a := c.in[i].known
	if a == nil || a.Type.Floating() {
		return c.array(i)
	}
	if a.Type != onnx.Bool {
		return graph.Value{}, fmt.Errorf("its mask is of %s, want truth values or floating-point numbers", a.Type)
	}
	hidden := &fold.Array{Type: onnx.Float64, Shape: a.Shape, Floats: make([]float64, a.Size())}
	for j, shown := range a.Ints {
		if shown == 0 {
			hidden.Floats[j] = -largest
		}
	}
	return c.constant(hidden), nil
}

// causal is what hides from each token those behind it. All layers share it.
func (l *lowering) causal(queries, keys int) (graph.Value, error) {
	at := [2]int{queries, keys}
	if v, ok := l.masks[at]; ok {
		return v, nil
	}
	table, err := l.write(queries * keys)
	if err != nil {
		return graph.Value{}, err
	}
	nn.HideLater(table, keys)
	if l.masks == nil {
		l.masks = map[[2]int]graph.Value{}
	}
	l.masks[at] = l.b.ConstArray(l.dtype, table, queries, keys)
	return l.masks[at], nil
}
