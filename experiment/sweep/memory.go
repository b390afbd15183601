package sweep

import (
	"context"
	"fmt"

	"shadowflow/dataset"
	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/nn"
)

// sizer tells about what a run takes at its peak, in bytes: the memory of its compiled programs, its vectors of parameters, and its data. It
// allocates none of that; data is read unless its shape is known by its name. It remembers what it measured, and is not for concurrent use.
type sizer struct {
	rooms  run.Rooms
	shapes map[string]shape
}

// shape is what memory depends on in data.
type shape struct {
	example []int
	classes int // 0 where numbers are predicted
	numbers int // to predict for an example
	n, all  int // training examples, and examples of both parts
}

func (s *sizer) of(ctx context.Context, c *config.Config) (int64, error) {
	if err := run.Representable(c); err != nil { // which it would be refused for
		return 0, err
	}
	switch c.Objective.Name {
	case config.Network:
	case config.Worker: // what it takes, it alone knows
		return 0, nil
	default:
		return s.closedForm(c)
	}
	d, err := s.shape(ctx, c.Data)
	if err != nil {
		return 0, err
	}
	model, err := build(c, d)
	if err != nil {
		return 0, err
	}
	r, err := c.Optimizer.RuleOf(model.Blocks())
	if err != nil {
		return 0, err
	}
	room, err := s.rooms.Of(c, run.Subject{
		Rule: r, Dim: model.NumParams(), Model: model, Train: d.n, All: d.all, Numbers: d.size(), Regression: d.classes == 0,
	})
	return room.Bytes(), err
}

// closedForm returns the memory of a run on a loss in closed form, whose programs are small beside its vectors.
func (s *sizer) closedForm(c *config.Config) (int64, error) {
	f, _, err := c.Objective.New()
	if err != nil {
		return 0, err
	}
	r, err := c.Optimizer.RuleOf(f.Weights())
	if err != nil {
		return 0, err
	}
	room, err := s.rooms.Of(c, run.Subject{Rule: r, Dim: f.Dim})
	return room.Bytes(), err
}

// size returns the numbers of an example.
func (d shape) size() int {
	n := 1
	for _, k := range d.example {
		n *= k
	}
	return n
}

func build(c *config.Config, d shape) (*nn.Model, error) {
	a, err := c.Model.Architecture()
	if err != nil {
		return nil, err
	}
	loss, err := nn.ParseLoss(c.Loss)
	if err != nil {
		return nil, err
	}
	outputs, err := loss.Outputs(d.classes, d.numbers)
	if err != nil {
		return nil, err
	}
	return a.Build(d.example, outputs)
}

// shape returns what the data looks like, without reading it where the name says so.
func (s *sizer) shape(ctx context.Context, spec dataset.Spec) (shape, error) {
	switch spec.Name {
	case dataset.NameCIFAR10, dataset.NameCIFAR100:
		d := shape{example: []int{32, 32, 3}, classes: 10, n: 50_000, all: 60_000}
		if spec.Name == dataset.NameCIFAR100 {
			d.classes = 100
			if spec.CoarseLabels {
				d.classes = 20
			}
		}
		if spec.Subset > 0 {
			d.n = min(d.n, spec.Subset)
		}
		return d, nil
	}
	key := fmt.Sprintf("%+v", spec)
	if d, ok := s.shapes[key]; ok {
		return d, nil
	}
	data, err := dataset.Load(ctx, spec)
	if err != nil {
		return shape{}, fmt.Errorf("data: %w", err)
	}
	d := shape{example: data.Shape, classes: data.Classes, numbers: data.Train.Targets.Columns, n: data.Train.N(), all: data.Train.N() + data.Test.N()}
	if s.shapes == nil {
		s.shapes = map[string]shape{}
	}
	s.shapes[key] = d
	return d, nil
}
