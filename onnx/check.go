package onnx

import (
	"slices"

	"shadowflow/internal/visible"
)

// check finds whether each node reads what stands before it, and takes initializers out of the inputs, where old files repeat them.
func (m *Model) check() error {
	g := m.Graph
	known := map[string]bool{"": true}
	for _, t := range g.Initializers {
		if t.Name == "" || known[t.Name] {
			return malformed("initializer %q is there twice, or without a name", visible.Name(t.Name))
		}
		known[t.Name] = true
	}
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v ValueInfo) bool { return v.Name != "" && known[v.Name] })
	for _, v := range g.Inputs {
		if known[v.Name] {
			return malformed("input %q of the graph is there twice, or without a name", visible.Name(v.Name))
		}
		known[v.Name] = true
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, name := range n.Inputs {
			if !known[name] {
				return within(malformed("it reads %q, which nothing before it gives", visible.Name(name)), "%s", n)
			}
		}
		for _, name := range n.Outputs {
			if name != "" && known[name] {
				return within(malformed("it gives %q, which is there already", visible.Name(name)), "%s", n)
			}
			known[name] = true
		}
	}
	if len(g.Outputs) == 0 {
		return malformed("the graph has no output")
	}
	for _, v := range g.Outputs {
		if v.Name == "" || !known[v.Name] {
			return malformed("nothing gives the graph's output %q", visible.Name(v.Name))
		}
	}
	return nil
}
