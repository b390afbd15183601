// Package objective is the one door to every loss: a function of one vector of parameters, of which an [Objective] evaluates, in one
// pass, what a [Want] names: the loss, its gradient, Hessian-vector products, and the product in a direction made from the gradient.
//
// Losses written as graph code are a [Function], of which [NewNumeric] makes an Objective; those in closed form, by name, are in package
// objective/closed, networks on data in package objective/network. What only some losses have (a start, other data, graph code for
// derivatives of any order) is a small interface of its own, asserted where it is used.
package objective
