package modeq

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/rule"
)

// Overflow is the error of a gradient of which a rule makes numbers that its type does not have: what is made of them is no field, however
// finite, as 1 over the root of +Inf is.
type Overflow struct {
	Rule string
	What string
	// Element is that of what is not finite, and Gradient the gradient's there; of what is of another length, the gradient's largest.
	Element  int
	Gradient float64
	DType    graph.DType
}

func (o *Overflow) Error() string {
	help := "want a point with a smaller gradient"
	if o.DType == graph.Float32 {
		help = "want dtype float64, or a point with a smaller gradient"
	}
	return fmt.Sprintf("%s of %s overflows %v at element %d, for a gradient of %.6g, and there is no field to be told: %s", o.What, o.Rule, o.DType, o.Element, o.Gradient, help)
}

// CheckOverflow returns an [Overflow] if the memoryless update of a rule, with the memory full, passes numbers that are not finite at a
// finite gradient g and theta, of the same length. Of a rule without the memory form nothing is known, and the error is nil.
func CheckOverflow[T graph.Float](r *rule.Rule, g, theta []T, threads int) error {
	m, err := r.MemoryForm()
	if err != nil {
		return nil
	}
	b, dtype := graph.NewBuilder(), graph.TypeOf[T]()
	gradient, point := b.Param("g", dtype, len(g)), b.Param("theta", dtype, len(g))
	sums, _ := fullMemory(m, gradient)
	passed := Memoryless(m, sums, gradient, point).Passed()
	run := func(out []graph.Value, to []engine.Buffer) error {
		p, err := engine.Compile([]graph.Value{gradient, point}, out, engine.Options{Threads: threads})
		if err != nil {
			return fmt.Errorf("memoryless field of %s: %w", r.Name, err)
		}
		return p.Run([]engine.Buffer{engine.Of(g), engine.Of(theta)}, to)
	}
	// Only the largest of each is kept: of a large model the vectors themselves would not fit.
	var largest []graph.Value
	values := make([]T, len(passed))
	var to []engine.Buffer
	for i, v := range passed {
		if v.DType() != dtype {
			v = b.Const(dtype, 0)
		}
		largest, to = append(largest, v.Abs().Amax()), append(to, engine.Of(values[i:i+1]))
	}
	if err := run(largest, to); err != nil {
		return err
	}
	finite := map[*graph.Node]bool{}
	for i, v := range passed {
		finite[v.Node()] = isFinite(values[i])
		if finite[v.Node()] || mayBeInfinite(v.Node().Op()) || slices.ContainsFunc(v.Node().In(), func(x *graph.Node) bool { return !finite[x] }) {
			continue
		}
		found := make([]T, v.Size())
		if err := run([]graph.Value{v}, []engine.Buffer{engine.Of(found)}); err != nil {
			return err
		}
		at := max(0, slices.IndexFunc(found, func(x T) bool { return !isFinite(x) }))
		behind := at
		if len(found) != len(g) {
			behind = largestOf(g)
		}
		return &Overflow{Rule: r.Name, What: nameOf(m, sums, gradient, point, v), Element: at, Gradient: float64(g[behind]), DType: dtype}
	}
	return nil
}

// nameOf says of what a value on the way to the update is a part: a moment, or the update itself.
func nameOf(m *rule.Memory, sums []graph.Value, g, theta, v graph.Value) string {
	for i, moment := range m.Moments {
		s := moment.Apply(g, theta).Mul(sums[i])
		if s.Node() == v.Node() || len(graph.MadeOf([]*graph.Node{s.Node()}, []*graph.Node{v.Node()})) > 0 {
			return "moment " + moment.Name
		}
	}
	return "a number in the update"
}

// mayBeInfinite reports whether what an operation makes may be infinite rightly: of 0, where rules leave it out, or, of exp, because the limit of
// what follows is right, as in 1/(1 + exp(x)).
func mayBeInfinite(op graph.Op) bool {
	switch op {
	case graph.OpExp, graph.OpDiv, graph.OpRecip, graph.OpRsqrt, graph.OpLog, graph.OpPow:
		return true
	}
	return false
}

func largestOf[T graph.Float](g []T) int {
	at := 0
	for j, v := range g {
		if math.Abs(float64(v)) > math.Abs(float64(g[at])) {
			at = j
		}
	}
	return at
}

func isFinite[T graph.Float](x T) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
