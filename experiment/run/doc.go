// Package run makes a run from its config. A run is a pure function of the config, seed included: the same config gives the same bits.
package run
