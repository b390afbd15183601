package rule

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/graph"
	"shadowflow/rule/formula"
	"shadowflow/schema"
)

// code is a program as graph code makes it: its formulas with their numbers computed, and with names for the scalars of a step.
type code struct {
	entries []coded
	update  *formula.Formula
	scalars []func(n int) float64
	byText  map[string]int // the place of a scalar, by its formula
	past    []string       // the names of what the step before left, in the order of the state
	moments []string
	layout  formula.Layout
}

type coded struct {
	name    string
	form    formula.Form
	formula *formula.Formula
	kept    bool
}

// rule returns the rule of a definition with values, for the weights that the parameters consist of; nil for one.
func (d *Definition) rule(values map[string]any, weights []graph.Block) (*Rule, error) {
	p, err := d.program(values, weights)
	if err != nil {
		return nil, fmt.Errorf("optimizer %s: %w", d.Name, err)
	}
	c := &code{byText: map[string]int{}, layout: p.layout}
	r := &Rule{Name: d.Name, Elementwise: !p.update.Weightwise()}
	for _, q := range p.entries {
		f, err := c.encode(p, q.formula)
		if err != nil {
			return nil, fmt.Errorf("optimizer %s: %s = %s: %w", d.Name, q.name, q.text, err)
		}
		c.entries = append(c.entries, coded{q.name, q.form, f, q.kept})
		r.Elementwise = r.Elementwise && !f.Weightwise()
		if q.kept {
			r.State, r.Shapes, c.past = append(r.State, q.name), append(r.Shapes, p.shapes(q.form)), append(c.past, before(q.name))
		}
	}
	if c.update, err = c.encode(p, p.update); err != nil {
		return nil, fmt.Errorf("optimizer %s: update: %w", d.Name, err)
	}
	r.ofOneWeight = weights == nil && !r.Elementwise
	r.Scalars, r.Step = c.scalars, c.step
	r.update = func(call Call) graph.Value {
		return c.update.Graph(c.layout, call.Theta, c.evaluate(call)).BroadcastTo(call.Theta.Shape()...)
	}
	if r.settled, r.wanders = p.settled(); r.wanders != "" && d.Remembers != "" {
		r.wanders = fmt.Sprintf("it remembers %s (%s)", d.Remembers, r.wanders)
	}
	r.Hessian = p.hessian()
	if r.whole = p.ofWholeSteps(); r.whole == "" {
		r.family = p.family(c)
	}
	if r.Memory, r.lacks = p.memory(c); r.lacks != "" && d.Remembers != "" {
		r.lacks = fmt.Sprintf("it remembers %s (%s)", d.Remembers, r.lacks)
	}
	return r, nil
}

// encode computes the numbers of a formula, and gives names to its parts that depend on the step alone.
func (c *code) encode(p *program, f *formula.Formula) (*formula.Formula, error) {
	var err error
	f = f.Fold(p.numbers).Rewrite(func(part *formula.Formula) *formula.Formula {
		if v, ok := part.IsNumber(); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
			err = unfit("with these hyperparameters a part of it is %v: want finite numbers", v)
		}
		if part.Op == "/" {
			if v, ok := part.Args[1].IsNumber(); ok && v == 0 {
				err = unfit("with these hyperparameters a part of it is divided by 0")
			}
		}
		if part.Op == "inverse_root" {
			if v, _ := part.Args[1].IsNumber(); !(v >= 1 && v <= maxRoot) || v != math.Trunc(v) {
				err = unfit("with these hyperparameters it has an inverse root of order %v: want a whole number from 1 to %d", v, maxRoot)
			}
		}
		if names := part.Names(); len(names) != 1 || names[0] != "n" {
			return nil
		}
		return formula.Variable(c.scalar(part.String(), func(n int) float64 { return part.Value(map[string]float64{"n": float64(n)}) }))
	})
	for _, name := range f.Names() {
		entry, ok := correctedOf(name)
		if !ok || err != nil {
			continue
		}
		k := p.entry(entry).kernel
		if k == nil {
			return nil, unfit("corrected(%s): the weights of %s change with the step, and have no sum that is known", entry, entry)
		}
		c.scalar(name, k.correction)
	}
	return f, err
}

// unfit returns an error about formulas whose hyperparameters do not fit them, which are settings.
func unfit(format string, args ...any) error {
	return &schema.Error{Problem: fmt.Sprintf(format, args...)}
}

// maxRoot bounds the orders of inverse roots.
const maxRoot = 16

// scalar returns the name of a number of the step.
func (c *code) scalar(text string, value func(n int) float64) string {
	i, ok := c.byText[text]
	if !ok {
		i = len(c.scalars)
		c.byText[text] = i
		c.scalars = append(c.scalars, value)
	}
	return fmt.Sprintf("scalar %d", i)
}

// evaluate returns the values of all names behind the step's state.
func (c *code) evaluate(call Call) map[string]graph.Value {
	names := map[string]graph.Value{"g": call.G, "theta": call.Theta, "lr": call.LR, hessian: call.Hessian}
	for i, v := range call.Scalars {
		names[fmt.Sprintf("scalar %d", i)] = v
	}
	for i, name := range c.past {
		names[name] = fromArray(c.layout.Forms[name], call.State[i])
	}
	for _, e := range c.entries {
		v := e.formula.Graph(c.layout, call.Theta, names)
		names[e.name] = v
		if i, ok := c.byText[corrected(e.name)]; ok {
			names[corrected(e.name)] = v.Mul(call.Scalars[i])
		}
	}
	return names
}

func (c *code) step(call Call) (theta graph.Value, state []graph.Value) {
	names := c.evaluate(call)
	for _, e := range c.entries {
		if e.kept {
			state = append(state, toArray(e.form, names[e.name], call.Theta))
		}
	}
	return call.Theta.Sub(displacement(c.update).Graph(c.layout, call.Theta, names)), state
}

// fromArray returns an array of state as formulas see it, and toArray the other way.
func fromArray(form formula.Form, s graph.Value) graph.Value {
	if form == formula.One {
		return s.Reshape()
	}
	return s
}

func toArray(form formula.Form, v, theta graph.Value) graph.Value {
	switch form {
	case formula.One:
		return v.Reshape(1)
	case formula.Elements:
		return v.BroadcastTo(theta.Shape()...)
	}
	return v
}

// shapes returns what the array of an entry consists of, nil where that is what theta does.
func (p *program) shapes(form formula.Form) []graph.Block {
	switch form {
	case formula.One:
		return []graph.Block{{}}
	case formula.Elements:
		return nil
	}
	return p.layout.Parts(form)
}

// memory returns the form of moments and an update, or what stands against it.
func (p *program) memory(c *code) (m *Memory, lacks string) {
	m = &Memory{Formula: p.update, Values: p.numbers}
	for _, q := range p.entries {
		for _, name := range []string{q.name, corrected(q.name)} {
			if !p.update.Uses(name) {
				continue
			}
			if q.kernel == nil && p.becomesMemory(q) {
				return nil, fmt.Sprintf("%s = %s gives its first gradients other weights than those behind them, so that it is an exponential memory only once they have faded", q.name, q.text)
			}
			if q.kernel == nil || !p.ofGradient(q.phi) {
				return nil, fmt.Sprintf("%s = %s is no exponential memory of a function of the gradient alone", q.name, q.text)
			}
			m.Moments = append(m.Moments, p.moment(name, q))
			c.moments = append(c.moments, name)
		}
	}
	for _, name := range []string{"n", "lr", hessian} {
		if p.update.Uses(name) {
			return nil, fmt.Sprintf("its update %s depends on %s, %s", brief(p.update), name, reserved[name])
		}
	}
	update := c.update
	m.Update = func(s []graph.Value, g, theta graph.Value) graph.Value {
		names := map[string]graph.Value{"g": g, "theta": theta}
		for i, name := range c.moments {
			if names[name] = s[i]; nonNegative(m.Moments[i].Formula) {
				names[name] = s[i].Floor()
			}
		}
		return update.Graph(c.layout, g, names).BroadcastTo(g.Shape()...)
	}
	m.Of = func(call Call) []graph.Value {
		names := c.evaluate(call)
		s := make([]graph.Value, len(c.moments))
		for i, name := range c.moments {
			s[i] = names[name]
		}
		return s
	}
	return m, ""
}

// becomesMemory reports whether an entry is a memory of the gradient behind some first steps.
func (p *program) becomesMemory(q *quantity) bool {
	slope, rest, ok := p.affine(p.late(q.formula).Fold(p.numbers), before(q.name))
	return ok && rest != nil && slope >= 0 && slope < 1-1e-6 && p.ofGradient(rest)
}

// ofGradient reports whether a formula is made of the gradient and hyperparameters alone.
func (p *program) ofGradient(f *formula.Formula) bool {
	return f.Uses("g") && !slices.ContainsFunc(f.Names(), func(name string) bool {
		_, number := p.numbers[name]
		return name != "g" && !number
	})
}

func (p *program) moment(name string, q *quantity) Moment {
	m := Moment{Name: name, State: q.name, Formula: q.phi, Kernel: *q.kernel, Parts: p.shapes(q.form)}
	_, m.Corrected = correctedOf(name)
	if q.phi.Name != "g" {
		phi := q.phi.Fold(p.numbers)
		m.Phi = func(g, _ graph.Value) graph.Value { return phi.Graph(p.layout, g, map[string]graph.Value{"g": g}) }
	}
	return m
}

// brief writes a formula, and of a long one its beginning.
func brief(f *formula.Formula) string {
	const most = 100
	text := []rune(f.String())
	if len(text) <= most {
		return string(text)
	}
	return fmt.Sprintf("%s... (%d more characters)", string(text[:most]), len(text)-most)
}
