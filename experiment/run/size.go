package run

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/experiment/config"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/rule"
)

// RoomOfPrograms returns about how many bytes the compiled programs of a run take whose model sees n examples at a time, and those arrays of its optimizer that
// are no vectors of parameters. It allocates none of that.
func RoomOfPrograms(c *config.Config, m *nn.Model, r *rule.Rule, n int, regression bool) (int64, error) {
	products, err := Products(c, r)
	if err != nil {
		return 0, err
	}
	peak, err := programs(c, m, n, products, regression)
	if err != nil {
		return 0, err
	}
	matrices, err := RoomOfMatrices(m.NumParams(), r)
	return peak + matrices*int64(widthOf(c)), err
}

// Products returns how many Hessian-vector products a run makes in one pass at most. The bias of mini-batches, and of memories that
// fill, takes one a moment, and one more where the update reads the gradient itself.
func Products(c *config.Config, r *rule.Rule) (int, error) {
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

// RoomOfMatrices returns how many numbers an optimizer of whole weights holds beside vectors of parameters: what of its state has
// shapes of its own, in a checkpoint too, and what a step makes on its way.
func RoomOfMatrices(dim int, r *rule.Rule) (int64, error) {
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
