// Package sweep makes many runs of one description: grids, zips and lists over any key of a config, each with several seeds.
//
// A sweep is a list of configs in a documented order, each with a directory of its own that is named after its place and its
// config. Nothing is shared between runs, so any scheduler can make them, one at a time, in any order; a run whose directory
// holds its result is never made again. A run that fails or diverges is a row of the table with its reason, like any other.
package sweep
