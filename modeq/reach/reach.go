// Package reach says how many fields of a modified equation there are at a point. The fields are the coefficients of a series in whole powers of
// the step size, and where a step has a square root of what is 0 and leaves it, or a maximum of two that part, it has no such series: from some
// order on there are no fields, however regular the numbers look.
package reach

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/engine"
	"shadowflow/graph"
)

// Series is a part of what a modified equation is for, theta or an array of state.
type Series struct {
	Name  string
	Value graph.Value
	// Rates are what its rate of change is made of: its series goes one degree farther than theirs. If there are none, it goes as far as Like.
	Rates []graph.Value
	Like  graph.Value
}

// Reach is how far the series go at a point, as a numeric function. It is not for concurrent use.
type Reach struct {
	order, highest int
	series         []Series
	gaps           []graph.Gap
	behind         [][]int // of each gap, the series that it is made of
	program        *engine.Program

	lacks, rates [][]float64 // of the series that have rates
	found        [][]float64 // what each gap lacks
	weights      [][]float64
}

// Compile compiles how far the series that a jet was given go, for that many fields, as a function of in.
func Compile(jet *graph.Jet, series []Series, order int, in []graph.Value, threads int) (*Reach, error) {
	// A root of what begins with degree 2 order - 1 spoils the last field; no later one does.
	r := &Reach{order: order, highest: 2*order - 1, series: series}
	in = slices.Clone(in)
	lacking := jet.Reach(r.highest)
	var out []graph.Value
	for _, s := range series {
		if len(s.Rates) == 0 {
			lacking.Set(s.Value, func() graph.Value { return lacking.Lacks(s.Like) })
			continue
		}
		p := s.Value.Builder().Param("lacks "+s.Name, s.Value.DType(), s.Value.Shape()...)
		lacking.Set(s.Value, func() graph.Value { return p })
		in, r.lacks = append(in, p), append(r.lacks, make([]float64, p.Size()))
	}
	for _, s := range series {
		for i, rate := range s.Rates {
			v := lacking.Lacks(rate)
			if i > 0 {
				v = v.Max(out[len(out)-1])
				out = out[:len(out)-1]
			}
			out = append(out, v)
		}
	}
	for _, rate := range out {
		r.rates = append(r.rates, make([]float64, rate.Size()))
	}
	var nodes []*graph.Node
	for _, s := range series {
		nodes = append(nodes, s.Value.Node())
	}
	r.gaps = lacking.Gaps()
	for _, g := range r.gaps {
		in, out = append(in, g.Weight), append(out, g.Lacks)
		r.weights, r.found = append(r.weights, []float64{1}), append(r.found, make([]float64, g.Lacks.Size()))
		r.behind = append(r.behind, graph.MadeOf(g.Of, nodes))
	}
	var err error
	r.program, err = engine.Compile(in, out, engine.Options{Threads: threads})
	return r, err
}

// At looks at a point, where the series that have rates have those values. It returns nil where all fields are there.
func (r *Reach) At(ctx context.Context, in []engine.Buffer, values ...[]float64) (*Missing, error) {
	fields, err := r.fields(ctx, in, func(int) bool { return true })
	if err != nil || fields >= r.order {
		return nil, err
	}
	found := make([][]float64, len(r.found))
	for k, f := range r.found {
		found[k] = slices.Clone(f)
	}
	for k := range r.gaps {
		if slices.Max(found[k]) == 0 {
			continue
		}
		alone, err := r.fields(ctx, in, func(g int) bool { return g == k })
		if err != nil {
			return nil, err
		}
		if alone <= fields {
			return &Missing{Order: r.order, Fields: fields, Why: r.why(k, found[k], values), Kink: kinked(r.gaps[k].Op)}, nil
		}
	}
	return &Missing{Order: r.order, Fields: fields, Why: "several functions at once that have no series here"}, nil
}

// fields returns how many fields there are, where those gaps count.
func (r *Reach) fields(ctx context.Context, in []engine.Buffer, counts func(gap int) bool) (int, error) {
	in = slices.Clone(in)
	var out []engine.Buffer
	for i := range r.lacks {
		clear(r.lacks[i])
		in, out = append(in, engine.Of(r.lacks[i])), append(out, engine.Of(r.rates[i]))
	}
	for k := range r.gaps {
		if r.weights[k][0] = 0; counts(k) {
			r.weights[k][0] = 1
		}
		in, out = append(in, engine.Of(r.weights[k])), append(out, engine.Of(r.found[k]))
	}
	for {
		if err := r.program.RunContext(ctx, in, out); err != nil {
			return 0, err
		}
		most, changed := 0.0, false
		for i, rates := range r.rates {
			for j, v := range rates {
				most = max(most, v)
				if v-1 > r.lacks[i][j] {
					r.lacks[i][j], changed = v-1, true
				}
			}
		}
		if !changed {
			return min(r.order, int(math.Ceil(float64(r.highest+1)-most))), nil
		}
	}
}

// why says what a gap is, and where.
func (r *Reach) why(gap int, lacks []float64, values [][]float64) string {
	at := 0
	for j, v := range lacks {
		if v > lacks[at] {
			at = j
		}
	}
	of, zero := r.named(gap, at, len(lacks), values)
	switch r.gaps[gap].Op {
	case graph.OpSqrt, graph.OpPow, graph.OpRsqrt, graph.OpLog:
		if zero != "" {
			return fmt.Sprintf("a root or power of %s, which is 0 and does not stay so", zero)
		}
		return fmt.Sprintf("a root or power of 0, made of %s, which does not stay so", of)
	case graph.OpDiv, graph.OpRecip:
		return fmt.Sprintf("a division by 0, made of %s", of)
	case graph.OpAbs, graph.OpRelu:
		return fmt.Sprintf("an absolute value or ramp of 0, made of %s, which does not stay so", of)
	case graph.OpMax, graph.OpMin, graph.OpAmax:
		return fmt.Sprintf("the larger or smaller of two that are equal here and do not stay so, made of %s", of)
	}
	return fmt.Sprintf("a sign or comparison just where it jumps, made of %s", of)
}

// named returns the elements of series that element at of a gap is made of, and those of them that are 0 here.
func (r *Reach) named(gap, at, size int, values [][]float64) (of, zero string) {
	var all, none []string
	for i, s := range r.series {
		var v []float64
		if len(s.Rates) > 0 {
			v, values = values[0], values[1:]
		}
		if !slices.Contains(r.behind[gap], i) {
			continue
		}
		name := s.Name
		if s.Value.Size() == size {
			name = fmt.Sprintf("%s[%d]", s.Name, at)
			if v != nil && v[at] == 0 && s.Name != "theta" {
				none = append(none, name)
			}
		}
		all = append(all, name)
	}
	if len(all) > 1 { // the gradient is made of theta, and nearly everything of the gradient
		all = slices.DeleteFunc(all, func(name string) bool { return strings.HasPrefix(name, "theta") })
	}
	return strings.Join(all, ", "), strings.Join(none, ", ")
}

// kinked reports whether an operation has a series on either side of where it has none.
func kinked(op graph.Op) bool {
	switch op {
	case graph.OpSqrt, graph.OpPow, graph.OpRsqrt, graph.OpLog, graph.OpDiv, graph.OpRecip:
		return false
	}
	return true
}

// Missing is the error of fields that there are not at a point.
type Missing struct {
	Order, Fields int // how many were asked for, and how many there are
	Why           string
	// Kink says that there may be fields on the side that the flow takes from here: which that is, is not looked at.
	Kink bool
}

func (m *Missing) Error() string {
	there := "No field is there"
	switch {
	case m.Fields == 1:
		there = "f0 is there: want order 1, or another point"
	case m.Fields > 1:
		there = fmt.Sprintf("f0 to f%d are there: want order %d at most, or another point", m.Fields-1, m.Fields)
	}
	if m.Kink {
		return fmt.Sprintf("f%d is not known at this point: the step has %s, a kink, and on which side of it the flow goes on is not looked at. %s", m.Fields, m.Why, there)
	}
	return fmt.Sprintf("f%d does not exist at this point: the step has %s, and so no series in whole powers of lr. %s", m.Fields, m.Why, there)
}
