// Package reproduce asks the questions of "On the Implicit Bias of Adam" (arXiv:2309.00079), and those that its readers asked,
// one named experiment each: a claim, the runs that test it, a figure, and a verdict with numbers.
//
// A [Reproduction] makes its runs by sweeps, so that they continue where they were, and judges by a named test over seeds:
// Page's test for trends, paired t-tests for differences. Each exists at three scales: for a laptop with the embedded digits, for
// a workstation, and at the size of the paper.
package reproduce
