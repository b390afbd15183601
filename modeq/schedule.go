package modeq

import "math/rand/v2"

// Cyclic returns the order 0, 1, .., batches-1, 0, 1, ..
func Cyclic(batches int) func(step int) int {
	return func(step int) int { return step % batches }
}

// Shuffled returns an order in which each epoch of batches steps visits every batch once, by a permutation of its own that
// depends on the seed and the epoch alone. It is not for concurrent use.
func Shuffled(batches int, seed uint64) func(step int) int {
	epochs := map[int][]int{}
	return func(step int) int {
		epoch := step / batches
		perm, ok := epochs[epoch]
		if !ok {
			perm = rand.New(rand.NewPCG(seed, uint64(epoch))).Perm(batches)
			epochs[epoch] = perm
		}
		return perm[step%batches]
	}
}

// Sampled returns an order in which each step draws a batch with replacement. It depends on the seed and the step alone.
func Sampled(batches int, seed uint64) func(step int) int {
	return func(step int) int { return rand.New(rand.NewPCG(seed, uint64(step))).IntN(batches) }
}
