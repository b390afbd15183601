package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"shadowflow/graph"
)

// Rest is the title of the part that is left to the optimizer itself.
const Rest = "all other weights"

// Part is a group as a rule has it.
type Part struct {
	// Group counts from 1 in the order of the config; 0 is the optimizer itself, of all other weights.
	Group int
	// Title says which weights it holds.
	Title string
	// Weights are their names, and Parameters is the number of their elements.
	Weights    []string
	Parameters int

	at    int  // among the parts
	rest  bool // it is of a part whose numbers one before it has, see stretches
	rule  *Rule
	scale float64
	runs  []run // where its parameters stand among all, in order
	// Its arrays of state, and the places of its scalars and moments among those of all; they are in its rule's order.
	arrays           []array
	scalars, moments []int
}

// array is an array of a part's state among those of all.
type array struct {
	place int
	// like says that it is like theta; else it is a run of an array that has those of several parts one behind the other.
	like bool
	run
}

// run is a part of a vector.
type run struct{ from, to int }

// Stays reports whether the part's weights stay where they are, for its step size is 0.
func (p *Part) Stays() bool { return p.scale == 0 }

// Spans returns where the part's parameters stand among all, from and to of each run of them, in order.
func (p *Part) Spans() [][2]int {
	var out [][2]int
	for _, r := range p.runs {
		out = append(out, [2]int{r.from, r.to})
	}
	return out
}

// grouped is a rule that is made of the rules of groups. It implements sizes.
type grouped struct {
	parts   []Part
	pieces  []piece // all parameters, in order
	entries []entry
}

// entry is an array of state: what the groups' optimizers call it, and whether it is like theta, or a number.
type entry struct {
	name         string
	like, number bool
}

// piece is a run of the parameters of a part, by their places among the part's; at is where it stands among all.
type piece struct {
	part, at int
	run
}

// grouped returns the rule whose steps are, for the weights of each group, those of the group's optimizer. Arrays of state of one
// name are one; where a weight's optimizer has none of a name that is like theta, it stays 0. A number is each group's own.
// Everything that a rule has follows from the groups' rules, where all of them have it.
func (c Config) grouped(weights []graph.Block) (*Rule, error) {
	if weights == nil {
		return nil, unfit("optimizer.groups: which weights a group holds is known where the model is, and this is about the formulas " +
			"of one optimizer: leave the groups out")
	}
	divided, err := divide(c.Groups, weights)
	if err != nil {
		return nil, err
	}
	all := &grouped{}
	whole := &Rule{grouped: all}
	add := func(p Part, own []graph.Block, c Config) error {
		if len(own) == 0 {
			return nil
		}
		p.take(own)
		var err error
		if p.rule, err = c.Definition.rule(c.Values, moved(own)); err != nil {
			return err
		}
		all.join(whole, p)
		return nil
	}
	rest := len(c.Groups)
	if err := add(Part{Title: Rest, scale: 1}, divided[rest], c); err != nil {
		return nil, err
	}
	for i, g := range c.Groups {
		if err := add(Part{Group: 1 + i, Title: g.String(), scale: g.Scale}, divided[i], g.Config); err != nil {
			return nil, fmt.Errorf("optimizer.groups: group %d: %w", 1+i, err)
		}
	}
	all.order()
	all.complete(whole)
	return whole, nil
}

// take makes weights the part's.
func (p *Part) take(weights []graph.Block) {
	for _, w := range weights {
		p.Weights = append(p.Weights, w.Name)
		p.Parameters += w.Size()
		if last := len(p.runs) - 1; last >= 0 && p.runs[last].to == w.Offset {
			p.runs[last].to += w.Size()
			continue
		}
		p.runs = append(p.runs, run{w.Offset, w.Offset + w.Size()})
	}
}

// moved returns weights as they lie in the vector of them alone.
func moved(weights []graph.Block) []graph.Block {
	out, dim := slices.Clone(weights), 0
	for i := range out {
		out[i].Offset = dim
		dim += out[i].Size()
	}
	return out
}

// join adds a part, and what it remembers and reads to what the whole does.
func (g *grouped) join(whole *Rule, p Part) {
	for i, name := range p.rule.State {
		p.arrays = append(p.arrays, g.array(whole, name, p.rule.PartsOf(i)))
	}
	for _, scalar := range p.rule.Scalars {
		p.scalars = append(p.scalars, len(whole.Scalars))
		whole.Scalars = append(whole.Scalars, scalar)
	}
	if name := p.rule.Name; !slices.Contains(strings.Split(whole.Name, " + "), name) {
		whole.Name = strings.TrimPrefix(whole.Name+" + "+name, " + ")
	}
	p.at = len(g.parts)
	g.parts = append(g.parts, p)
}

// array finds or makes the place of an array of a part's state, which consists of shapes, nil for one like theta.
func (g *grouped) array(whole *Rule, name string, shapes []graph.Block) array {
	e := entry{name, shapes == nil, len(shapes) == 1 && shapes[0].Name == ""}
	a := array{like: e.like}
	if a.place = slices.Index(g.entries, e); a.place < 0 || e.number {
		a.place = len(whole.State)
		unique := name
		for k := 2; slices.Contains(whole.State, unique); k++ {
			unique = fmt.Sprintf("%s_%d", name, k)
		}
		whole.State, whole.Shapes, g.entries = append(whole.State, unique), append(whole.Shapes, nil), append(g.entries, e)
	}
	if a.like {
		return a
	}
	if all := whole.Shapes[a.place]; all != nil {
		a.from = whole.Length(a.place, 0)
	}
	for _, b := range shapes {
		b.Offset += a.from
		whole.Shapes[a.place] = append(whole.Shapes[a.place], b)
	}
	a.to = whole.Length(a.place, 0)
	return a
}

// dim returns the number of all parameters.
func (g *grouped) dim() int {
	dim := 0
	for _, p := range g.parts {
		dim += p.Parameters
	}
	return dim
}

// order finds the pieces.
func (g *grouped) order() {
	for i, p := range g.parts {
		from := 0
		for _, r := range p.runs {
			to := from + r.to - r.from
			g.pieces = append(g.pieces, piece{i, r.from, run{from, to}})
			from = to
		}
	}
	slices.SortFunc(g.pieces, func(a, b piece) int { return cmp.Compare(a.at, b.at) })
}

// complete sets what the whole has where all parts have it.
func (g *grouped) complete(whole *Rule) {
	whole.Step = g.stretches().step
	whole.update = func(c Call) graph.Value {
		return g.spread(c.Theta, func(p *Part) graph.Value { return p.moving(p.scaled(p.rule.update(p.call(c)))) })
	}
	for _, p := range g.parts {
		if p.rule.family == nil && whole.whole == "" {
			whole.whole = p.about(p.rule.whole)
		}
		if reads, before := p.rule.Hessian, whole.Hessian; reads != nil {
			whole.Hessian = func(n int) bool { return reads(n) || before != nil && before(n) }
		}
		if p.rule.settled == nil && whole.wanders == "" {
			whole.wanders = p.about(p.rule.wanders)
		}
		if p.rule.Memory == nil && whole.lacks == "" {
			whole.lacks = p.about(p.rule.lacks)
		}
	}
	if whole.whole == "" {
		whole.family = g
	}
	if whole.wanders == "" {
		whole.settled = func(x, theta graph.Value) graph.Value {
			return g.spread(theta, func(p *Part) graph.Value { return p.moving(p.scaled(p.rule.settled(p.of(x), p.of(theta)))) })
		}
	}
	if whole.lacks == "" {
		whole.Memory = g.memory()
	}
}

// about says which part something is said of.
func (p *Part) about(text string) string {
	return fmt.Sprintf("%s (%s): %s", p.rule.Name, p.Title, text)
}

// Decays returns coupled decays that are the groups', counted as in Part, in the order of the parameters; nil without groups.
func (r *Rule) Decays(of func(group int) float64) []Decay {
	if r.grouped == nil {
		return nil
	}
	var out []Decay
	for _, c := range r.grouped.pieces {
		out = append(out, Decay{c.to - c.from, of(r.grouped.parts[c.part].Group)})
	}
	return out
}

// Remembered is an array of state that a weight has: Entry is what its own optimizer calls it, and Array its place among the rule's.
type Remembered struct {
	Optimizer, Entry string
	Array            int
}

// StateOf returns the arrays of state that a weight has.
func (r *Rule) StateOf(weight string) []Remembered {
	var out []Remembered
	for _, p := range r.Parts() {
		for i, a := range p.arrays {
			if slices.Contains(p.Weights, weight) {
				out = append(out, Remembered{p.rule.Name, p.rule.State[i], a.place})
			}
		}
	}
	if r.grouped == nil {
		for i, name := range r.State {
			out = append(out, Remembered{r.Name, name, i})
		}
	}
	return out
}

// Parts returns the groups that the rule is made of, the optimizer itself first, if weights are left to it; none without groups.
func (r *Rule) Parts() []Part {
	if r.grouped == nil {
		return nil
	}
	return slices.Clone(r.grouped.parts)
}
