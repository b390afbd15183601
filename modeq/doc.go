// Package modeq writes down the differential equations that the iterates of an optimizer with memory follow: its modified
// equations, for any [rule.Rule].
//
// Two roads lead there. [SecondOrder] needs no more of a loss than gradients and Hessian-vector products, by numbers, batch by
// batch: it is exact in the step number n, so it knows how the memory fills, and takes mini-batches in any order. [Fields]
// needs the loss as graph code and gives the equation to any order, full batch and memory full. [Bias] says what the second-order
// term does at a point, coordinate by coordinate.
//
// In all of them the rule is read from its definition. No derivative of any rule is written by hand.
package modeq
