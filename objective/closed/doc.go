// Package closed holds losses in closed form, by name: small enough to be understood whole, with every derivative at hand.
//
// Each states its options as keys of package schema, and is made from values by [New]; package objective makes numbers of it.
package closed
