package rule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"shadowflow/graph"
)

// Part is a group as a rule has it.
type Part struct {
	// Group counts from 1 in the order of the config; 0 is the optimizer itself, of all other weights.
	Group int
	// Title says which weights it holds.
	Title string
	// Weights are their names, and Parameters is the number of their elements.
	Weights    []string
	Parameters int

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

// grouped is a rule that is made of the rules of groups. It implements sizes.
type grouped struct {
	parts   []Part
	pieces  []piece  // all parameters, in order
	entries []string // what the groups' optimizers call the arrays of state
}

// piece is a run of the parameters of a part, by their places among the part's.
type piece struct {
	part int
	run
}

// grouped returns the rule whose steps are, for the weights of each group, those of the group's optimizer. Arrays of state of one name are one; where a
// weight's optimizer has none of a name that is like theta, it stays 0. A number is each group's own. Everything that a rule has follows from the groups' rules, where all of them have it.
func (c Config) grouped(weights []graph.Block) (*Rule, error) {
	if weights == nil {
		return nil, errors.New("optimizer.groups: which weights a group holds is known where the model is, and this is about the formulas of one optimizer: leave the groups out")
	}
	divided, err := divide(c.Groups, weights)
	if err != nil {
		return nil, err
	}
	all := &grouped{}
	whole := &Rule{family: all, grouped: all}
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
	if err := add(Part{Title: "all other weights", scale: 1}, divided[rest], c); err != nil {
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
	g.parts = append(g.parts, p)
}

// array finds or makes the place of an array of a part's state, which consists of shapes, nil for one like theta.
func (g *grouped) array(whole *Rule, name string, shapes []graph.Block) array {
	number := len(shapes) == 1 && shapes[0].Name == ""
	a := array{place: -1, like: shapes == nil}
	for i, entry := range g.entries {
		if entry == name && !number && (whole.Shapes[i] == nil) == a.like {
			a.place = i
		}
	}
	if a.place < 0 {
		a.place = len(whole.State)
		unique := name
		for k := 2; slices.Contains(whole.State, unique); k++ {
			unique = fmt.Sprintf("%s_%d", name, k)
		}
		whole.State, whole.Shapes, g.entries = append(whole.State, unique), append(whole.Shapes, nil), append(g.entries, name)
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
	at := map[int]int{} // where a piece stands among all parameters, by its index
	for i, p := range g.parts {
		from := 0
		for _, r := range p.runs {
			at[r.from] = len(g.pieces)
			g.pieces = append(g.pieces, piece{i, run{from, from + r.to - r.from}})
			from += r.to - r.from
		}
	}
	var starts []int
	for start := range at {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	var pieces []piece
	for _, start := range starts {
		pieces = append(pieces, g.pieces[at[start]])
	}
	g.pieces = pieces
}

// complete sets what the whole has where all parts have it.
func (g *grouped) complete(whole *Rule) {
	whole.Step = g.step
	whole.update = func(c Call) graph.Value {
		return g.spread(c.Theta, func(p *Part) graph.Value { return p.scaled(p.rule.update(p.call(c))) })
	}
	for _, p := range g.parts {
		if p.rule.settled == nil && whole.wanders == "" {
			whole.wanders = p.about(p.rule.wanders)
		}
		if p.rule.Memory == nil && whole.lacks == "" {
			whole.lacks = p.about(p.rule.lacks)
		}
	}
	if whole.wanders == "" {
		whole.settled = func(x, theta graph.Value) graph.Value {
			return g.spread(theta, func(p *Part) graph.Value { return p.scaled(p.rule.settled(p.of(x), p.of(theta))) })
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

// of returns the elements of the part's weights in a vector of all parameters.
func (p *Part) of(v graph.Value) graph.Value {
	var cuts []graph.Value
	for _, r := range p.runs {
		cuts = append(cuts, v.SliceAxis(0, r.from, r.to))
	}
	return graph.Concat(0, cuts...)
}

// state returns the part's arrays in those of all.
func (p *Part) state(all []graph.Value) []graph.Value {
	var out []graph.Value
	for _, a := range p.arrays {
		if a.like {
			out = append(out, p.of(all[a.place]))
		} else {
			out = append(out, all[a.place].SliceAxis(0, a.from, a.to))
		}
	}
	return out
}

// call is the part of a call.
func (p *Part) call(c Call) Call {
	part := Call{G: p.of(c.G), Theta: p.of(c.Theta), LR: p.scaled(c.LR)}
	if len(c.State) > 0 {
		part.State = p.state(c.State)
	}
	if len(c.Scalars) > 0 {
		for _, i := range p.scalars {
			part.Scalars = append(part.Scalars, c.Scalars[i])
		}
	}
	return part
}

// scaled returns a value times the part's share of the step size.
func (p *Part) scaled(v graph.Value) graph.Value {
	if p.scale == 1 {
		return v
	}
	return v.Mul(v.Like(p.scale))
}

// spread puts vectors of the parts' weights together, to one of all parameters, of the form of like. The zero Value stands for zeros.
func (g *grouped) spread(like graph.Value, of func(p *Part) graph.Value) graph.Value {
	values := make([]graph.Value, len(g.parts))
	for i := range g.parts {
		p := &g.parts[i]
		values[i] = of(p)
		if !values[i].Valid() {
			values[i] = like.Like(0).BroadcastTo(p.Parameters)
		}
	}
	var cuts []graph.Value
	for _, c := range g.pieces {
		cuts = append(cuts, values[c.part].SliceAxis(0, c.from, c.to))
	}
	return graph.Concat(0, cuts...)
}

// together puts theta and the arrays of state together that something makes of each part.
func (g *grouped) together(c Call, of func(p *Part) (theta graph.Value, state []graph.Value)) (theta graph.Value, state []graph.Value) {
	thetas, states := map[*Part]graph.Value{}, map[*Part][]graph.Value{}
	for i := range g.parts {
		p := &g.parts[i]
		thetas[p], states[p] = of(p)
	}
	theta = g.spread(c.Theta, func(p *Part) graph.Value { return thetas[p] })
	return theta, g.arrays(c.Theta, len(c.State), states)
}

// arrays puts the arrays of the parts' states together.
func (g *grouped) arrays(theta graph.Value, count int, of map[*Part][]graph.Value) []graph.Value {
	var out []graph.Value
	for place := range count {
		like := false
		var cuts []graph.Value
		value := func(p *Part) graph.Value {
			i := p.index(place)
			if i < 0 {
				return graph.Value{}
			}
			like = p.arrays[i].like
			return of[p][i]
		}
		for i := range g.parts {
			if v := value(&g.parts[i]); v.Valid() {
				cuts = append(cuts, v)
			}
		}
		if like {
			out = append(out, g.spread(theta, value))
		} else {
			out = append(out, graph.Concat(0, cuts...))
		}
	}
	return out
}

// index returns which of the part's arrays stands at a place among those of all, -1 if none does.
func (p *Part) index(place int) int {
	return slices.IndexFunc(p.arrays, func(a array) bool { return a.place == place })
}

func (g *grouped) step(c Call) (theta graph.Value, state []graph.Value) {
	return g.together(c, func(p *Part) (graph.Value, []graph.Value) { return p.rule.Step(p.call(c)) })
}

func (g *grouped) velocity(c Call, at Scale) (theta graph.Value, state []graph.Value) {
	return g.together(c, func(p *Part) (graph.Value, []graph.Value) { return p.rule.family.velocity(p.call(c), at) })
}

func (g *grouped) centered(c Call, before []graph.Value, age graph.Value) (theta graph.Value, state []graph.Value) {
	return g.together(c, func(p *Part) (graph.Value, []graph.Value) {
		return p.rule.family.centered(p.call(c), p.state(before), age)
	})
}

func (g *grouped) centeredLift(ends [2]Call, mean []graph.Value, age graph.Value) (dmean, dflip []graph.Value) {
	means, flips := map[*Part][]graph.Value{}, map[*Part][]graph.Value{}
	for i := range g.parts {
		p := &g.parts[i]
		means[p], flips[p] = p.rule.family.centeredLift([2]Call{p.call(ends[0]), p.call(ends[1])}, p.state(mean), age)
	}
	theta := ends[0].Theta
	together := func(rates map[*Part][]graph.Value) []graph.Value {
		states := map[*Part][]graph.Value{}
		for p, v := range rates {
			states[p] = v[1:]
		}
		moves := g.spread(theta, func(p *Part) graph.Value { return rates[p][0] })
		return append([]graph.Value{moves}, g.arrays(theta, len(mean), states)...)
	}
	return together(means), together(flips)
}

// decay is the fastest of the parts': what is left of the others' rates then never lowers what cannot be negative.
func (g *grouped) decay(i int) float64 {
	fastest := 0.0
	for _, p := range g.parts {
		if own := p.index(i); own >= 0 {
			fastest = min(fastest, p.rule.family.decay(own))
		}
	}
	return fastest
}

// nonNegative holds where it does for all parts that have the array.
func (g *grouped) nonNegative(i int) bool {
	return !slices.ContainsFunc(g.parts, func(p Part) bool {
		own := p.index(i)
		return own >= 0 && !p.rule.family.nonNegative(own)
	})
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
	Entry string
	Array int
}

// StateOf returns the arrays of state that a weight has.
func (r *Rule) StateOf(weight string) []Remembered {
	var out []Remembered
	for _, p := range r.Parts() {
		for i, a := range p.arrays {
			if slices.Contains(p.Weights, weight) {
				out = append(out, Remembered{p.rule.State[i], a.place})
			}
		}
	}
	if r.grouped == nil {
		for i, name := range r.State {
			out = append(out, Remembered{name, i})
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
