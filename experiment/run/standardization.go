package run

import (
	"slices"

	"shadowflow/dataset"
	"shadowflow/experiment/record"
)

// Standardization says how a run's data was standardized, so that the weights can be used without this program: in the file
// standardization.json.
type Standardization struct {
	Meaning string `json:"meaning"`
	// Inputs has a channel of images, or a column of a table, at each place; Targets a number to predict. Nil: left as they are.
	Inputs  *Scales `json:"inputs,omitempty"`
	Targets *Scales `json:"targets,omitempty"`
}

// Scales are means and population deviations, and names where there are.
type Scales struct {
	Names     []string        `json:"names,omitempty"`
	Mean      []record.Number `json:"mean"`
	Deviation []record.Number `json:"deviation"`
}

const standardizationMeaning = "standardized = (value - mean) / deviation, and back: value = mean + deviation * standardized; " +
	"what has a deviation of 0 is constant, and divided by 1"

// introduceData records how the data was standardized, and says what looks like a mistake in it.
func (t *training[T]) introduceData() error {
	d := t.source.data
	if d == nil {
		return nil
	}
	notes := slices.Clip(t.config.NotesOn(d))
	if note := dataset.NoteOnSquares[T](d); note != "" {
		notes = append(notes, note)
	}
	for _, note := range notes {
		if t.notice != nil {
			t.notice("data: " + note)
		}
		if err := t.dir.Logf("data: %s", note); err != nil {
			return err
		}
	}
	return t.saveStandardization()
}

// saveStandardization records how the data was standardized, if it was.
func (t *training[T]) saveStandardization() error {
	d := t.source.data
	if d == nil || d.Mean == nil && d.TargetMean == nil {
		return nil
	}
	return t.dir.WriteStandardization(Standardization{
		Meaning: standardizationMeaning,
		Inputs:  scalesOf(d.FeatureNames, d.Mean, d.Std),
		Targets: scalesOf(d.TargetNames, d.TargetMean, d.TargetStd),
	})
}

func scalesOf(names []string, mean, deviation []float64) *Scales {
	if mean == nil {
		return nil
	}
	return &Scales{names, record.Numbers(mean), record.Numbers(deviation)}
}
