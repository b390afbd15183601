package config

import (
	"slices"

	"shadowflow/dataset"
	"shadowflow/nn"
)

// NotesOn returns what a person should know of the config's data: its own notes, and that targets look like classes, unless the loss is of numbers
// like 0 and 1.
func (c *Config) NotesOn(d *dataset.Dataset) []string {
	if d.NoteOnTargets == "" || c.Loss == nn.BinaryCrossEntropy.String() {
		return d.Notes
	}
	return append(slices.Clip(d.Notes), d.NoteOnTargets)
}

// Trained says in a word or two what is trained: a loss, or a model on data.
func (c *Config) Trained() string {
	if c.Objective.Name != Network {
		return c.Objective.Name
	}
	return c.Model.Name + " on " + c.Data.Name
}
