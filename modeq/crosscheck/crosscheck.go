// Package crosscheck compares independent derivations of what the second-order equation is made of: a Hessian-vector product with central
// differences, the general formula with the series of any order and with the paper's closed form.
package crosscheck

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Check is the comparison of two independent derivations of one quantity.
type Check struct {
	What string `json:"what"`
	// Difference is the largest difference of a coordinate over the largest coordinate; for C and the bias over the largest of the
	// terms that they are sums of, which in the smoothed sign rules all but cancel.
	Difference float64 `json:"difference"`
	// Tolerance is what the less exact of the two can be held to.
	Tolerance float64 `json:"tolerance"`
	// Skipped says why nothing was compared; empty where it was.
	Skipped string `json:"skipped,omitempty"`
}

// Agrees reports whether the two agree within the tolerance, or were not compared.
func (c Check) Agrees() bool { return c.Skipped != "" || c.Difference <= c.Tolerance }

// Run compares, at theta, full batch and memory full, independent derivations of what the second-order equation is made of:
//
//   - H F, the gradient of the rule's norm: by a Hessian-vector product, and by central differences of the norm;
//   - C: by the general formula from one Hessian-vector product, and by the series in t and lr (-f_1), for a loss that is an
//     objective.GraphLoss;
//   - for Adam and RMSProp with eps inside the root, the bias: by the general formula, and by the paper's closed form;
//   - without weight decay, C again: by the coefficient in front of H F;
//   - for a loss whose derivatives are another program's, its gradient and H F: by central differences of its loss and of its gradient, and
//     before these, with the loss, those of two calls, without which no others agree.
//
// Where an element of a step depends on other elements, as in LAMB and Muon, H F is no norm's gradient, and has no coefficient.
func Run(ctx context.Context, o objective.Objective[float64], c rule.Config, theta []float64) ([]Check, error) {
	r, err := c.RuleOf(o.Blocks())
	if err != nil {
		return nil, err
	}
	k := &checker{ctx: ctx, o: o, rule: r, config: c, theta: theta}
	if err := k.evaluate(); err != nil {
		return nil, err
	}
	var out []Check
	for _, check := range []func() (Check, bool, error){k.repeated, k.gradientOfLoss, k.productOfGradient, k.norm, k.series, k.closedForm, k.coefficient} {
		found, applies, err := check()
		if err != nil {
			return nil, err
		}
		if applies {
			out = append(out, found)
		}
	}
	return out, nil
}

// checker holds what the derivations start from.
type checker struct {
	ctx    context.Context
	o      objective.Objective[float64]
	rule   *rule.Rule
	config rule.Config
	theta  []float64
	terms  *modeq.Terms[float64]

	g, f, hf, c []float64
	size        float64   // of the terms of C
	core, hCore []float64 // F without weight decay, and H times it
}

func (k *checker) vector() []float64 { return make([]float64, len(k.theta)) }

func (k *checker) evaluate() error {
	if len(k.theta) != k.o.Dim() {
		return fmt.Errorf("theta has %s: the objective has %s", plural.Count(len(k.theta), "number"), plural.Count(k.o.Dim(), "parameter"))
	}
	k.g, k.f, k.hf, k.c, k.core, k.hCore = k.vector(), k.vector(), k.vector(), k.vector(), k.vector(), k.vector()
	var err error
	if k.terms, err = modeq.NewTerms[float64](k.rule, len(k.theta), 0); err != nil {
		return err
	}
	if err := k.gradient(k.theta, k.g); err != nil {
		return err
	}
	if err := k.terms.Field(modeq.FullMemory, k.g, k.theta, k.f); err != nil {
		return err
	}
	if err := k.terms.Field(modeq.FullMemory, k.g, k.vector(), k.core); err != nil {
		return err
	}
	want := objective.Want[float64]{Vectors: [][]float64{k.f, k.core}, Products: [][]float64{k.hf, k.hCore}}
	if _, err := k.o.Evaluate(k.ctx, k.theta, objective.Full, want); err != nil {
		return err
	}
	if err := k.terms.SecondOrder(modeq.FullMemory, k.g, k.theta, k.f, k.hf, k.c); err != nil {
		return err
	}
	k.size, err = k.termSize()
	return err
}

func (k *checker) gradient(theta, g []float64) error {
	_, err := k.o.Evaluate(k.ctx, theta, objective.Full, objective.Want[float64]{Gradient: g})
	return err
}

// termSize returns the largest of what C is a sum of, before anything cancels: reach times H F over R.
func (k *checker) termSize() (float64, error) {
	if !k.rule.Elementwise {
		return 0, nil // C itself is the scale
	}
	kappa, r := k.vector(), k.vector()
	if err := k.terms.Coefficient(modeq.FullMemory, k.g, k.theta, kappa, r); err != nil {
		return 0, err
	}
	reach, largest := 0.0, 0.0
	for _, m := range k.rule.Memory.Moments {
		reach += math.Abs(m.Age(-1) + m.Sum(-1)/2)
	}
	for j, v := range k.hf {
		largest = max(largest, math.Abs(reach*v/r[j]))
	}
	return largest, nil
}

// difference compares two vectors, relative to their largest coordinate or to what is given, if that is larger.
func difference(a, b []float64, largest float64) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(a[i]-b[i])) // max keeps NaN
		largest = max(largest, math.Abs(a[i]), math.Abs(b[i]))
	}
	if worst == 0 {
		return 0
	}
	return worst / largest
}

// Why there is no norm of an optimizer, and no coefficient of a single element: of those like LAMB or Muon, and of groups of weights.
const (
	coupled = "an element of the step depends on the gradients of others"
	grouped = "groups of weights have formulas of their own"
)

// norm compares H F with central differences of order 4 of the norm, at the step of those tried that suits them best.
func (k *checker) norm() (Check, bool, error) {
	check := Check{What: "gradient of the norm: Hessian-vector product and central differences", Tolerance: 1e-6}
	if !k.rule.Elementwise {
		check.Skipped = coupled
		if k.rule.Parts() != nil {
			check.Skipped = grouped
		}
		return check, true, nil
	}
	norm, err := modeq.NewNorm(k.rule)
	if err != nil {
		return check, true, err
	}
	r := rand.New(rand.NewPCG(1, 0xc8ec4))
	steps := []float64{1e-2, 1e-3, 1e-4, 1e-5}
	var exact []float64
	slopes := make([][]float64, len(steps))
	for i := range k.directions() {
		direction, scale := k.direction(i, r)
		slope := 0.0
		for j, v := range direction {
			slope += v * k.hCore[j]
		}
		exact = append(exact, slope)
		for s, step := range steps {
			slope, err := k.centralDifference(norm, direction, step*scale)
			if err != nil {
				return check, true, err
			}
			slopes[s] = append(slopes[s], slope)
		}
	}
	check.Difference = math.Inf(1)
	for _, approximate := range slopes {
		check.Difference = math.Min(check.Difference, difference(approximate, exact, 0))
	}
	return check, true, nil
}

// The norm of up to maxAxes parameters is compared along each of them, that of more along a few directions drawn at random.
const (
	maxAxes          = 64
	randomDirections = 8
)

func (k *checker) directions() int {
	if len(k.theta) > maxAxes {
		return randomDirections
	}
	return len(k.theta)
}

// direction returns the i-th direction that differences are taken in, and the length in which the step is measured.
func (k *checker) direction(i int, r *rand.Rand) (direction []float64, scale float64) {
	size := func(x float64) float64 { return math.Max(1e-2, math.Abs(x)) }
	direction = k.vector()
	if len(k.theta) <= maxAxes {
		direction[i] = 1
		return direction, size(k.theta[i])
	}
	for j, x := range k.theta {
		direction[j] = size(x) * r.NormFloat64()
	}
	return direction, 1
}

// centralDifference returns the slope of the norm along a direction.
func (k *checker) centralDifference(norm *modeq.Norm, direction []float64, step float64) (float64, error) {
	g := k.vector()
	return k.along(direction, step, func(at []float64) (float64, error) {
		if err := k.gradient(at, g); err != nil {
			return 0, err
		}
		return norm.Value(g)
	})
}

func (k *checker) series() (Check, bool, error) {
	check := Check{What: "C: one Hessian-vector product and the series in t and lr", Tolerance: 1e-10}
	loss, ok := k.o.(objective.GraphLoss)
	if !ok {
		check.Skipped = "the loss has no graph code"
		return check, true, nil
	}
	theta := graph.NewBuilder().Param("theta", graph.Float64, len(k.theta))
	if _, err := loss.Loss(theta, objective.Full); err != nil {
		check.Skipped = err.Error()
		return check, true, nil
	}
	fields, err := modeq.CompileFields(k.rule, loss, len(k.theta), 2, modeq.FieldOptions{})
	if err != nil {
		return check, true, err
	}
	f0, f1 := k.vector(), k.vector()
	if err := fields.At(k.ctx, k.theta, [][]float64{f0, f1}); err != nil {
		return check, true, err
	}
	for i := range f1 {
		f1[i] = -f1[i]
	}
	check.Difference = difference(f1, k.c, k.size)
	return check, true, nil
}

// closedForm is the paper's bias_j = (lr/2) [c1 - c2 + c2 eps/(g_j^2+eps)] d_j ||grad E||_(1,eps), against the general formula's.
func (k *checker) closedForm() (Check, bool, error) {
	check := Check{What: "bias: the general formula and the paper's closed form", Tolerance: 1e-10}
	name := k.config.Definition.Name
	builtin, err := rule.Find(name)
	if err != nil || builtin.String() != k.config.Definition.String() || !k.config.Flag("eps_inside") || name != "adam" && name != "rmsprop" {
		return check, false, nil
	}
	factor := func(beta float64) float64 { return (1 + beta) / (1 - beta) }
	c1, c2, eps := factor(k.config.Number("beta1")), factor(k.config.Number("beta2")), k.config.Number("eps") // RMSProp: beta1 = 0
	general, closed := k.vector(), k.vector()
	cancelling := 0.0 // the largest of the terms of a coordinate, which with long memories leave little of each other
	for j, g := range k.g {
		square := g*g + eps
		closed[j] = k.config.LR / 2 * (c1 - c2 + c2*eps/square) * k.hf[j]
		cancelling = max(cancelling, k.config.LR/2*(c1+c2)*math.Abs(k.hf[j]))
	}
	if err := k.terms.Bias(modeq.FullMemory, k.config.LR, k.g, k.theta, k.hf, general); err != nil {
		return check, true, err
	}
	const rounding = 1e-14 // of what cancels
	check.Difference = difference(general, closed, rounding/check.Tolerance*cancelling)
	return check, true, nil
}

func (k *checker) coefficient() (Check, bool, error) {
	check := Check{What: "C: the general formula and kappa times H F", Tolerance: 1e-10}
	if !k.rule.Elementwise || !slices.Equal(k.f, k.core) { // U reads theta: C has a term beside that in H F
		return check, false, nil
	}
	kappa := k.vector()
	if err := k.terms.Coefficient(modeq.FullMemory, k.g, k.theta, kappa, nil); err != nil {
		return check, true, err
	}
	for j := range kappa {
		kappa[j] *= k.hf[j]
	}
	check.Difference = difference(kappa, k.c, k.size)
	return check, true, nil
}
