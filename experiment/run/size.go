package run

import (
	"fmt"
	"slices"

	"shadowflow/engine"
	"shadowflow/experiment/config"
	"shadowflow/graph"
	"shadowflow/modeq/central"
	"shadowflow/modeq/state"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/objective/network"
	"shadowflow/rule"
)

// programs are those of a run that take memory worth asking for.
type programs struct {
	c     *config.Config
	s     Subject
	n     int              // examples at a time
	kinds []objective.Kind // of the network's, which share a room
	// linear says that products with the Hessian of all examples, which are evaluated at once, are made of what is kept of a point.
	linear bool
}

func programsOf(c *config.Config, s Subject) (*programs, error) {
	products, err := productsOf(c, s.Rule)
	if err != nil {
		return nil, err
	}
	n, _ := s.atOnce(c)
	p := &programs{c: c, s: s, n: n, kinds: []objective.Kind{{Gradient: true}}}
	p.linear = c.Batch.Physical >= s.Train && c.Record.Sharpness+c.Record.Spectrum+c.Record.Density > 0
	if products > 0 {
		p.kinds = append(p.kinds, objective.Kind{Gradient: true, Vectors: products})
	}
	if c.Record.Spectrum > 0 && !p.linear {
		p.kinds = append(p.kinds, objective.Kind{Vectors: probesAtOnce})
	}
	if c.Record.Density > 0 && !p.linear {
		p.kinds = append(p.kinds, objective.Kind{Vectors: atOnce})
	}
	if slices.Contains(c.Beside, "central") {
		p.kinds = append(p.kinds, objective.Kind{Vectors: central.ProductsAtOnce}, objective.Kind{Lines: central.LinesAtOnce})
	}
	return p, nil
}

// productsOf returns how many Hessian-vector products a run makes in one pass at most. The bias of mini-batches, and of memories that
// fill, takes one a moment, and one more where the update reads the gradient itself.
func productsOf(c *config.Config, r *rule.Rule) (int, error) {
	m, err := r.MemoryForm()
	bias := c.Record.Bias > 0 && err == nil || c.Bias.Scale != 0
	_, unsettled := r.Settled()
	settled := c.Record.Bias > 0 && unsettled == nil && !c.Batch.Mini() // measured without such a form
	switch {
	case bias && err != nil:
		return 0, err
	case bias && (c.Batch.Mini() || !m.Steady()):
		return len(m.Moments) + 1, nil
	case err == nil && c.Record.Sharpness > 0: // what the noise does to the bias
		return 2, nil
	case bias || settled || r.Hessian != nil || c.Record.Sharpness > 0 || c.Regularizer.Kind != "none" || len(c.Beside) > 0:
		return 1, nil
	}
	return 0, nil
}

// key tells programs apart that take other room.
func (p *programs) key() string {
	key := fmt.Sprint(p.n, p.s.Dim, p.s.Numbers, p.s.Regression, p.c.Model, p.c.Loss, p.c.DType, p.kinds, p.linear)
	if !p.s.Rule.Elementwise {
		key += fmt.Sprint(p.c.Optimizer.Name, p.c.Optimizer.Values, p.c.Optimizer.Groups, p.c.Beside, p.c.Record.State)
	}
	return key
}

// room returns the bytes of the compiled programs, and of those arrays of the optimizer that are no vectors of parameters. It allocates none of that.
func (p *programs) room() (int64, error) {
	bytes, err := p.ofNetwork()
	if err != nil || p.s.Rule.Elementwise {
		return bytes, err
	}
	matrices, err := p.ofMatrices()
	return bytes + matrices, err
}

// ofNetwork returns the bytes of the network's programs: what the largest needs, and what each has of its own. There are as many again for what is left of a
// batch cut into parts, for losses alone, and for test data.
func (p *programs) ofNetwork() (int64, error) {
	if p.s.Model == nil {
		return 0, nil
	}
	loss, err := nn.ParseLoss(p.c.Loss)
	if err != nil {
		return 0, err
	}
	shared, own := int64(0), int64(0)
	for _, kind := range p.kinds {
		cost, err := network.Measure(p.s.Model, loss, dtypeOf(p.c), p.n, p.s.Regression, kind, p.c.Threads)
		if err != nil {
			return 0, err
		}
		shared, own = max(shared, cost.RoomBytes), own+cost.PeakBytes-cost.RoomBytes
	}
	if !p.linear {
		return shared + 2*own, nil
	}
	cost, err := network.MeasureLinear(p.s.Model, loss, dtypeOf(p.c), p.s.Train, p.s.Regression, p.c.Threads)
	return max(shared, cost.RoomBytes) + 2*own + cost.PeakBytes - cost.RoomBytes, err
}

func dtypeOf(c *config.Config) graph.DType {
	if c.DType == "float64" {
		return graph.Float64
	}
	return graph.Float32
}

// ofMatrices returns what steps of an optimizer of whole weights make on their way, and its equations, which are in float64.
func (p *programs) ofMatrices() (int64, error) {
	r, dim, t := p.s.Rule, p.s.Dim, dtypeOf(p.c)
	b := graph.NewBuilder()
	theta, g := b.Param("theta", t, dim), b.Param("gradient", t, dim)
	call, in := r.Inputs(theta, g)
	next, after := r.Step(call)
	cost, err := engine.Measure(append([]graph.Value{theta, g}, in...), append([]graph.Value{next}, after...), engine.Options{Threads: p.c.Threads})
	if err != nil {
		return 0, err
	}
	bytes := cost.PeakBytes
	if p.c.Record.Bias > 0 { // the update alone, too
		bytes *= 2
	}
	followed := slices.Clone(p.c.Beside)
	if p.c.Record.State > 0 && followable(p.c, r) {
		followed = append(followed, "state-1", "state-2")
	}
	for _, name := range followed {
		own, err := state.Room(r, dim, name, p.c.Threads)
		if err != nil {
			return 0, err
		}
		bytes += own
	}
	return bytes, nil
}
