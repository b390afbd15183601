// Package schema says what a setting is: its name, type, range, default and meaning, each once. Files, flags, sweeps, completion
// and the tables of the documentation all read that one statement.
//
// A [Key] is such a statement; a [Schema] is all keys of a config, in sections. What gives keys values is a [Setting]: [Parse] reads those
// of a YAML file, [ParseSet] those of a flag, and [Set] makes one of a Go value. [Schema.Resolve] gives every key a value, checks all, and
// says what is wrong, where, and what would be right. Packages that have settings of their own, as the optimizers and the losses have, state
// them as keys, and take values that were checked against them.
package schema
