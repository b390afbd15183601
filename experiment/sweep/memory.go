package sweep

import (
	"context"
	"fmt"

	"shadowflow/dataset"
	"shadowflow/engine"
	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/rule"
)

// sizer tells about what a run takes at its peak, in bytes: the memory of its compiled programs, its vectors of parameters, and its data. It
// allocates none of that; data is read unless its shape is known by its name. It remembers what it measured, and is not for concurrent use.
type sizer struct {
	sizes  map[string]int64
	shapes map[string]shape
}

// shape is what memory depends on in data.
type shape struct {
	example []int
	classes int // 0 where numbers are predicted
	numbers int // to predict for an example
	n, all  int // training examples, and examples of both parts
}

// beyond is a number of parameters that fit no machine with their vectors.
const beyond = 1 << 35

func widthOf(c *config.Config) int64 {
	if c.DType == "float64" {
		return 8
	}
	return 4
}

// vectors is about the number of vectors of parameters that any run holds: parameters, moments, gradient, update, a checkpoint being written. What
// is measured along it, and moves beside it, comes on top.
const vectors = 12

func (s *sizer) of(ctx context.Context, c *config.Config) (int64, error) {
	switch c.Objective.Name {
	case config.Network:
	case config.Worker: // what it takes, it alone knows
		return 0, nil
	default:
		return closedForm(c)
	}
	d, err := s.shape(ctx, c.Data)
	if err != nil {
		return 0, err
	}
	n := min(c.Batch.Physical, d.n)
	if c.Batch.Mini() {
		n = min(n, c.Batch.Size)
	}
	model, err := build(c, d)
	if err != nil {
		return 0, err
	}
	if n := int64(model.NumParams()); n > beyond { // whose programs no graph holds
		return vectors * n * widthOf(c), nil
	}
	r, err := c.Optimizer.RuleOf(model.Blocks())
	if err != nil {
		return 0, err
	}
	products, err := productsOf(c, r)
	if err != nil {
		return 0, err
	}
	key := fmt.Sprint(d, n, c.Model, c.Loss, c.DType, products)
	if !r.Elementwise {
		key += fmt.Sprint(c.Optimizer.Name, c.Optimizer.Values, c.Optimizer.Groups)
	}
	size, ok := s.sizes[key]
	if !ok {
		if size, err = sizeOf(c, model, r, d, n, products); err != nil {
			return 0, err
		}
		if s.sizes == nil {
			s.sizes = map[string]int64{}
		}
		s.sizes[key] = size
	}
	return size + run.Room(c, r, model.NumParams()), nil
}

// closedForm returns the memory of a run on a loss in closed form, whose programs are small beside its vectors.
func closedForm(c *config.Config) (int64, error) {
	f, _, err := c.Objective.New()
	if err != nil {
		return 0, err
	}
	r, err := c.Optimizer.RuleOf(f.Weights())
	if err != nil {
		return 0, err
	}
	matrices, err := ofMatrices(f.Dim, r)
	return 8*(2*vectors*int64(f.Dim)+matrices) + run.Room(c, r, f.Dim), err
}

// productsOf returns how many Hessian-vector products a run makes in one pass at most. The bias of mini-batches, and of memories that
// fill, takes one a moment, and one more where the update reads the gradient itself.
func productsOf(c *config.Config, r *rule.Rule) (int, error) {
	m, err := r.MemoryForm()
	bias := c.Record.Bias > 0 && err == nil || c.Bias.Scale != 0
	_, unsettled := r.Settled()
	settled := c.Record.Bias > 0 && unsettled == nil && !c.Batch.Mini() // measured without such a form
	switch {
	case bias && err != nil:
		return 0, err
	case bias && (c.Batch.Mini() || !m.Steady()):
		return len(m.Moments) + 1, nil
	case err == nil && c.Record.Sharpness > 0 && c.Batch.Mini(): // what the noise does to the bias
		return 2, nil
	case bias || settled || r.Hessian != nil || c.Record.Sharpness > 0 || c.Regularizer.Kind != "none" || len(c.Beside) > 0:
		return 1, nil
	}
	return 0, nil
}

func sizeOf(c *config.Config, model *nn.Model, r *rule.Rule, d shape, n, products int) (int64, error) {
	width := widthOf(c)
	peak, err := programs(c, model, n, products, d.classes == 0)
	if err != nil {
		return 0, err
	}
	matrices, err := ofMatrices(model.NumParams(), r)
	if err != nil {
		return 0, err
	}
	numbers := int64(1)
	for _, k := range d.example {
		numbers *= int64(k)
	}
	data := int64(d.all)*numbers + min(int64(d.n)*numbers*width, 1<<30)
	return peak + vectors*int64(model.NumParams())*width + matrices*width + data, nil
}

// ofMatrices returns how many numbers an optimizer of whole weights holds beside vectors of parameters: what of its state has
// shapes of its own, in a checkpoint too, and what a step makes on its way.
func ofMatrices(dim int, r *rule.Rule) (int64, error) {
	if r.Elementwise {
		return 0, nil
	}
	own := 0
	for i := range r.State {
		if r.PartsOf(i) != nil {
			own += r.Length(i, dim)
		}
	}
	b := graph.NewBuilder()
	theta, g := b.Param("theta", graph.Float32, dim), b.Param("gradient", graph.Float32, dim)
	call, in := r.Inputs(theta, g)
	next, after := r.Step(call)
	cost, err := engine.Measure(append([]graph.Value{theta, g}, in...), append([]graph.Value{next}, after...), engine.Options{Threads: 1})
	return int64(2*own) + cost.PeakBytes/4, err
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

// programs returns the memory of the programs for n examples: the gradient, and the Hessian-vector products if they are needed.
func programs(c *config.Config, m *nn.Model, n, products int, regression bool) (int64, error) {
	gradient, err := program(c, m, n, regression, 0)
	if err != nil || products == 0 {
		return gradient, err
	}
	pair, err := program(c, m, n, regression, products)
	return gradient + pair, err
}

func program(c *config.Config, m *nn.Model, n int, regression bool, products int) (int64, error) {
	loss, err := nn.ParseLoss(c.Loss)
	if err != nil {
		return 0, err
	}
	dtype := graph.Float32
	if c.DType == "float64" {
		dtype = graph.Float64
	}
	b := graph.NewBuilder()
	inputsOf := m.Inputs
	if regression {
		inputsOf = m.RegressionInputs
	}
	in := inputsOf(b, dtype, n)
	result, err := m.TrainLoss(in, loss)
	if err != nil {
		return 0, err
	}
	g := graph.Grad(result.Loss, in.Theta)[0]
	args, out := []graph.Value{in.Theta, in.X, in.Answer()}, []graph.Value{result.Loss, g}
	for i := range products {
		v := b.Param(fmt.Sprintf("v%d", i), dtype, m.NumParams())
		args, out = append(args, v), append(out, graph.JVP([]graph.Value{g}, []graph.Value{in.Theta}, []graph.Value{v})[0])
	}
	cost, err := engine.Measure(args, out, engine.Options{Threads: 1})
	return cost.PeakBytes, err
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
