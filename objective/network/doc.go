// Package network is the loss of a network on examples, of classes or of numbers to predict, as an [objective.Objective].
//
// The examples are cut into mini-batches, once and for all; [objective.Full] stands for all examples. A batch larger than the micro-batch
// (batch.physical of a config: what is evaluated at once) is evaluated in micro-batches of fixed size and order, the last one smaller,
// and what they give is averaged with their sizes as weights: so memory is bounded, batch normalization sees a micro-batch, and the bits
// do not depend on the number of threads.
//
// Of a text the examples are windows of tokens, with a label each: the loss is the mean over all tokens, which is that over the windows since
// these are of one length.
package network
