// Package diagnose measures what an optimizer's implicit bias does at a point of a run, and in what state the run is: norms of
// the gradient, the bias and whom it penalizes or hinders, its drive on the perturbed one-norm, one-step defects of the
// modified equations, sharpness beside its stability threshold, gradient noise, and the regime of a whole run.
//
// It works on plain vectors of either floating-point type. Gradients and Hessian-vector products come from the caller; what a
// rule makes of them is derived from its definition. Sums over many elements are made in float64 over fixed blocks, so they
// are accurate, and the same for any number of threads.
package diagnose
