// Package isa says which vector instruction set the kernels use on this machine.
//
// The choice is made once, from what the processor offers; the environment variable SHADOWFLOW_ISA (avx512, avx2, neon or go)
// forces a smaller one, so that every kernel can be tested wherever it runs.
package isa

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// Set is an instruction set that kernels are written for.
type Set int

// The instruction sets, from the one that every processor has to the widest.
const (
	Go     Set = iota // plain Go
	NEON              // arm64's 128-bit vectors
	AVX2              // 256-bit vectors with fused multiply-add
	AVX512            // 512-bit vectors: F, DQ, BW and VL
)

// Env names the environment variable that forces an instruction set.
const Env = "SHADOWFLOW_ISA"

var names = [...]string{Go: "go", NEON: "neon", AVX2: "avx2", AVX512: "avx512"}

// String returns the name that the environment variable takes.
func (s Set) String() string { return names[s] }

// Parse returns the set of that name, or an error that lists the names this machine can use.
func Parse(name string) (Set, error) {
	for _, s := range Available() {
		if s.String() == name {
			return s, nil
		}
	}
	var can []string
	for _, s := range Available() {
		can = append(can, s.String())
	}
	return Go, fmt.Errorf("%s=%q: want one of %s on this machine", Env, name, strings.Join(can, ", "))
}

// Available returns the sets that this machine can run, the slowest first.
func Available() []Set { return slices.Clone(available()) }

// Best returns the set to use: the widest available, unless the environment names another. An error says that the
// environment names one this machine cannot run; the widest available comes with it.
var Best = sync.OnceValues(func() (Set, error) {
	all := available()
	best := all[len(all)-1]
	name := os.Getenv(Env)
	if name == "" {
		return best, nil
	}
	s, err := Parse(name)
	if err != nil {
		return best, err
	}
	return s, nil
})
