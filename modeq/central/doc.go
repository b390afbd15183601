// Package central is the central flow of an optimizer (J. M. Cohen, A. Damian, A. Talwalkar, J. Z. Kolter, J. D. Lee, "Understanding Optimization
// in Deep Learning with Central Flows", arXiv:2410.24206): the differential equation of the mean of iterates that oscillate at the edge of
// stability, for gradient descent, RMSProp with one mean square for all parameters, and RMSProp.
//
// With P = diag(p), p being 1/lr, or (sqrt(nu) + eps)/lr, the iterates oscillate with a covariance Sigma >= 0 where the curvature H has come to
// its threshold, 2 P - H >= 0, and only there, <Sigma, 2 P - H> = 0. In units of a step
//
//	dtheta/dt = -P^-1 [ g + (1/2) grad <H, Sigma> ],    dnu/dt = ((1 - beta2)/beta2) [ g^2 + diag(H Sigma H) - nu ],
//
// and Sigma is what keeps the second condition: the oscillation moves theta to where the curvature falls (grad <H, Sigma>), and raises nu,
// and so P. A [Flow] finds the critical directions, those with an eigenvalue of P^-1/2 H P^-1/2 near 2, and how their curvatures
// change; Sigma is then the solution of a small [Complementarity].
package central
