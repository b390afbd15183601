package nn

import (
	"math"
	"testing"

	"shadowflow/graph"
)

// evaluate runs a scalar function of logits and labels.
func evaluate(t *testing.T, f func(logits, labels graph.Value) graph.Value, logits []float64, labels []int32) float64 {
	t.Helper()
	b := graph.NewBuilder()
	z := b.Param("z", graph.Float64, len(labels), len(logits)/len(labels))
	y := b.Param("y", graph.Int32, len(labels))
	return run(t, []graph.Value{z, y}, []graph.Value{f(z, y)}, logits, labels)[0][0]
}

func TestMeanSquaredErrorIsAMeanOverExamplesAndClasses(t *testing.T) {
	got := evaluate(t, MeanSquared.Of, []float64{0.5, 1, -1, 0, 3, 0}, []int32{1, 0})
	want := (0.25 + 0 + 1 + 1 + 9 + 0) / 6
	if math.Abs(got-want) > 1e-15 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCrossEntropySurvivesHugeLogits(t *testing.T) {
	got := evaluate(t, CrossEntropy.Of, []float64{1e4, 0, 0, 1e4}, []int32{0, 0})
	if got != 5000 {
		t.Errorf("got %v, want 5000", got)
	}
}

func TestBinaryCrossEntropyIsRightWhereItMightFail(t *testing.T) {
	b := graph.NewBuilder()
	z, y := b.Param("z", graph.Float64, 6, 1), b.Param("y", graph.Float64, 6, 1)
	loss := BinaryCrossEntropy.OfTargets(z, y)
	g := graph.Grad(loss, z)
	h := graph.JVP(g, []graph.Value{z}, []graph.Value{z.Like(1).BroadcastTo(6, 1)})
	at := []float64{0, 800, -800, 800, -800, -50}
	targets := []float64{0.25, 1, 0, 0, 1, 0}
	got := run(t, []graph.Value{z, y}, []graph.Value{loss, g[0], h[0]}, at, targets)
	if want := (math.Ln2 + 800 + 800 + math.Exp(-50)) / 6; math.Abs(got[0][0]-want) > 1e-15*want {
		t.Errorf("loss %v, want %v", got[0][0], want)
	}
	closeTo(t, "gradient", got[1], []float64{0.25 / 6, 0, 0, 1. / 6, -1. / 6, math.Exp(-50) / 6}, 1e-15)
	closeTo(t, "second derivative", got[2], []float64{0.25 / 6, 0, 0, 0, 0, math.Exp(-50) / 6}, 1e-15)
}

func TestHuberIsSmoothWhereItTurns(t *testing.T) {
	b := graph.NewBuilder()
	z, y := b.Param("z", graph.Float64, 5, 1), b.Param("y", graph.Float64, 5, 1)
	loss := Huber.OfTargets(z, y)
	got := run(t, []graph.Value{z, y}, []graph.Value{loss, graph.Grad(loss, z)[0]}, []float64{1, 0.5, 0, -1, 9}, []float64{0, 0, 0, 0, 0})
	closeTo(t, "loss", got[0], []float64{(0.5 + 0.125 + 0 + 0.5 + 8.5) / 5}, 1e-15)
	closeTo(t, "gradient", got[1], []float64{0.2, 0.1, 0, -0.2, 0.2}, 1e-15)
}

func TestOneLogitOfTwoClassesIsRightWhereItIsPositiveForTheSecond(t *testing.T) {
	if got := evaluate(t, Correct, []float64{2, -2, 0, 2, -2}, []int32{1, 0, 0, 0, 1}); got != 3 {
		t.Errorf("%v counted right, want 3", got)
	}
}

func TestOutputsFitTheData(t *testing.T) {
	for _, c := range []struct {
		loss             Loss
		classes, numbers int
		want             int
	}{
		{CrossEntropy, 10, 0, 10}, {MeanSquared, 2, 0, 2}, {BinaryCrossEntropy, 2, 0, 1}, {BinaryCrossEntropy, 3, 0, 3},
		{MeanSquared, 0, 1, 1}, {Huber, 0, 4, 4}, {BinaryCrossEntropy, 0, 2, 2},
		{CrossEntropy, 0, 1, 0}, {MeanSquared, 1, 0, 0}, // refused
	} {
		got, err := c.loss.Outputs(c.classes, c.numbers)
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%v of %d classes or %d numbers: %d outputs, want %d; error %v", c.loss, c.classes, c.numbers, got, c.want, err)
		}
	}
}

// testdata/losses.py computes these in PyTorch.
func TestLossesOfTablesAgreeWithPyTorch(t *testing.T) {
	for name, outputs := range map[string]int{"mse": 3, "huber": 2, "shares": 2, "binary": 1, "one_hot_binary": 4, "one_hot_huber": 4} {
		t.Run(name, func(t *testing.T) {
			m := build(t, &MLP{Hidden: []int{5}, Activation: "tanh"}, []int{6}, outputs)
			want := readGolden(t, "loss_"+name, m)
			n := len(want.floats("x")) / 6
			inputs, answer := m.Inputs(graph.NewBuilder(), graph.Float64, n), any(want.labels)
			if want.labels == nil {
				inputs, answer = m.RegressionInputs(graph.NewBuilder(), graph.Float64, n), want.floats("targets")
			}
			in, r, g, hvp := derived(t, m, inputs, want.loss, want.eps)
			got := run(t, in, []graph.Value{r.Logits, r.Loss, g, hvp, r.Score}, want.state.Theta, want.x, answer)
			closeTo(t, "logits", got[0], want.floats("logits"), 1e-9)
			closeTo(t, "loss", got[1], want.floats("loss"), 1e-9)
			want.compare(t, m, "grad.", got[2], 1e-9)
			want.compare(t, m, "hvp.", got[3], 1e-9)
			if want.labels == nil {
				closeTo(t, "residuals", got[4], want.floats("residuals"), 1e-9)
			}
		})
	}
}

func TestLossNamesParse(t *testing.T) {
	for _, name := range LossNames() {
		if l, err := ParseLoss(name); err != nil || l.String() != name {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	if _, err := ParseLoss("hinge"); err == nil {
		t.Error("an unknown loss parses")
	}
}
