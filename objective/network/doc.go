// Package network is the loss of a network on labelled examples as a function of one vector of parameters: its value, its
// gradient, and its Hessian-vector products, as compiled programs.
//
// The examples are cut into mini-batches, once and for all; [Full] stands for all examples. A batch larger than the
// physical batch is evaluated in physical batches of fixed size and order, the last one smaller, and what they give is
// averaged with their sizes as weights: so memory is bounded, batch normalization sees a physical batch, and the bits do
// not depend on the number of threads.
package network
