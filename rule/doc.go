// Package rule says what optimizers are: steps over named state, and where they have that form, memories of the gradient.
//
// A step moves the parameters theta by the gradient g of step n, and what is remembered by its own rule:
//
//	theta^(n+1) = theta^(n) - lr U,    with U made from state^(n+1), g^(n), theta^(n) and n.
//
// That is a [Rule], written as graph code. Everything that takes steps needs no more. The theory of modified equations needs a
// rule's [Memory] as well: moments, with g^(k) the gradient of step k's loss at theta^(k), and an update made from them,
//
//	s_i = sum_{k=0..n} w_i(n-k) phi_i(g^(k)),    U = U(s_1..s_m, g^(n), theta^(n)).
//
// Both follow from a [Definition], which is text: the formulas of state and update as they stand on paper, with the hyperparameters and
// their ranges. The optimizers of the literature are such texts, one a file in definitions, with the papers they come from; a user's own
// is another. No derivative of an optimizer is written by hand, and no optimizer is written in Go. The papers' h is lr here, the beta and
// rho of some are beta1 and beta2.
package rule
