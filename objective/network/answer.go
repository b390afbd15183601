package network

import (
	"fmt"
	"math"

	"shadowflow/dataset"
	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/nn"
)

// checkAnswers refuses labels or targets that a model or a loss cannot have.
func checkAnswers(model *nn.Model, loss nn.Loss, part dataset.Part) error {
	if k := part.Targets.Columns; k > 0 {
		if k != model.Outputs() {
			return fmt.Errorf("%s to predict of each example: the model has %s", plural.Count(k, "number"), plural.Count(model.Outputs(), "output"))
		}
		for i, y := range part.Targets.Values {
			if loss == nn.BinaryCrossEntropy && !(y >= 0 && y <= 1) {
				return fmt.Errorf("example %d has target %v: %v wants numbers from 0 to 1, not standardized", i/k, y, loss)
			}
		}
		return nil
	}
	classes := model.Outputs()
	if classes == 1 {
		classes = 2 // with one logit
	}
	for i, l := range part.Labels {
		if int(l) >= classes {
			return fmt.Errorf("example %d has label %d: the model has %s, counted from 0", i/part.LabelsEach(), l, plural.Count(classes, "class"))
		}
	}
	return nil
}

// answer is what examples should give: labels of classes, or numbers.
type answer[T graph.Float] struct {
	targets       []T // all of the part's
	labels        []int32
	shuffledTo    []T // those of one micro-batch, where examples are shuffled
	shuffledClass []int32
}

func newAnswer[T graph.Float](part dataset.Part) answer[T] {
	a := answer[T]{labels: part.Labels}
	for _, y := range part.Targets.Values {
		a.targets = append(a.targets, T(y))
	}
	return a
}

// regression reports whether numbers are predicted.
func (e *examples[T]) regression() bool { return e.part.Targets.Columns > 0 }

// answers returns the labels or targets of the examples from..to, which the next call may overwrite.
func (e *examples[T]) answers(from, to int) engine.Buffer {
	k := e.part.Targets.Columns
	switch {
	case e.rows == nil && k == 0:
		each := e.part.LabelsEach()
		return engine.Of(e.labels[from*each : to*each])
	case e.rows == nil:
		return engine.Of(e.targets[from*k : to*k])
	}
	e.shuffledTo, e.shuffledClass = e.shuffledTo[:0], e.shuffledClass[:0]
	for _, r := range e.rows[from:to] {
		if k == 0 {
			each := e.part.LabelsEach()
			e.shuffledClass = append(e.shuffledClass, e.labels[r*each:(r+1)*each]...)
		} else {
			e.shuffledTo = append(e.shuffledTo, e.targets[r*k:(r+1)*k]...)
		}
	}
	if k == 0 {
		return engine.Of(e.shuffledClass)
	}
	return engine.Of(e.shuffledTo)
}

// numbers returns what each output of the examples from..to should be: targets, or one-hot labels; of two classes with one output, the label.
func (e *examples[T]) numbers(from, to, outputs int) []float64 {
	if e.regression() {
		return e.part.Targets.Values[from*outputs : to*outputs]
	}
	out := make([]float64, (to-from)*outputs)
	for i, l := range e.labels[from:to] {
		if outputs == 1 {
			out[i] = float64(l)
		} else {
			out[i*outputs+int(l)] = 1
		}
	}
	return out
}

// addScore adds a micro-batch's score to those before it.
func (o *Objective[T]) addScore(score []T) {
	for len(o.score) < len(score) {
		o.score = append(o.score, 0)
	}
	for i, v := range score {
		o.score[i] += float64(v)
	}
}

// judge makes of the score (nn.Result) of the examples from..to the number classified rightly, or R^2; the other is NaN.
func (e *examples[T]) judge(from, to int, score []float64) (correct, r2 float64) {
	if !e.regression() {
		return score[0] / float64(e.part.LabelsEach()), math.NaN()
	}
	for c, residual := range score {
		mean, deviation, varies := 0.0, 0.0, false
		for i := from; i < to; i++ {
			y := e.target(i, c)
			mean += y / float64(to-from)
			varies = varies || y != e.target(from, c)
		}
		for i := from; i < to; i++ {
			d := e.target(i, c) - mean
			deviation += d * d
		}
		if !varies { // but rounding might leave a deviation
			return math.NaN(), math.NaN()
		}
		r2 += (1 - residual/deviation) / float64(len(score))
	}
	return math.NaN(), r2
}

// target returns a number to predict of the i-th example in the order of evaluation.
func (e *examples[T]) target(i, column int) float64 {
	return e.part.Targets.Values[e.row(i)*e.part.Targets.Columns+column]
}
