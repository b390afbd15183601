package nn

import (
	"fmt"
	"slices"
	"strings"

	"shadowflow/graph"
)

// Loss is a function of a model's outputs and of what they should be, classes or numbers; a mean over the examples.
type Loss uint8

const (
	// CrossEntropy is the mean of -log softmax(logits)[label]: PyTorch's CrossEntropyLoss.
	CrossEntropy Loss = iota
	// MeanSquared is the mean, over examples and outputs, of the squared difference between the outputs and the numbers that they
	// should be, for classes the one-hot target: PyTorch's MSELoss. (The paper's code sums over the classes: its loss is this one times their number.)
	MeanSquared
	// Huber is the mean over examples and outputs of d^2/2 where |d| < 1 and |d| - 1/2 elsewhere, d being that difference: PyTorch's
	// HuberLoss with its delta of 1, which is its SmoothL1Loss, too (Huber, Annals of Mathematical Statistics 35, 1964). Its second
	// derivative jumps where |d| = 1, so equations of order 3 and above lose an order where residuals pass there.
	Huber
	// BinaryCrossEntropy is the mean over examples and outputs z of log(1 + e^z) - y z, y from 0 to 1: PyTorch's BCEWithLogitsLoss. Two
	// classes have one output, and y is the label; more have one each, and y is one-hot.
	BinaryCrossEntropy
)

var lossNames = [...]string{"cross-entropy", "mse", "huber", "binary-cross-entropy"}

// String returns the name that configs use.
func (l Loss) String() string { return lossNames[l] }

// LossNames returns the names that [ParseLoss] knows.
func LossNames() []string { return slices.Clone(lossNames[:]) }

// ParseLoss returns the loss of that name.
func ParseLoss(name string) (Loss, error) {
	i := slices.Index(lossNames[:], name)
	if i < 0 {
		return 0, &FieldError{"loss", fmt.Sprintf("%q", name), "one of " + strings.Join(lossNames[:], ", ")}
	}
	return Loss(i), nil
}

// Outputs returns the number of outputs that a model needs: for classes, or where there are none for that many numbers to predict.
func (l Loss) Outputs(classes, numbers int) (int, error) {
	switch {
	case classes == 0 && l == CrossEntropy:
		return 0, &FieldError{"loss", l, "mse, huber or binary-cross-entropy: the data has numbers to predict, not classes " +
			"(data.task: classification makes whole numbers classes)"}
	case classes == 0:
		return numbers, nil
	case classes < 2:
		return 0, &FieldError{"the number of classes", classes, "at least 2"}
	case classes == 2 && l == BinaryCrossEntropy:
		return 1, nil
	}
	return classes, nil
}

// Of records the loss of logits [N, C] and int32 labels [N].
func (l Loss) Of(logits, labels graph.Value) graph.Value {
	if l == CrossEntropy {
		return logits.CrossEntropy(labels)
	}
	ofClasses := perClass(logits)
	picked := ofClasses.Gather(labels)
	if !picked.Valid() {
		return picked
	}
	// Gathering is linear, and its transpose puts a one at the label: the one-hot target.
	ones := logits.Like(1).BroadcastTo(picked.Shape()...)
	target := graph.VJP([]graph.Value{picked}, []graph.Value{ones}, []graph.Value{ofClasses})[0]
	if ofClasses != logits {
		target = target.SliceAxis(1, 1, 2)
	}
	return l.OfTargets(logits, target)
}

// OfTargets records the loss of outputs and targets [N, C]: the numbers to predict, or shares of the classes, one-hot for labels.
func (l Loss) OfTargets(logits, target graph.Value) graph.Value {
	switch l {
	case CrossEntropy:
		return logits.LogSumExp().Sub(logits.Mul(target).Sum(-1)).Mean()
	case Huber:
		d := logits.Sub(target)
		size := d.Abs()
		return graph.Select(size.Like(1).Greater(size), d.Square().Mul(d.Like(0.5)), size.Sub(size.Like(0.5))).Mean()
	case BinaryCrossEntropy:
		return Softplus(logits).Sub(logits.Mul(target)).Mean()
	}
	return logits.Sub(target).Square().Mean()
}

// Correct records the number of examples whose largest logit is the label's, a scalar of the logits' type. Of equal largest logits
// the first counts, as in PyTorch's argmax on a CPU. No example counts whose logits are not numbers.
func Correct(logits, labels graph.Value) graph.Value {
	logits = perClass(logits)
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
	Labels  graph.Value // [N], of tokens [N*tokens], int32; the zero Value where numbers are predicted
	Targets graph.Value // [N, Outputs()], the numbers to predict; the zero Value where labels are
	Running graph.Value // [NumStats()], for evaluation; the zero Value without batch normalization
}

// Inputs adds parameters theta, x, labels and, if the model has them, running averages, for n examples.
func (m *Model) Inputs(b *graph.Builder, dtype graph.DType, n int) Inputs {
	in := m.inputs(b, dtype, n)
	labels := n
	if m.tokens {
		labels *= numel(m.input)
	}
	in.Labels = b.Param("labels", graph.Int32, labels)
	return in
}

// RegressionInputs adds parameters as Inputs does, with targets in the place of labels.
func (m *Model) RegressionInputs(b *graph.Builder, dtype graph.DType, n int) Inputs {
	in := m.inputs(b, dtype, n)
	in.Targets = b.Param("targets", dtype, n, m.outputs)
	return in
}

// Answer returns what the outputs are compared with: the labels, or the targets.
func (in Inputs) Answer() graph.Value {
	if in.Labels.Valid() {
		return in.Labels
	}
	return in.Targets
}

func (m *Model) inputs(b *graph.Builder, dtype graph.DType, n int) Inputs {
	values := dtype
	if m.tokens {
		values = graph.Int32
	}
	in := Inputs{
		Theta: b.Param("theta", dtype, m.NumParams()),
		X:     b.Param("x", values, append([]int{n}, m.input...)...),
	}
	if m.NumStats() > 0 {
		in.Running = b.Param("running", dtype, m.NumStats())
	}
	return in
}

// Result is what a model computes on a batch.
type Result struct {
	Logits graph.Value // [N, Outputs()]
	Loss   graph.Value // scalar
	Score  graph.Value // a scalar of labels, see [Correct]; [Outputs()] of targets, see [Loss.Residuals]
	Batch  graph.Value // see [Model.Train]; the zero Value in evaluation, or without batch normalization
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
	return in.result(logits, batch, loss)
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
	return in.result(logits, graph.Value{}, loss)
}

func (m *Model) unflatten(theta graph.Value) ([]graph.Value, error) {
	if !slices.Equal(theta.Shape(), []int{m.NumParams()}) {
		return nil, fmt.Errorf("theta has shape %v, want [%d]", theta.Shape(), m.NumParams())
	}
	return m.Unflatten(theta), nil
}

func (in Inputs) result(logits, batch graph.Value, loss Loss) (Result, error) {
	r := Result{Logits: logits, Batch: batch}
	if in.Labels.Valid() {
		r.Loss, r.Score = loss.Of(logits, in.Labels), Correct(logits, in.Labels)
	} else {
		r.Loss, r.Score = loss.OfTargets(logits, in.Targets), loss.Residuals(logits, in.Targets)
	}
	return r, logits.Builder().Err()
}
