package network

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/dataset"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/safetensors"
)

// table has n examples of 5 features and as many numbers to predict as there are columns, from 0 to 1.
func table(t testing.TB, n, columns int) dataset.Part {
	t.Helper()
	y := random(n*columns, 2)
	for i := range y {
		y[i] = 1 / (1 + math.Exp(-y[i]))
	}
	part, err := dataset.NewRegression([]int{5}, random(5*n, 1), dataset.Targets{Columns: columns, Values: y})
	if err != nil {
		t.Fatal(err)
	}
	return part
}

func regressor(t testing.TB, outputs int) *nn.Model {
	t.Helper()
	m, err := (&nn.MLP{Hidden: []int{6}, Activation: "tanh"}).Build([]int{5}, outputs)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ofNumbers(t testing.TB, m *nn.Model, loss nn.Loss, part dataset.Part, opt Options) *Objective[float64] {
	t.Helper()
	o, err := New[float64](m, loss, part, opt)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// package nn's golden files of regressions come through Evaluate, in micro-batches too.
func TestRegressionAgreesWithPyTorch(t *testing.T) {
	for name, outputs := range map[string]int{"mse": 3, "huber": 2, "shares": 2} {
		for _, micro := range []int{0, 3} {
			t.Run(name, func(t *testing.T) {
				m, err := (&nn.MLP{Hidden: []int{5}, Activation: "tanh"}).Build([]int{6}, outputs)
				if err != nil {
					t.Fatal(err)
				}
				file, err := safetensors.ReadFile(filepath.Join("../../nn/testdata", "loss_"+name+".safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				want := map[string][]float64{}
				var weights []safetensors.Tensor
				for _, tensor := range file.Tensors {
					want[tensor.Name], _ = tensor.Float64s()
					if of, ok := strings.CutPrefix(tensor.Name, "weights."); ok {
						weights = append(weights, safetensors.Tensor{Name: of, Shape: tensor.Shape, Data: tensor.Data})
					}
				}
				path := filepath.Join(t.TempDir(), "w.safetensors")
				if err := safetensors.WriteFile(path, weights, nil); err != nil {
					t.Fatal(err)
				}
				state, err := m.Load(path)
				if err != nil {
					t.Fatal(err)
				}
				part, err := dataset.NewRegression([]int{6}, want["x"], dataset.Targets{Columns: outputs, Values: want["targets"]})
				if err != nil {
					t.Fatal(err)
				}
				loss, err := nn.ParseLoss(file.Metadata["loss"])
				if err != nil {
					t.Fatal(err)
				}
				o := ofNumbers(t, m, loss, part, Options{MicroBatch: micro, Test: part})
				g, hf := make([]float64, o.Dim()), make([]float64, o.Dim())
				direction := &objective.Direction{Make: func(g, _ graph.Value) graph.Value { return g.Div(g.Square().Add(g.Like(1e-6)).Sqrt()) }}
				e := evaluate(t, o, state.Theta, objective.Want[float64]{Gradient: g, Direction: direction, HField: hf})
				wantClose(t, "loss", []float64{e.Loss}, want["loss"], 1e-9)
				for prefix, v := range map[string][]float64{"grad.": g, "hvp.": hf} {
					tensors, err := nn.Tensors(m, prefix, v)
					if err != nil {
						t.Fatal(err)
					}
					for _, tensor := range tensors {
						data, _ := tensor.Float64s()
						wantClose(t, tensor.Name, data, want[tensor.Name], 1e-9)
					}
				}
				r2, n := 0.0, len(want["targets"])/outputs
				for c, residual := range want["residuals"] {
					sum, squares := 0.0, 0.0
					for i := c; i < len(want["targets"]); i += outputs {
						sum += want["targets"][i]
						squares += want["targets"][i] * want["targets"][i]
					}
					r2 += (1 - residual/(squares-sum*sum/float64(n))) / float64(outputs)
				}
				test, err := o.Test(t.Context(), state.Theta)
				if err != nil {
					t.Fatal(err)
				}
				wantClose(t, "R^2, of training and of test data", []float64{e.R2, test.R2, test.Loss}, []float64{r2, r2, e.Loss}, 1e-9)
				if !math.IsNaN(e.Correct) || !math.IsNaN(e.Accuracy()) {
					t.Errorf("numbers were classified: %+v", e)
				}
			})
		}
	}
}

func TestGradientsOfRegressionsAreCentralDifferences(t *testing.T) {
	for _, loss := range []nn.Loss{nn.MeanSquared, nn.Huber, nn.BinaryCrossEntropy} {
		o := ofNumbers(t, regressor(t, 2), loss, table(t, 12, 2), Options{MicroBatch: 5})
		theta := o.Start()
		g, v := gradient(t, o, theta), random(o.Dim(), 4)
		product := product(t, o, theta, v)
		const h = 1e-5
		at := func(step float64) (float64, []float64) {
			moved := make([]float64, len(theta))
			for i := range moved {
				moved[i] = theta[i] + step*v[i]
			}
			return evaluate(t, o, moved, objective.Want[float64]{}).Loss, gradient(t, o, moved)
		}
		up, gUp := at(h)
		down, gDown := at(-h)
		slope, bend := 0.0, make([]float64, len(g))
		for i := range g {
			slope += g[i] * v[i]
			bend[i] = (gUp[i] - gDown[i]) / (2 * h)
		}
		wantClose(t, loss.String()+": slope", []float64{(up - down) / (2 * h)}, []float64{slope}, 1e-8)
		wantClose(t, loss.String()+": curvature", bend, product, 1e-8)
	}
}

func TestGraphCodeOfRegressionsIsTheLossThatIsEvaluated(t *testing.T) {
	binary, err := digits(t, 40).Balanced(40, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	var rows []int
	for i, l := range binary.Labels {
		if l < 2 {
			rows = append(rows, i)
		}
	}
	binary = binary.Select(rows)
	oneLogit, err := (&nn.MLP{Hidden: []int{3}, Activation: "tanh"}).Build([]int{8, 8, 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]*Objective[float64]{
		"mse":                   ofNumbers(t, regressor(t, 3), nn.MeanSquared, table(t, 12, 3), Options{BatchSize: 4}),
		"huber":                 ofNumbers(t, regressor(t, 1), nn.Huber, table(t, 12, 1), Options{}),
		"shares":                ofNumbers(t, regressor(t, 2), nn.BinaryCrossEntropy, table(t, 12, 2), Options{}),
		"two classes":           ofNumbers(t, oneLogit, nn.BinaryCrossEntropy, binary, Options{}),
		"one-hot":               ofNumbers(t, mlp(t), nn.BinaryCrossEntropy, digits(t, 20), Options{}),
		"one-hot, huber, parts": ofNumbers(t, mlp(t), nn.Huber, digits(t, 20), Options{MicroBatch: 7}),
	} {
		code := objective.NewNumeric[float64](&objective.Function{Dim: o.Dim(), Batches: 1, Batch: func(theta graph.Value, _ int) graph.Value {
			loss, err := o.Loss(theta, 0)
			if err != nil {
				t.Fatal(err)
			}
			return loss
		}}, 1)
		want, got := make([]float64, o.Dim()), make([]float64, o.Dim())
		e, err := o.Evaluate(t.Context(), o.Start(), 0, objective.Want[float64]{Gradient: want})
		if err != nil {
			t.Fatal(err)
		}
		c, err := code.Evaluate(t.Context(), o.Start(), 0, objective.Want[float64]{Gradient: got})
		if err != nil {
			t.Fatal(err)
		}
		wantClose(t, name+": loss", []float64{c.Loss}, []float64{e.Loss}, 1e-13)
		wantClose(t, name+": gradient", got, want, 1e-12)
	}
}

func TestShuffledExamplesKeepTheirTargets(t *testing.T) {
	part := table(t, 12, 2)
	whole := ofNumbers(t, regressor(t, 2), nn.MeanSquared, part, Options{})
	shuffled := ofNumbers(t, regressor(t, 2), nn.MeanSquared, part, Options{MicroBatch: 5, Shuffle: true, Seed: 3})
	shuffled.Draw(4)
	theta := whole.Start()
	e, f := evaluate(t, whole, theta, objective.Want[float64]{}), evaluate(t, shuffled, theta, objective.Want[float64]{})
	wantClose(t, "loss and R^2", []float64{f.Loss, f.R2}, []float64{e.Loss, e.R2}, 1e-13)
}

func TestConstantTargetsHaveNoR2(t *testing.T) {
	part, err := dataset.NewRegression([]int{5}, random(15, 1), dataset.Targets{Columns: 1, Values: []float64{0.1, 0.1, 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	o := ofNumbers(t, regressor(t, 1), nn.MeanSquared, part, Options{})
	if e := evaluate(t, o, o.Start(), objective.Want[float64]{}); !math.IsNaN(e.R2) || math.IsNaN(e.Loss) {
		t.Errorf("%+v", e)
	}
}

func TestTargetsThatDoNotFitAreErrors(t *testing.T) {
	part := table(t, 6, 2)
	wide := dataset.Part{Shape: part.Shape, Targets: dataset.Targets{Columns: 1, Values: []float64{3}}}
	for name, c := range map[string]struct {
		outputs int
		part    dataset.Part
		test    dataset.Part
		want    string
	}{
		"other columns":             {1, part, dataset.Part{}, "2 numbers to predict of each example: the model has 1 output"},
		"beyond 1":                  {1, wide, dataset.Part{}, "example 0 has target 3: binary-cross-entropy wants numbers from 0 to 1"},
		"other columns in the test": {2, part, wide, "test examples with 1 number to predict"},
	} {
		if _, err := New[float64](regressor(t, c.outputs), nn.BinaryCrossEntropy, c.part, Options{Test: c.test}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
