package explore

import (
	"shadowflow/experiment/config"
	"shadowflow/rule"
	"shadowflow/schema"
)

// Catalogue is what there is to choose from.
type Catalogue struct {
	Objectives []Objective `json:"objectives"`
	Optimizers []Optimizer `json:"optimizers"`
	Equations  []string    `json:"equations"`
	Schedules  []string    `json:"schedules"`
	Batches    []string    `json:"batches"`
	MaxSteps   int         `json:"max_steps"`
	MaxTrained int         `json:"max_trained"`
}

// Objective is a loss, with what makes it one of two parameters, and where it is shown at first.
type Objective struct {
	Name    string         `json:"name"` // in a config
	Title   string         `json:"title"`
	Set     map[string]any `json:"set"`
	Start   []float64      `json:"start,omitempty"`
	View    []float64      `json:"view,omitempty"`
	Batches bool           `json:"batches"` // it has mini-batches
	// BatchSize is how many examples are in one, where that can be chosen.
	BatchSize int  `json:"batch_size,omitempty"`
	Pairs     bool `json:"pairs"` // and these are pairs
}

// objectives are the losses that the page offers.
func objectives() []Objective {
	return []Objective{
		{Name: "bilinear", Title: "bilinear: ½ (y − x θ₁ θ₂)²", Start: []float64{2.8, 3.5}, View: []float64{0, 4, 0, 4}, Batches: true, Pairs: true},
		{Name: "cubic", Title: "cubic: (y − θ₂ (x θ₁)³)²", Start: []float64{0.9, 1.6}, View: []float64{0, 1.6, -0.5, 2}, Batches: true, Pairs: true},
		{
			Name: "quadratic", Title: "quadratic, eigenvalues 1 and 10", Set: map[string]any{"objective.spectrum": []float64{1, 10}, "objective.rotation": 1},
			Start: []float64{1.5, 1}, View: []float64{-2, 2, -2, 2},
		},
		{Name: "rosenbrock", Title: "Rosenbrock's valley", Start: []float64{-1.2, 1}, View: []float64{-2, 2, -1, 3}},
		{
			Name: "logistic", Title: "logistic regression of two weights", Set: map[string]any{"objective.features": 2, "objective.batches": 8},
			Start: []float64{-2, 2}, View: []float64{-3, 3, -3, 3}, Batches: true,
		},
		{Name: config.Network, Title: "handwritten digits, a network of 8 hidden units on 100 of them", Batches: true, BatchSize: 25},
	}
}

// Optimizer is a built-in optimizer: its hyperparameters, and the text to start one's own from.
type Optimizer struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Keys   []Key  `json:"keys"`
	Source string `json:"source"`
}

// Key is a hyperparameter.
type Key struct {
	Name    string `json:"name"`
	Default any    `json:"default"`
	Range   string `json:"range,omitempty"`
	Doc     string `json:"doc"`
}

// catalogue returns what there is to choose from.
func catalogue() (*Catalogue, error) {
	s := config.Schema()
	c := &Catalogue{
		Objectives: objectives(), Equations: s.Words("beside"), Schedules: s.Words("schedule.shape"), Batches: s.Words("batch.mode"), MaxSteps: maxSteps, MaxTrained: maxTrained,
	}
	for _, name := range rule.Names() {
		d, err := rule.Find(name)
		if err != nil {
			return nil, err
		}
		source, err := rule.Source(name)
		if err != nil {
			return nil, err
		}
		o := Optimizer{Name: name, Title: d.Title, Source: string(source)}
		for _, k := range d.Keys() {
			o.Keys = append(o.Keys, keyOf(k))
		}
		c.Optimizers = append(c.Optimizers, o)
	}
	return c, nil
}

func keyOf(k schema.Key) Key {
	out := Key{Name: k.Name, Default: k.Default, Doc: k.Doc}
	if k.Range != nil {
		out.Range = k.Range.Notation()
	}
	return out
}
