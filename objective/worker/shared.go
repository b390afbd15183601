package worker

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"github.com/edsrzf/mmap-go"

	"shadowflow/graph"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
)

// Names of the vectors that program and worker share for good. Those of parameters are for what lies elsewhere in the program's memory, and is
// copied: theta, the gradient, the vector that a product is of, and the product. Running averages are as they stand, and as the last gradient left them.
const (
	atTheta    = "theta"
	atGradient = "gradient"
	atVector   = "vector"
	atProduct  = "product"
	atRunning  = "running"
	atAveraged = "averaged"
)

// guests is how many vectors of parameters the program can have there beside, which are not copied: the point that a run is at, its gradient, the
// direction and its product. What nobody takes takes no memory.
const guests = 4

// alignment is that of each vector, in bytes: a cache line's.
const alignment = 64

// shared is the memory that program and worker have mapped.
type shared struct {
	path    string
	file    *os.File
	bytes   mmap.MMap
	vectors map[string]span
	width   int // of a number, in bytes
	guests  []span
	free    []span // of these, which nobody has
	unlink  func() // takes the file's name away, once both have it
}

// span is where a vector lies, in bytes.
type span struct{ from, size int }

// newShared maps room for four vectors of the parameters and two of the running averages, and for guests.
func newShared(dtype string, dim, running int) (*shared, error) {
	width := 4
	if dtype == graph.Float64.String() {
		width = 8
	}
	s, end := &shared{width: width, vectors: map[string]span{}}, 0
	for _, v := range []struct {
		name string
		n    int
	}{{atTheta, dim}, {atGradient, dim}, {atVector, dim}, {atProduct, dim}, {atRunning, running}, {atAveraged, running}} {
		s.vectors[v.name] = span{end, v.n * width}
		end += (v.n*width + alignment - 1) / alignment * alignment
	}
	if err := memory.Check(int64(end)); err != nil { // of guests the program would have to hold the numbers elsewhere
		return nil, err
	}
	for range guests {
		s.guests = append(s.guests, span{end, dim * width})
		end += (dim*width + alignment - 1) / alignment * alignment
	}
	s.free = slices.Clone(s.guests)
	var err error
	if s.file, s.path, s.unlink, err = anonymous(); err != nil {
		return nil, err
	}
	if err = s.file.Truncate(int64(end)); err == nil {
		s.bytes, err = mmap.MapRegion(s.file, end, mmap.RDWR, 0, 0)
	}
	if err != nil {
		s.unlink()
		return nil, errors.Join(fmt.Errorf("%s of shared memory: %w", plural.Count(end, "byte"), err), s.file.Close())
	}
	return s, nil
}

// at returns where a vector begins, in bytes.
func (s *shared) at(name string) *int {
	v := s.vectors[name].from
	return &v
}

// numbers returns a copy of a vector of either type.
func (s *shared) numbers(name string) []float64 {
	if s.width == 8 {
		return slices.Clone(vector[float64](s, name))
	}
	out := []float64{}
	for _, v := range vector[float32](s, name) {
		out = append(out, float64(v))
	}
	return out
}

// set writes numbers into a vector of either type.
func (s *shared) set(name string, numbers []float64) {
	if s.width == 8 {
		copy(vector[float64](s, name), numbers)
		return
	}
	for i, to := 0, vector[float32](s, name); i < len(to) && i < len(numbers); i++ {
		to[i] = float32(numbers[i])
	}
}

// rewind makes the memory what it was before anybody used it: the room of guests free, and the running averages these.
func (s *shared) rewind(running []float64) {
	for _, g := range s.guests {
		if !slices.Contains(s.free, g) {
			clear(s.bytes[g.from : g.from+g.size])
		}
	}
	s.free = slices.Clone(s.guests)
	s.set(atRunning, running)
}

func (s *shared) close() error { return errors.Join(s.bytes.Unmap(), s.file.Close()) }

// vector returns a vector, in place. Its type is that which the memory was made for.
func vector[T graph.Float](s *shared, name string) []T { return cut[T](s, s.vectors[name]) }

func cut[T graph.Float](s *shared, v span) []T {
	if v.size == 0 {
		return nil
	}
	var one T
	return unsafe.Slice((*T)(unsafe.Pointer(&s.bytes[v.from])), v.size/int(unsafe.Sizeof(one)))
}

// guest returns a new vector of parameters, zeros; nil once there is no room for more.
func guest[T graph.Float](s *shared) []T {
	if len(s.free) == 0 {
		return nil
	}
	v := s.free[0]
	s.free = s.free[1:]
	return cut[T](s, v)
}

// giveBack makes room of a guest for another. What is none, or has been given back, is left alone.
func giveBack[T graph.Float](s *shared, v []T) {
	at, ok := placeOf(s, v)
	i := slices.IndexFunc(s.guests, func(g span) bool { return g.from == at })
	if !ok || i < 0 || slices.Contains(s.free, s.guests[i]) {
		return
	}
	clear(cut[T](s, s.guests[i]))
	s.free = append(s.free, s.guests[i])
}

// placeOf returns where a vector begins that lies in the shared memory, in bytes; false of one that lies elsewhere.
func placeOf[T graph.Float](s *shared, v []T) (int, bool) {
	from, base := uintptr(unsafe.Pointer(unsafe.SliceData(v))), uintptr(unsafe.Pointer(&s.bytes[0]))
	if from < base || from >= base+uintptr(len(s.bytes)) {
		return 0, false
	}
	return int(from - base), true
}
