// Package graph is a small array language whose programs can be differentiated, expanded in Taylor series, compiled and
// run at the machine's speed.
//
// A [Builder] records primitive operations on [Value]s of static shape, float32 or float64. Three transformations extend
// what was recorded by new values: [Grad] (reverse mode), [JVP] (forward mode) and [Jet] (truncated Taylor series in one
// or two variables). Each is one rule per primitive, and the primitives are closed under all three: a convolution, its
// input gradient and its kernel gradient are three bilinear primitives that turn into each other. So the transformations
// compose in any order: a Hessian-vector product is the JVP of a Grad, and nobody writes a second derivative by hand.
//
// Equal operations on equal operands are recorded once, so what a value and its derivatives share is computed once.
//
// [Compile] turns values into a [Program]: dead code is gone, elementwise chains run as one pass over cache-sized tiles,
// buffers are reused by liveness, and work is cut into chunks that do not depend on the number of threads, so that the
// same inputs give the same bits on any number of cores of the same kind of processor.
//
// Errors stick to the Builder: an operation whose operands do not fit records an error with the operation, the shapes and
// the caller's file and line, and every value made from its result is invalid. [Compile] returns the first error. Labels are
// known only when a program runs; the error of one out of range names the same.
package graph
