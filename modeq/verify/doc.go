// Package verify compares the iterates of an optimizer with the solutions of its modified equations: the distance between the two
// falls like lr^r with the step size where the equation is of order r and right.
package verify
