// Package spectrum finds out about the eigenvalues of a symmetric operator of which only products with vectors are known, as of a Hessian at a point:
//
//   - [Extremal]: the largest and the smallest eigenvalues with their vectors and residuals, or, in brief, the few largest to a few digits, as is enough
//     along a run;
//   - [Trace]: the trace and the diagonal, by random probes, with standard errors;
//   - [Quadrature]: the density of all eigenvalues, by probes too;
//   - [Dense]: the whole matrix, where it is small, and with it the exact answers.
//
// A [Product] takes several vectors at once, which may share a pass over the data. All that is random is drawn from a seed, and the bits of a result
// do not depend on the number of threads.
package spectrum
