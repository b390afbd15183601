// Package flow integrates ordinary differential equations dy/dt = f(n, t, y),
// the flows of modified equations among them.
//
// A [Method] is data: a Butcher tableau with its error estimates and its dense
// output, one method a file, with the paper it comes from. The loop is written
// once, in [Integrate]. The modified equations of an optimizer change their
// field at the times t = n h of its steps, so the right-hand side may jump at
// given breaks: no step crosses one, nothing evaluated before a break is used
// behind it, and the field is told the number n of its interval instead of
// having to guess it from a rounded t.
package flow
