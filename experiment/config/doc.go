// Package config says everything that a run depends on: every key once, with its type, range, default and meaning. Files, overrides,
// sweeps and the tables of the documentation come from it.
package config
