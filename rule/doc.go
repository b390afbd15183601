// Package rule writes optimizers as memory rules: one definition from which the discrete optimizer, its second-order
// modified equation and its modified equation of any order all follow.
//
// At step n, with g^(k) the gradient of step k's loss at theta^(k), a rule forms its moments and moves by its update U:
//
//	s_i = sum_{k=0..n} w_i(n-k) phi_i(g^(k)),    theta^(n+1) = theta^(n) - lr U(s_1..s_m, g^(n), theta^(n)).
//
// So a [Rule] is data, the weights of its moments, and two small functions written as graph code, phi and U. Nothing else is
// told about an optimizer, its derivatives least of all. The rules of the literature are made by name from validated
// hyperparameters, see [Config]; lr is the paper's h, beta1 and beta2 are its beta and rho.
package rule
