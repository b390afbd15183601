// Package worker makes a loss of a program that somebody else wrote: a process in any language, of which the objective asks loss, gradient,
// Hessian-vector products and third derivatives. Commands are lines of JSON on the process's standard input, answers lines on its standard
// output, and vectors lie in memory that both have mapped. docs/worker.md has the protocol; the Python package under python/ serves it for
// models of PyTorch and JAX.
//
// A [Process] is the program at work, an [Objective] the loss. What the process does wrong, to die, to hang, to print where the answers
// belong, to answer with other shapes or with no numbers, is an error that tells its last words. None outlives the program that started it.
package worker
