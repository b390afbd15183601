package verify

import (
	"fmt"
	"math"

	"shadowflow/engine"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Road is the comparison of two independent ways to one quantity.
type Road struct {
	What string `json:"what"`
	// Difference is the largest difference of a coordinate over the largest coordinate; for C and the bias over the largest of the
	// terms that they are sums of, which in the smoothed sign rules all but cancel.
	Difference float64 `json:"difference"`
	// Tolerance is what the less exact of the two ways can be held to.
	Tolerance float64 `json:"tolerance"`
}

// Agrees reports whether the two ways agree within the tolerance.
func (r Road) Agrees() bool { return r.Difference <= r.Tolerance }

// Roads compares, at theta, full batch and memory full, independent ways to what the second-order equation is made of:
//
//   - H F, the gradient of the rule's norm: by a Hessian-vector product, and by central differences of the norm;
//   - C: by the general formula from one Hessian-vector product, and by the series in t and lr (-f_1);
//   - for Adam and RMSProp with eps inside the root, the bias: by the general formula, and by the paper's closed form;
//   - without weight decay, C again: by the coefficient in front of H F.
func Roads(o objective.Objective, c rule.Config, theta []float64) ([]Road, error) {
	r, err := c.Rule()
	if err != nil {
		return nil, err
	}
	w := &walker{o: o, rule: r, config: c, theta: theta, loss: objective.Compile[float64](o, engine.Options{})}
	if err := w.evaluate(); err != nil {
		return nil, err
	}
	var out []Road
	for _, road := range []func() (Road, bool, error){w.norm, w.series, w.closedForm, w.coefficient} {
		found, applies, err := road()
		if err != nil {
			return nil, err
		}
		if applies {
			out = append(out, found)
		}
	}
	return out, nil
}

// walker holds what the roads start from.
type walker struct {
	o      objective.Objective
	rule   *rule.Rule
	config rule.Config
	theta  []float64
	loss   *objective.Functions[float64]
	terms  *modeq.Terms[float64]

	g, f, hf, c []float64
	size        float64   // of the terms of C
	core, hCore []float64 // F without weight decay, and H times it
}

func (w *walker) vector() []float64 { return make([]float64, len(w.theta)) }

func (w *walker) evaluate() error {
	if len(w.theta) != w.o.Dim() {
		return fmt.Errorf("theta has %d numbers: the objective has %d parameters", len(w.theta), w.o.Dim())
	}
	w.g, w.f, w.hf, w.c, w.core, w.hCore = w.vector(), w.vector(), w.vector(), w.vector(), w.vector(), w.vector()
	var err error
	if w.terms, err = modeq.NewTerms[float64](w.rule, len(w.theta), 0); err != nil {
		return err
	}
	if err := w.loss.Gradient(objective.Full, w.theta, w.g); err != nil {
		return err
	}
	if err := w.terms.Update(modeq.FullMemory, w.g, w.theta, w.f); err != nil {
		return err
	}
	if err := w.terms.Update(modeq.FullMemory, w.g, w.vector(), w.core); err != nil {
		return err
	}
	if err := w.loss.HVP(objective.Full, w.theta, w.f, w.hf); err != nil {
		return err
	}
	if err := w.loss.HVP(objective.Full, w.theta, w.core, w.hCore); err != nil {
		return err
	}
	if err := w.terms.Correct(modeq.FullMemory, w.g, w.theta, w.f, w.hf, w.c); err != nil {
		return err
	}
	w.size, err = w.termSize()
	return err
}

// termSize returns the largest of what C is a sum of, before anything cancels: reach times H F over R.
func (w *walker) termSize() (float64, error) {
	kappa, r := w.vector(), w.vector()
	if err := w.terms.Coefficient(modeq.FullMemory, w.g, w.theta, kappa, r); err != nil {
		return 0, err
	}
	reach, largest := 0.0, 0.0
	for _, m := range w.rule.Moments {
		reach += math.Abs(m.Age(-1) + m.Sum(-1)/2)
	}
	for j, v := range w.hf {
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

// norm compares H F with central differences of order 4 of the norm, at the step of those tried that suits them best.
func (w *walker) norm() (Road, bool, error) {
	road := Road{What: "gradient of the norm: Hessian-vector product and central differences", Difference: math.Inf(1), Tolerance: 1e-6}
	norm, err := modeq.NewNorm(w.rule)
	if err != nil {
		return road, true, err
	}
	for _, step := range []float64{1e-2, 1e-3, 1e-4, 1e-5} {
		q, err := w.centralDifferences(norm, step)
		if err != nil {
			return road, true, err
		}
		road.Difference = math.Min(road.Difference, difference(q, w.hCore, 0))
	}
	return road, true, nil
}

func (w *walker) centralDifferences(norm *modeq.Norm, step float64) ([]float64, error) {
	q, at, g := w.vector(), append([]float64(nil), w.theta...), w.vector()
	for i, x := range w.theta {
		d := step * math.Max(1e-2, math.Abs(x))
		for _, p := range []struct{ shift, weight float64 }{{-2, 1. / 12}, {-1, -2. / 3}, {1, 2. / 3}, {2, -1. / 12}} {
			at[i] = x + p.shift*d
			if err := w.loss.Gradient(objective.Full, at, g); err != nil {
				return nil, err
			}
			value, err := norm.Value(g)
			if err != nil {
				return nil, err
			}
			q[i] += p.weight * value / d
		}
		at[i] = x
	}
	return q, nil
}

func (w *walker) series() (Road, bool, error) {
	road := Road{What: "C: one Hessian-vector product and the series in t and lr", Tolerance: 1e-10}
	p := Problem{Objective: w.o}
	fields, err := modeq.CompileFields(w.rule, p.loss(), len(w.theta), 2, modeq.FieldOptions{})
	if err != nil {
		return road, true, err
	}
	f0, f1 := w.vector(), w.vector()
	if err := fields.At(w.theta, [][]float64{f0, f1}); err != nil {
		return road, true, err
	}
	for i := range f1 {
		f1[i] = -f1[i]
	}
	road.Difference = difference(f1, w.c, w.size)
	return road, true, nil
}

// closedForm is the paper's bias_j = (lr/2) [c1 - c2 + c2 eps/(g_j^2+eps)] d_j ||grad E||_(1,eps), against the general formula's.
func (w *walker) closedForm() (Road, bool, error) {
	road := Road{What: "bias: the general formula and the paper's closed form", Tolerance: 1e-10}
	c1 := 1.0
	switch {
	case !w.config.EpsInside:
		return road, false, nil
	case w.config.Name == "adam":
		c1 = (1 + w.config.Beta1) / (1 - w.config.Beta1)
	case w.config.Name != "rmsprop":
		return road, false, nil
	}
	c2 := (1 + w.config.Beta2) / (1 - w.config.Beta2)
	general, closed := w.vector(), w.vector()
	for j, g := range w.g {
		square := g*g + w.config.Eps
		closed[j] = w.config.LR / 2 * (c1 - c2 + c2*w.config.Eps/square) * w.hf[j]
	}
	if err := w.terms.Bias(modeq.FullMemory, w.config.LR, w.g, w.theta, w.hf, general); err != nil {
		return road, true, err
	}
	road.Difference = difference(general, closed, 0)
	return road, true, nil
}

func (w *walker) coefficient() (Road, bool, error) {
	road := Road{What: "C: the general formula and kappa times H F", Tolerance: 1e-10}
	if w.config.WeightDecay != 0 {
		return road, false, nil
	}
	kappa := w.vector()
	if err := w.terms.Coefficient(modeq.FullMemory, w.g, w.theta, kappa, nil); err != nil {
		return road, true, err
	}
	for j := range kappa {
		kappa[j] *= w.hf[j]
	}
	road.Difference = difference(kappa, w.c, w.size)
	return road, true, nil
}
