// Package reproduce asks the questions of "On the Implicit Bias of Adam" (arXiv:2309.00079), and those that its readers asked,
// one named experiment each: a claim, the runs that test it, figures, and a verdict with numbers.
//
// A [Reproduction] has hypotheses ([Hypothesis]), which are data written before the runs: what is measured, by which test, in which direction,
// and how large an effect has to be. It makes its runs by sweeps, so that they continue where they were, and gives each hypothesis its
// numbers, a row a seed; all else, tests, corrections and outcomes, is one mechanism. What was found is a [Verdict], a file that the pages are
// made from. Each reproduction exists at three scales: for a laptop with the embedded digits, small with part of Fashion-MNIST, and that of
// the paper.
package reproduce
