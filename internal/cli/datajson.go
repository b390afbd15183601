package cli

import (
	"math"

	"shadowflow/dataset"
)

// dataOutput is what data info prints as JSON.
type dataOutput struct {
	Name        string         `json:"name"`
	Train       int            `json:"train"`
	Test        int            `json:"test"`
	Shape       []int          `json:"shape"`
	Classes     []classOutput  `json:"classes"`
	Targets     []targetOutput `json:"targets"`
	Features    []string       `json:"features"`
	Mean        []float64      `json:"mean"` // that standardize the inputs, by channel or column
	Deviation   []float64      `json:"deviation"`
	Notes       []string       `json:"notes"`
	Attribution string         `json:"attribution"`
}

// classOutput is a class with its number of training examples.
type classOutput struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// targetOutput is a number to predict, with its range in the training data as the file has it.
type targetOutput struct {
	Name      string   `json:"name"`
	Least     float64  `json:"least"`
	Most      float64  `json:"most"`
	Mean      *float64 `json:"mean"` // null where it is not standardized
	Deviation *float64 `json:"deviation"`
}

func dataJSON(d *dataset.Dataset, notes []string) dataOutput {
	out := dataOutput{
		Name: d.Name, Train: d.Train.N(), Test: d.Test.N(), Shape: d.Shape, Targets: targetsOf(d), Features: d.FeatureNames,
		Mean: d.Mean, Deviation: d.Std, Notes: notes, Attribution: d.Attribution,
	}
	for i, n := range d.Train.ClassCounts(d.Classes) {
		out.Classes = append(out.Classes, classOutput{d.ClassNames[i], n})
	}
	return out
}

func targetsOf(d *dataset.Dataset) []targetOutput {
	var out []targetOutput
	for c, name := range d.TargetNames {
		t := targetOutput{Name: name, Least: math.Inf(1), Most: math.Inf(-1)}
		for i := c; i < len(d.Train.Targets.Values); i += len(d.TargetNames) {
			y := d.Train.Targets.Values[i]
			t.Least, t.Most = min(t.Least, y), max(t.Most, y)
		}
		if d.TargetMean != nil {
			mean, deviation := d.TargetMean[c], d.TargetStd[c]
			t.Least, t.Most = mean+deviation*t.Least, mean+deviation*t.Most
			t.Mean, t.Deviation = &mean, &deviation
		}
		out = append(out, t)
	}
	return out
}
