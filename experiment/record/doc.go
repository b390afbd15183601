// Package record is the directory of a run: the record of what it was and what it measured, readable without this program.
//
// It holds the config as resolved, a table of measurements that only grows, the last two checkpoints (safetensors files with a
// checksum), a log and a result. It has one owner at a time. Killed at any moment, a run resumes from the newest whole checkpoint and
// ends with the record of an uninterrupted one.
// [Export] turns the table into the formats that other tools open.
package record
