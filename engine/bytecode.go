package engine

import (
	"math"

	"shadowflow/graph"
)

// smallStep runs a fused unit over arrays of a few elements as bytecode: for a loss of two parameters a call of a vector
// function would cost more than its work.
type smallStep[T graph.Float] struct {
	n      int
	regs   []T // slot s is regs[s*n : (s+1)*n]
	loads  []smallLoad[T]
	code   []smallInstr
	stores []smallStore[T]
}

// smallMax is the number of elements up to which bytecode is the quicker way.
const smallMax = 16

type smallLoad[T graph.Float] struct {
	src    ref[T]
	slot   int
	scalar bool
}

type smallStore[T graph.Float] struct {
	dst  ref[T]
	slot int
}

type smallInstr struct {
	small
	d, a, b, c int32 // offsets in regs
}

// small is how a primitive runs where arrays have a few elements: an instruction of its own, or a function of an element.
type small struct {
	op opcode
	f  func(a, b, c float64) float64 // of codeCall
}

type opcode uint8

const (
	codeNone opcode = iota
	codeCall
	codeNeg
	codeSqrt
	codeRecip
	codeAdd
	codeSub
	codeMul
	codeDiv
	codeSum
	codeAmax
)

func call1(f func(a float64) float64) small {
	return small{codeCall, func(a, _, _ float64) float64 { return f(a) }}
}

func call2(f func(a, b float64) float64) small {
	return small{codeCall, func(a, b, _ float64) float64 { return f(a, b) }}
}

// smallOf builds the bytecode of a unit, if its arrays are small and read whole or as one number.
func smallOf[T graph.Float](c *compiler, u *unit) (step, bool) {
	if u.size > smallMax {
		return nil, false
	}
	for _, n := range u.nodes {
		if r, _ := c.rows.reduction(n); !c.rows.elementwise(n) && r != reduceAll {
			return nil, false
		}
		for _, in := range n.In() {
			if k := c.readBy(u, in).kind; k == readRow || k == readColumn {
				return nil, false
			}
		}
	}
	s := &smallStep[T]{n: u.size}
	slotOf := map[*graph.Node]int{}
	known := map[float64]int{}
	newSlot := func() int {
		s.regs = append(s.regs, make([]T, s.n)...)
		return len(s.regs)/s.n - 1
	}
	type loadKey struct {
		n      *graph.Node
		scalar bool
	}
	loaded := map[loadKey]int{}
	read := func(in *graph.Node) int {
		o := c.readBy(u, in)
		if o.kind == readConst {
			slot, ok := known[o.c]
			if !ok {
				slot = newSlot()
				known[o.c] = slot
				for i := range s.n {
					s.regs[slot*s.n+i] = T(o.c)
				}
			}
			return slot
		}
		if slot, ok := slotOf[o.n]; ok && o.kind == readWhole {
			return slot
		}
		key := loadKey{o.n, o.kind == readScalar}
		slot, ok := loaded[key]
		if !ok {
			slot = newSlot()
			loaded[key] = slot
			s.loads = append(s.loads, smallLoad[T]{refOf[T](c, o.n), slot, key.scalar})
		}
		return slot
	}
	for _, n := range u.nodes {
		in := smallInstr{small: c.rows.of(n).small}
		offsets := []*int32{&in.a, &in.b, &in.c}
		for j, m := range n.In() {
			*offsets[j] = int32(read(m) * s.n)
		}
		slot := newSlot()
		in.d = int32(slot * s.n)
		slotOf[n] = slot
		s.code = append(s.code, in)
		if _, kept := c.homes[n]; kept {
			s.stores = append(s.stores, smallStore[T]{refOf[T](c, n), slot})
		}
	}
	c.scratch += int64(len(s.regs) * u.dtype.Size())
	return s, true
}

func (s *smallStep[T]) run(*Program) error {
	for i := range s.loads {
		l := &s.loads[i]
		src := l.src.get()
		dst := s.regs[l.slot*s.n : (l.slot+1)*s.n]
		switch {
		case s.n == 1:
			dst[0] = src[0]
		case l.scalar:
			for j := range dst {
				dst[j] = src[0]
			}
		default:
			copy(dst, src)
		}
	}
	if s.n == 1 {
		s.runScalars()
	} else {
		s.runVectors()
	}
	for i := range s.stores {
		st := &s.stores[i]
		dst := st.dst.get()
		copy(dst, s.regs[st.slot*s.n:])
	}
	return nil
}

// runScalars has the common operations inline.
func (s *smallStep[T]) runScalars() {
	r := s.regs
	for i := range s.code {
		in := &s.code[i]
		switch in.op {
		case codeAdd:
			r[in.d] = r[in.a] + r[in.b]
		case codeSub:
			r[in.d] = r[in.a] - r[in.b]
		case codeMul:
			r[in.d] = r[in.a] * r[in.b]
		case codeDiv:
			r[in.d] = r[in.a] / r[in.b]
		case codeNeg:
			r[in.d] = -r[in.a]
		case codeRecip:
			r[in.d] = 1 / r[in.a]
		case codeSqrt:
			r[in.d] = T(math.Sqrt(float64(r[in.a])))
		default:
			r[in.d] = T(in.f(float64(r[in.a]), float64(r[in.b]), float64(r[in.c])))
		}
	}
}

func (s *smallStep[T]) runVectors() {
	for i := range s.code {
		in := &s.code[i]
		n := s.n
		d, a, b := s.regs[in.d:][:n], s.regs[in.a:][:n], s.regs[in.b:][:n]
		switch in.op {
		case codeAdd:
			for j := range d {
				d[j] = a[j] + b[j]
			}
		case codeSub:
			for j := range d {
				d[j] = a[j] - b[j]
			}
		case codeMul:
			for j := range d {
				d[j] = a[j] * b[j]
			}
		case codeDiv:
			for j := range d {
				d[j] = a[j] / b[j]
			}
		case codeNeg:
			for j := range d {
				d[j] = -a[j]
			}
		case codeRecip:
			for j := range d {
				d[j] = 1 / a[j]
			}
		case codeSqrt:
			for j := range d {
				d[j] = T(math.Sqrt(float64(a[j])))
			}
		case codeSum:
			sum := a[0]
			for _, v := range a[1:] {
				sum += v
			}
			d[0] = sum
		case codeAmax:
			top := a[0]
			for _, v := range a[1:] {
				top = largest(top, v)
			}
			d[0] = top
		default:
			c := s.regs[in.c:][:n]
			for j := range d {
				d[j] = T(in.f(float64(a[j]), float64(b[j]), float64(c[j])))
			}
		}
	}
}

func rsqrt(x float64) float64 { return 1 / math.Sqrt(x) }

func relu(x float64) float64 {
	if x < 0 {
		return 0
	}
	return x
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

// choose is the second operand where the first is not zero, else the third.
func choose(a, b, c float64) float64 {
	if a != 0 {
		return b
	}
	return c
}

// sigmoid keeps its accuracy in both tails.
func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// inPlace reports whether an array may be written over another: all are read before any is written.
func (s *smallStep[T]) inPlace(_, _ int) bool { return true }
