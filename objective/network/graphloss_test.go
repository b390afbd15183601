package network

import (
	"strings"
	"testing"

	"shadowflow/dataset"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/objective"
)

func TestGraphCodeIsTheLossThatIsEvaluated(t *testing.T) {
	for name, c := range map[string]struct {
		model *nn.Model
		loss  nn.Loss
		opt   Options
	}{
		"mlp, cross-entropy":                {mlp(t), nn.CrossEntropy, Options{}},
		"mlp, mean squared error":           {mlp(t), nn.MeanSquared, Options{MicroBatch: 7}},
		"mlp, mini-batches":                 {mlp(t), nn.CrossEntropy, Options{BatchSize: 7, Seed: 3}},
		"resnet, batch norm of the whole":   {resnet(t), nn.CrossEntropy, Options{}},
		"resnet, batch norm of micro-batch": {resnet(t), nn.CrossEntropy, Options{MicroBatch: 9}},
		"gpt, mini-batches":                 {gpt(t), nn.CrossEntropy, Options{BatchSize: 7, MicroBatch: 4, Seed: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			part := digits(t, 20)
			if c.model.Tokens() {
				part = windows(t, 20)
			}
			o, err := New[float64](c.model, c.loss, part, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			dim := o.Dim()
			code := objective.NewNumeric[float64](&objective.Function{
				Dim: dim, Batches: o.Batches() + 1, Batch: func(theta graph.Value, i int) graph.Value {
					loss, err := o.Loss(theta, i-1) // 0 stands for Full
					if err != nil {
						t.Error(err)
					}
					return loss
				},
			}, 1)
			for batch := objective.Full; batch < o.Batches(); batch++ {
				g, hg, want, wantHg := make([]float64, dim), make([]float64, dim), make([]float64, dim), make([]float64, dim)
				v := random(dim, 3)
				e, err := o.Evaluate(t.Context(), o.Start(), batch,
					objective.Want[float64]{Gradient: want, Vectors: [][]float64{v}, Products: [][]float64{wantHg}})
				if err != nil {
					t.Fatal(err)
				}
				got, err := code.Evaluate(t.Context(), o.Start(), batch+1,
					objective.Want[float64]{Gradient: g, Vectors: [][]float64{v}, Products: [][]float64{hg}})
				if err != nil {
					t.Fatal(err)
				}
				wantClose(t, "loss", []float64{got.Loss}, []float64{e.Loss}, 1e-13)
				wantClose(t, "gradient", g, want, 1e-12)
				wantClose(t, "product", hg, wantHg, 1e-11)
			}
		})
	}
}

func TestALossWithoutGraphCodeSaysWhy(t *testing.T) {
	large, err := dataset.NewPart([]int{8, 8, 1}, make([]uint8, 64*70_000), make([]int32, 70_000))
	if err != nil {
		t.Fatal(err)
	}
	m, part := mlp(t), digits(t, 20)
	for want, o := range map[string]*Objective[float64]{
		"shuffled or augmented":   mustNew[float64](t, m, part, Options{Shuffle: true}),
		"another loss":            mustNew[float64](t, m, part, Options{Augment: &dataset.Augmentation{}}),
		"at most 4194304 numbers": mustNew[float64](t, m, large, Options{}),
		"there are 2":             mustNew[float64](t, m, part, Options{BatchSize: 10}),
	} {
		theta := graph.NewBuilder().Param("theta", graph.Float64, o.Dim())
		batch := objective.Full
		if want == "there are 2" {
			batch = 2
		}
		if _, err := o.Loss(theta, batch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error that says %q, got %v", want, err)
		}
	}
}
