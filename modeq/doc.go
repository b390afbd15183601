// Package modeq writes down the differential equations that the iterates of an optimizer with memory follow: its modified
// equations, for any [rule.Rule].
//
// There are two derivations. [SecondOrder] evaluates the equation of second order from the gradients and Hessian-vector products of any
// [objective.Objective], batch by batch: it is exact in the step number n, so it knows how the memory fills, and takes mini-batches in any
// order. [Fields] needs the loss as graph code, an [objective.GraphLoss], and gives the equation to any order, full batch and memory full.
// [Terms] are the second-order term for who has the gradient and the product already, coordinate by coordinate; [Effects] says which sizes
// of gradient it penalizes and which it hinders, [Norm] what norm that is of, and [Derive] all of it as formulas. [BatchBias] is the part
// of it that memory has on the average over the order of mini-batches, with the terms that their noise adds.
//
// In all of them the rule is read from its definition. No derivative of any rule is written by hand.
package modeq
