// Package schema says what a setting is: its name, type, range, default and meaning, each once. Files, flags, sweeps, completion
// and the tables of the documentation all read that one statement.
//
// Packages that have settings of their own, as the optimizers and the losses have, state them as [Key]s and take values that were
// checked against them; how values are written, where, and what is said about mistakes is not their concern.
package schema
