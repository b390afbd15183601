package gemm

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"unsafe"
)

// walled maps n elements that end, or begin, at a page that cannot be touched: an access outside of them is a fault.
func walled[T Float](t *testing.T, n int, atEnd bool) []T {
	t.Helper()
	page := syscall.Getpagesize()
	inner := roundUp(max(n, 1)*size[T](), page)
	mem, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(mem) })
	for _, wall := range [][]byte{mem[:page], mem[page+inner:]} {
		if err := syscall.Mprotect(wall, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	from := page
	if atEnd {
		from = page + inner - n*size[T]()
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[from])), n)
}

func runWalled[T Float](t *testing.T, p problem, plan *Plan[T], r *rand.Rand) {
	t.Helper()
	for _, atEnd := range []bool{true, false} {
		operands := pairs(p, func(n int) []T {
			s := walled[T](t, n, atEnd)
			randomize(r, s)
			return s
		})
		plan.Run(nil, walled[T](t, p.sizes[0], atEnd), walled[T](t, plan.Workspace(), atEnd), true, operands...)
	}
}

func TestNoAccessOutsideOfOperands(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	problems := fixedProblems()
	for range rounds(25) {
		problems = append(problems, matMulProblem(randomMatMul(r)))
		problems = append(problems, convProblems(randomConv(r))...)
		problems = append(problems, convProblems(randomWinograd(r))...)
		problems = append(problems, convProblems(randomDilated(r))...)
	}
	for _, p := range problems {
		t.Run(p.name, func(t *testing.T) {
			for _, set := range tested() {
				runWalled(t, p, p.plan32(set, 1), r)
				runWalled(t, p, p.plan64(set, 1), r)
			}
		})
	}
}
