package imported

import (
	"fmt"
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/internal/visible"
)

// examples returns the examples as the file's operators read them.
func (l *lowering) examples(x graph.Value) (value, error) {
	in := l.model.Graph.Inputs[0]
	want := make([]string, len(in.Shape))
	for i, d := range in.Shape {
		want[i] = d.String()
	}
	fits := func(example []int) bool {
		for i, d := range in.Shape[1:] {
			if d.Size >= 0 && d.Size != example[i] {
				return false
			}
		}
		return true
	}
	here := l.input
	if !x.Valid() {
		return value{}, l.fault()
	}
	var v value
	switch {
	case l.tokens() && len(here) == 1, len(here) == 1 && len(in.Shape) == 2:
		v = ofData(x)
	case len(here) == 3 && len(in.Shape) == 4 && (l.channelsLast() || fits(here) && !fits([]int{here[2], here[0], here[1]})):
		v = ofData(x)
	case len(here) == 3 && len(in.Shape) == 4:
		v = stored(x, images)
	case len(here) == 3 && len(in.Shape) == 2:
		v = ofData(x.Reshape(x.Shape()[0], size(here)))
		v.flat = &flat{1, here[2], here[0], here[1]}
	}
	if v.shape == nil || len(in.Shape) != len(v.shape) || !fits(v.shape[1:]) {
		return v, fmt.Errorf("input %q has the shape [%s], which examples of shape %v do not fit: want [N, D], or images [N, C, H, W] or [N, H, W, C]", visible.Name(in.Name), strings.Join(want, ", "), here)
	}
	return v, nil
}

// channelsLast reports whether images go into the file as [N, H, W, C], as TensorFlow has them, because it moves the channels before anything else is done.
func (n *network) channelsLast() bool {
	in := n.model.Graph.Inputs[0]
	readers := n.readers[in.Name]
	return len(in.Shape) == 4 && len(readers) > 0 && !slices.ContainsFunc(readers, func(r reader) bool {
		return r.node.Op != "Transpose" || !slices.Equal(r.node.Read().Ints("perm"), []int64{0, 3, 1, 2})
	})
}
