package rule

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/graph"
)

// Conditioning is what is made of the gradient before an optimizer sees it, in this order: its elements are clipped, then its norm, and then
// coupled decay is added. The zero Conditioning leaves it as it is.
//
//	g <- max(-ClipValue, min(ClipValue, g)),    g <- g min(1, ClipNorm/|g|),    g <- g + L2 theta.
type Conditioning struct {
	// ClipValue bounds the elements, and ClipNorm the two-norm over all parameters; 0: no bound. Both hold in the end.
	ClipValue, ClipNorm float64
	// L2 is the factor of the parameters: that of the penalty (L2/2)|theta|^2.
	L2 float64
	// Decays are the factors where they are not the same of all parameters, in the place of L2: of so many parameters each, in their order.
	Decays []Decay
	// PyTorch makes the factor of the norm min(1, ClipNorm/(|g| + 1e-6)), as torch.nn.utils.clip_grad_norm_ has it.
	PyTorch bool
}

// Decay is the coupled decay of a number of parameters.
type Decay struct {
	Parameters int
	L2         float64
}

// conditioningKeys are the keys of a section optimizer that say what is done to the gradient, which no hyperparameter may be called.
var conditioningKeys = []string{"clip_value", "clip_norm", "l2", "sam", "preset", "groups", "match", "dims", "lr_scale"}

// Active reports whether anything is done to the gradient.
func (c Conditioning) Active() bool { return c.Clips() || c.Decaying() }

// Decaying reports whether coupled decay is added.
func (c Conditioning) Decaying() bool {
	return c.L2 != 0 || slices.ContainsFunc(c.Decays, func(d Decay) bool { return d.L2 != 0 })
}

// Decay returns the conditioning without the clipping.
func (c Conditioning) Decay() Conditioning { return Conditioning{L2: c.L2, Decays: c.Decays} }

// numbers returns the numbers that are no factors of parts, by the config's keys.
func (c Conditioning) numbers() []keyed {
	numbers := []keyed{{"clip_value", c.ClipValue}, {"clip_norm", c.ClipNorm}}
	if c.Decays == nil {
		return append(numbers, keyed{"l2", c.L2})
	}
	for _, d := range c.Decays {
		if !slices.Contains(numbers, keyed{"l2", d.L2}) {
			numbers = append(numbers, keyed{"l2", d.L2})
		}
	}
	return numbers
}

type keyed struct {
	key string
	v   float64
}

// Clips reports whether anything is clipped.
func (c Conditioning) Clips() bool { return c.ClipValue != 0 || c.ClipNorm != 0 }

// Validate says which number is wrong, by the config's key.
func (c Conditioning) Validate() error {
	for _, n := range c.numbers() {
		if !(n.v >= 0) || math.IsInf(n.v, 1) {
			return fmt.Errorf("optimizer.%s: %v: want a number of at least 0", n.key, n.v)
		}
	}
	return nil
}

// String returns what is done, with the config's keys: clip_norm=1, l2=0.01. Of several decays that are not 0 each is named.
func (c Conditioning) String() string {
	var parts []string
	for _, n := range c.numbers() {
		if n.v != 0 {
			parts = append(parts, fmt.Sprintf("%s=%v", n.key, n.v))
		}
	}
	return strings.Join(parts, ", ")
}

// Softening is what PyTorch adds to the norm.
const Softening = 1e-6

// Of returns the gradient that the optimizer sees, of all parameters, as graph code.
func (c Conditioning) Of(g, theta graph.Value) graph.Value {
	if c.ClipValue > 0 {
		g = g.Min(g.Like(c.ClipValue)).Max(g.Like(-c.ClipValue))
	}
	if c.ClipNorm > 0 {
		norm := g.Square().Sum().Sqrt()
		if c.PyTorch {
			norm = norm.Add(norm.Like(Softening))
		}
		bound := norm.Like(c.ClipNorm)
		// A gradient of 0 is not clipped, and has the derivative of what it is.
		g = graph.Select(norm.Greater(bound).BroadcastTo(g.Shape()...), g.Mul(bound.Div(norm)), g)
	}
	if c.Decaying() {
		g = g.Add(c.decay(theta))
	}
	return g
}

// decay returns what coupled decay makes of the parameters.
func (c Conditioning) decay(theta graph.Value) graph.Value {
	if c.Decays == nil {
		return theta.Mul(theta.Like(c.L2))
	}
	parts, from := []graph.Value{}, 0
	for _, d := range c.Decays {
		part := theta.SliceAxis(0, from, from+d.Parameters)
		parts, from = append(parts, part.Mul(part.Like(d.L2))), from+d.Parameters
	}
	return graph.Concat(0, parts...)
}

// AddDecay adds to a vector what coupled decay makes of the parameters, or of a way of theirs.
func AddDecay[T graph.Float](c Conditioning, to, of []T) {
	decays, from := c.Decays, 0
	if decays == nil {
		decays = []Decay{{len(of), c.L2}}
	}
	for _, d := range decays {
		for j := from; j < from+d.Parameters && d.L2 != 0; j++ {
			to[j] += T(d.L2) * of[j]
		}
		from += d.Parameters
	}
}

// Clipped is what clipping makes of a gradient.
type Clipped struct {
	// Factor is that of the norm, 1 where it is not clipped.
	Factor float64
	// Share is the fraction of the elements whose size is clipped.
	Share float64
}

// Clip returns what clipping makes of a gradient.
func Clip[T graph.Float](c Conditioning, g []T) Clipped {
	square, count := 0.0, 0
	for _, v := range g {
		x := math.Abs(float64(v))
		if c.ClipValue > 0 && x > c.ClipValue {
			x = c.ClipValue
			count++
		}
		square += x * x
	}
	out := Clipped{Factor: 1, Share: float64(count) / float64(len(g))}
	norm := math.Sqrt(square)
	if c.PyTorch {
		norm += Softening
	}
	if c.ClipNorm > 0 && norm > c.ClipNorm {
		out.Factor = c.ClipNorm / norm
	}
	return out
}

// Conditioned returns the rule whose steps begin with a conditioning of the gradient. Everything follows from that: its state is the rule's; in
// its memory form phi and U take the gradient of the loss, and a norm that is clipped couples all parameters in both.
func (r *Rule) Conditioned(c Conditioning) (*Rule, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := r.Validate(); err != nil || !c.Active() {
		return r, err
	}
	if r.conditioning.Active() {
		return nil, fmt.Errorf("optimizer %s: its gradient is conditioned already, by %v", r.Name, r.conditioning)
	}
	w := *r
	w.conditioning, w.inner = c, r
	w.Elementwise = r.Elementwise && c.ClipNorm == 0
	if settled := r.settled; settled != nil {
		w.settled = func(g, theta graph.Value) graph.Value { return settled(c.Of(g, theta), theta) }
	}
	if r.Memory != nil {
		w.Memory = r.Memory.conditioned(c)
	}
	return &w, nil
}

func (m *Memory) conditioned(c Conditioning) *Memory {
	w := *m
	w.Moments = nil
	for _, mo := range m.Moments {
		plain := mo
		mo.Phi = func(g, theta graph.Value) graph.Value { return plain.Apply(c.Of(g, theta), theta) }
		w.Moments = append(w.Moments, mo)
	}
	w.Update = func(s []graph.Value, g, theta graph.Value) graph.Value { return m.Update(s, c.Of(g, theta), theta) }
	w.Of = func(call Call) []graph.Value {
		call.G = c.Of(call.G, call.Theta)
		return m.Of(call)
	}
	return &w
}

// Conditioning returns what is done to the gradient before the rule sees it.
func (r *Rule) Conditioning() Conditioning { return r.conditioning }

// Unconditioned returns the rule that takes the gradient as it becomes, of the same state.
func (r *Rule) Unconditioned() *Rule {
	if r.inner == nil {
		return r
	}
	return r.inner
}

// condition returns a call with the gradient that the rule's formulas see; the call is of all parameters.
func (r *Rule) condition(c Call) Call {
	c.G = r.conditioning.Of(c.G, c.Theta)
	return c
}

// Unclipped returns the rule without the clipping, for its steps alone: what they would be, were their gradients not clipped.
func (r *Rule) Unclipped() *Rule {
	w := *r
	w.conditioning.ClipNorm, w.conditioning.ClipValue = 0, 0
	w.Memory, w.settled, w.lacks = nil, nil, ""
	return &w
}
