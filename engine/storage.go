package engine

import (
	"cmp"
	"slices"

	"shadowflow/graph"
)

// storage is memory for one array (or, for a concatenation, for the arrays it is made of).
type storage struct {
	id       int // in the bank of its type
	dtype    graph.DType
	size     int
	first    int       // the step that writes it
	last     int       // the last step that reads it
	offset   int       // in the arena
	input    int       // the input it is, or -1
	output   int       // the output it is, or -1
	fixed    []float64 // what is known of it: its elements, or one number that all of them are
	constant constant  // what tells it apart, if it is known
	// inside says that the array is written where a larger one has it.
	inside *storage
	at     int
}

// home is where the elements of a node lie.
type home struct {
	st  *storage
	off int
}

// resolve follows arrays that lie inside larger ones.
func (h home) resolve() home {
	for h.st.inside != nil {
		h = home{h.st.inside, h.off + h.st.at}
	}
	return h
}

// owned reports whether the storage is the program's to place.
func (s *storage) owned() bool {
	return s.input < 0 && s.output < 0 && s.inside == nil && s.fixed == nil
}

// arenaAlign is the multiple of elements at which arrays start: a cache line of float32.
const arenaAlign = 16

// assign places the owned storages of one type in an arena such that arrays alive at the same time do not overlap, the largest
// first, each as low as it fits. It returns the arena's size in elements.
func assign(all []*storage, dtype graph.DType) int {
	var todo []*storage
	for _, s := range all {
		if s.dtype == dtype && s.owned() {
			todo = append(todo, s)
		}
	}
	slices.SortStableFunc(todo, func(a, b *storage) int { return cmp.Compare(b.size, a.size) })
	var placed []*storage // by offset
	peak := 0
	for _, s := range todo {
		at := 0
		for _, p := range placed {
			if p.last < s.first || p.first > s.last {
				continue
			}
			if at+s.size <= p.offset {
				break
			}
			at = max(at, p.offset+roundUp(p.size))
		}
		s.offset = at
		peak = max(peak, at+roundUp(s.size))
		i, _ := slices.BinarySearchFunc(placed, at, func(p *storage, at int) int { return cmp.Compare(p.offset, at) })
		placed = slices.Insert(placed, i, s)
	}
	return peak
}

func roundUp(n int) int { return (n + arenaAlign - 1) / arenaAlign * arenaAlign }
