package rule

import (
	"fmt"
	glob "path"
	"slices"
	"strings"

	"shadowflow/graph"
)

// Group is an optimizer of some of the weights' own, in the place of a config's.
type Group struct {
	// Match are patterns of weights' names, one of which matches: * stands for any characters, ? for one, [ab] for one of some.
	// If empty, any name will do.
	Match []string
	// Dims are numbers of dimensions, one of which a weight has: 1 of biases and norms, 2 of matrices, 4 of kernels. If empty,
	// any will do.
	Dims []int
	// Scale is what the step size is multiplied by; at 0 the weights stay.
	Scale  float64
	Config Config // without groups; its LR is of no use
}

// String returns what the group's weights have in common: *.bias, norm*; dims 1.
func (g Group) String() string {
	var parts []string
	if len(g.Match) > 0 {
		parts = append(parts, strings.Join(g.Match, ", "))
	}
	if len(g.Dims) > 0 {
		parts = append(parts, "dims "+strings.Trim(fmt.Sprint(g.Dims), "[]"))
	}
	return strings.Join(parts, "; ")
}

// GroupError says what is wrong with a group.
type GroupError struct {
	Group   int    // from 0
	Key     string // match, dims
	Problem string
}

func (e *GroupError) Error() string {
	return fmt.Sprintf("optimizer.groups: group %d: %s: %s", 1+e.Group, e.Key, e.Problem)
}

// Validate says what is wrong with a group by itself, as the key and the problem; empty if nothing is.
func (g Group) Validate() (key, problem string) {
	if len(g.Match)+len(g.Dims) == 0 {
		return "match", `missing; want patterns of weights' names, like "*.bias", or dims, their number of dimensions`
	}
	for _, pattern := range g.Match {
		if _, err := glob.Match(pattern, ""); err != nil || pattern == "" {
			return "match", fmt.Sprintf("%q is no pattern; want a name, in which * stands for any characters, ? for one, and [ab] for one of some",
				pattern)
		}
	}
	return "", ""
}

// holds reports whether a weight is as the group wants it.
func (g Group) holds(w graph.Block) bool {
	named := len(g.Match) == 0 || slices.ContainsFunc(g.Match, func(pattern string) bool {
		ok, err := glob.Match(flat(pattern), flat(w.Name))
		return ok && err == nil
	})
	return named && (len(g.Dims) == 0 || slices.Contains(g.Dims, len(w.Shape)))
}

// flat puts another character in the place of what is a border to patterns of paths, but is none in a name.
func flat(name string) string { return strings.ReplaceAll(name, "/", "\x00") }

// divide returns the weights of each group, which are those that it is the first to hold, and at last the others.
func divide(groups []Group, weights []graph.Block) ([][]graph.Block, error) {
	out := make([][]graph.Block, len(groups)+1)
	for _, w := range weights {
		i := slices.IndexFunc(groups, func(g Group) bool { return g.holds(w) })
		if i < 0 {
			i = len(groups)
		}
		out[i] = append(out[i], w)
	}
	for i, g := range groups {
		if key, problem := g.Validate(); problem != "" {
			return nil, &GroupError{i, key, problem}
		}
		if len(out[i]) == 0 {
			return nil, &GroupError{i, g.key(), fmt.Sprintf("%v holds no weight%s; the weights are %s", g, g.taken(groups[:i], weights), list(weights))}
		}
	}
	return out, nil
}

// key is the first that says what the group holds.
func (g Group) key() string {
	if len(g.Match) > 0 {
		return "match"
	}
	return "dims"
}

// taken says which of the groups before have the weights that the group would hold.
func (g Group) taken(before []Group, weights []graph.Block) string {
	for i, other := range before {
		if slices.ContainsFunc(weights, func(w graph.Block) bool { return g.holds(w) && other.holds(w) }) {
			return fmt.Sprintf(" that is left, for the first group that holds one has it: here group %d, %v", 1+i, other)
		}
	}
	return ""
}

// list names weights, with their shapes.
func list(weights []graph.Block) string {
	const most = 40
	var names []string
	for _, w := range weights {
		if len(names) == most {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(weights)-most)
		}
		names = append(names, fmt.Sprintf("%s %v", w.Name, w.Shape))
	}
	return strings.Join(names, ", ")
}
