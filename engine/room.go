package engine

import "shadowflow/graph"

// Room is memory for the arrays of programs that never run at the same time: it is as large as the largest of them needs, and not as all of them
// together. What stands in it is of no use behind a run. The zero value is an empty one, which grows as programs are compiled. It is not for concurrent use, nor are
// its programs while another is compiled; that of [CompileContext] joins it as that function returns.
type Room struct {
	f32      []float32
	f64      []float64
	i32      []int32
	programs []tenant
}

// tenant is a program in a room.
type tenant struct {
	program *Program
	arenas  [3]int // elements of its arrays, by type; the products' scratch follows
	places  []place
}

// place is where an array of a program lies in a room.
type place struct {
	dtype            graph.DType
	id, offset, size int
}

// elements returns the room's size, by type.
func (r *Room) elements() (n [3]int) {
	n[graph.Float32], n[graph.Float64], n[graph.Int32] = len(r.f32), len(r.f64), len(r.i32)
	return n
}

// lacks returns the bytes that a room grows by for a program that needs so many elements.
func (r *Room) lacks(n [3]int) int64 {
	for t, has := range r.elements() {
		n[t] = max(0, n[t]-has)
	}
	return bytesOf(n)
}

// take makes room for a program.
func (r *Room) take(c *compiler) {
	t := tenant{program: c.p, arenas: c.arenas}
	for _, s := range c.storages {
		if s.owned() {
			t.places = append(t.places, place{s.dtype, s.id, s.offset, s.size})
		}
	}
	r.programs = append(r.programs, t)
	if !r.grow(c.room()) {
		t.move(r)
	}
}

// grow makes the room at least so large, and reports whether its programs have moved. They let go of what it was before anything larger is made.
func (r *Room) grow(n [3]int) bool {
	has := r.elements()
	if n[0] <= has[0] && n[1] <= has[1] && n[2] <= has[2] {
		return false
	}
	for _, t := range r.programs {
		t.leave()
	}
	grow(&r.f32, n[graph.Float32])
	grow(&r.f64, n[graph.Float64])
	grow(&r.i32, n[graph.Int32])
	for i := range r.programs {
		r.programs[i].move(r)
	}
	return true
}

// grow makes an array of at least n elements: it stays if it is large enough.
func grow[T any](a *[]T, n int) {
	if n > len(*a) {
		*a = nil
		*a = make([]T, n)
	}
}

// leave lets go of the room.
func (t *tenant) leave() {
	p := t.program
	for _, at := range t.places {
		switch at.dtype {
		case graph.Float32:
			p.f32.arrays[at.id] = nil
		case graph.Float64:
			p.f64.arrays[at.id] = nil
		default:
			p.i32.arrays[at.id] = nil
		}
	}
	p.work32, p.work64 = nil, nil
}

// move cuts the room into the program's arrays.
func (t *tenant) move(r *Room) {
	p := t.program
	for _, at := range t.places {
		switch at.dtype {
		case graph.Float32:
			p.f32.arrays[at.id] = cut(r.f32, at)
		case graph.Float64:
			p.f64.arrays[at.id] = cut(r.f64, at)
		default:
			p.i32.arrays[at.id] = cut(r.i32, at)
		}
	}
	p.work32, p.work64 = r.f32[t.arenas[graph.Float32]:], r.f64[t.arenas[graph.Float64]:]
}

func cut[T any](arena []T, at place) []T {
	return arena[at.offset : at.offset+at.size : at.offset+at.size]
}
