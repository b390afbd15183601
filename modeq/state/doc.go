// Package state derives the modified equation of an optimizer with its memory as part of the state (theory, section 6). One step is a map
// of z = (theta, s_1 .. s_m) with the arrays s that the optimizer really has; in the family of steps of all sizes that a rule stands in,
// [rule.Rule.Velocity], it is a one-step method near the identity, to which classical backward error analysis applies: dz/dt = f_0 + h f_1
// + h^2 f_2 + .. . No memory is eliminated, so the equation needs no gradient that changes little while the memory lasts, no slow manifold
// and no full memory: it starts anywhere, and holds at everyday settings up to the edge of stability. Behind it, where the iterates flip
// from side to side, the period-two lift (theory, section 8) of the same step takes over.
//
// Of losses that are graph code there are the fields of any order ([Expand], [Fields]); of any objective, networks of any size included, the
// equations of orders 1 and 2 ([Equation]) and their lifts ([Lift]).
//
// Time is counted in the rule's own steps: t = u h. The vector of a state is theta, and then the arrays in the rule's order.
package state
