// Package graph is a small array language whose programs can be differentiated and expanded in Taylor series. What it records is
// executed by others, package engine for one: nothing here knows how a program runs.
//
// A [Builder] records primitive operations ([Op]) on [Value]s of static shape, float32 or float64. Three transformations extend
// what was recorded by new values: [Grad] (reverse mode), [JVP] (forward mode) and [Jet] (truncated Taylor series in one
// or two variables, which [Reach] says the extent of). Each is one rule per primitive, and the primitives are closed under all three: a
// convolution, its input gradient and its kernel gradient are three bilinear primitives that turn into each other. So the transformations
// compose in any order: a Hessian-vector product is the JVP of a Grad, and nobody writes a second derivative by hand.
//
// Equal operations on equal operands are recorded once, so what a value and its derivatives share is computed once.
//
// Errors stick to the Builder: an operation whose operands do not fit records an error with the operation, the shapes and
// the caller's file and line, and every value made from its result is invalid. [Builder.Err] returns the first error. Labels and
// indices are known only when a program runs; the error of one out of range names the same ([Call]).
//
// [Node] is what executors see of a recorded operation.
package graph
