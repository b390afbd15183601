// Package experiment makes a run from its config, and a run directory from the run.
//
// A run is a pure function of its [Config], seed included: the same config gives the
// same bits. Its directory is the record, readable without this program: the
// config as resolved, a table of measurements that only grows, the last two
// checkpoints, a log and a result. Killed at any moment, a run resumes from the newest whole
// checkpoint and ends with the record of an uninterrupted one. Export turns the table
// into the formats that other tools open.
package experiment
