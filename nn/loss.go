package nn

import (
	"fmt"
	"slices"

	"shadowflow/graph"
)

// Loss is a function of logits and labels, a mean over the examples.
type Loss uint8

const (
	// CrossEntropy is the mean of -log softmax(logits)[label]: PyTorch's CrossEntropyLoss.
	CrossEntropy Loss = iota
	// MeanSquared is the mean, over examples and classes, of the squared difference between the logits and the one-hot
	// target: PyTorch's MSELoss. (The paper's code sums over the classes: its loss is this one times their number.)
	MeanSquared
)

var lossNames = [...]string{"cross-entropy", "mse"}

// String returns the name that configs use.
func (l Loss) String() string { return lossNames[l] }

// LossNames returns the names that [ParseLoss] knows.
func LossNames() []string { return slices.Clone(lossNames[:]) }

// ParseLoss returns the loss of that name.
func ParseLoss(name string) (Loss, error) {
	i := slices.Index(lossNames[:], name)
	if i < 0 {
		return 0, &FieldError{"loss", fmt.Sprintf("%q", name), "cross-entropy or mse"}
	}
	return Loss(i), nil
}

// Of records the loss of logits [N, C] and int32 labels [N].
func (l Loss) Of(logits, labels graph.Value) graph.Value {
	if l == CrossEntropy {
		return logits.CrossEntropy(labels)
	}
	picked := logits.Gather(labels)
	if !picked.Valid() {
		return picked
	}
	// Gathering is linear, and its transpose puts a one at the label: the one-hot target.
	ones := logits.Like(1).BroadcastTo(picked.Shape()...)
	target := graph.VJP([]graph.Value{picked}, []graph.Value{ones}, []graph.Value{logits})[0]
	return l.OfTargets(logits, target)
}

// OfTargets records the loss of logits and targets [N, C]: shares of the classes, one-hot for labels.
func (l Loss) OfTargets(logits, target graph.Value) graph.Value {
	if l == CrossEntropy {
		return logits.LogSumExp().Sub(logits.Mul(target).Sum(-1)).Mean()
	}
	return logits.Sub(target).Square().Mean()
}

// Correct records the number of examples whose largest logit is the label's, a scalar of the logits' type. Of equal largest logits
// the first counts, as in PyTorch's argmax on a CPU. No example counts whose logits are not numbers.
func Correct(logits, labels graph.Value) graph.Value {
	shape := logits.Shape()
	if len(shape) != 2 {
		return logits.Gather(labels)
	}
	// The k-th class, where it is one of the largest, scores C-k: the first of these has the largest score.
	score := make([]float64, shape[1])
	for k := range score {
		score[k] = float64(len(score) - k)
	}
	top := logits.Equal(logits.Amax(-1).Reshape(-1, 1)).Mul(logits.Builder().ConstArray(logits.DType(), score, shape[1]))
	mine, best := top.Gather(labels), top.Amax(-1)
	return mine.Equal(best).Mul(mine.Sign()).Sum()
}

// Inputs are the parameters of a program that evaluates a model on a batch of labelled examples.
type Inputs struct {
	Theta   graph.Value // [NumParams()]
	X       graph.Value // [N, Input()...], int32 where these are tokens
	Labels  graph.Value // [N], of tokens [N*tokens], int32
	Running graph.Value // [NumStats()], for evaluation; the zero Value without batch normalization
}

// Inputs adds parameters theta, x, labels and, if the model has them, running averages, for n examples.
func (m *Model) Inputs(b *graph.Builder, dtype graph.DType, n int) Inputs {
	values, labels := dtype, n
	if m.tokens {
		values, labels = graph.Int32, n*numel(m.input)
	}
	in := Inputs{
		Theta:  b.Param("theta", dtype, m.NumParams()),
		X:      b.Param("x", values, append([]int{n}, m.input...)...),
		Labels: b.Param("labels", graph.Int32, labels),
	}
	if m.NumStats() > 0 {
		in.Running = b.Param("running", dtype, m.NumStats())
	}
	return in
}

// Result is what a model computes on a batch.
type Result struct {
	Logits  graph.Value // [N, classes]
	Loss    graph.Value // scalar
	Correct graph.Value // scalar, see [Correct]
	Batch   graph.Value // see [Model.Train]; the zero Value in evaluation, or without batch normalization
}

// TrainLoss records the model's loss in training mode.
func (m *Model) TrainLoss(in Inputs, loss Loss) (Result, error) {
	params, err := m.unflatten(in.Theta)
	if err != nil {
		return Result{}, err
	}
	logits, batch, err := m.Train(params, in.X)
	if err != nil {
		return Result{}, err
	}
	return m.result(logits, batch, in.Labels, loss)
}

// EvalLoss records the model's loss in evaluation mode.
func (m *Model) EvalLoss(in Inputs, loss Loss) (Result, error) {
	params, err := m.unflatten(in.Theta)
	if err != nil {
		return Result{}, err
	}
	logits, err := m.Eval(params, in.Running, in.X)
	if err != nil {
		return Result{}, err
	}
	return m.result(logits, graph.Value{}, in.Labels, loss)
}

func (m *Model) unflatten(theta graph.Value) ([]graph.Value, error) {
	if !slices.Equal(theta.Shape(), []int{m.NumParams()}) {
		return nil, fmt.Errorf("theta has shape %v, want [%d]", theta.Shape(), m.NumParams())
	}
	return m.Unflatten(theta), nil
}

func (m *Model) result(logits, batch, labels graph.Value, loss Loss) (Result, error) {
	r := Result{Logits: logits, Loss: loss.Of(logits, labels), Correct: Correct(logits, labels), Batch: batch}
	return r, logits.Builder().Err()
}
