package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/modeq"
	"shadowflow/rule"
	"shadowflow/rule/formula"
)

// A Derivation says what an optimizer's definition implies to second order, full batch and memory full: its memoryless field, its
// modified equation, the norm that the equation penalizes or hinders, the limiting cases of eps, and which gradients the given
// numbers penalize.
type Derivation struct {
	optimizer config.Optimizer
	rule      *rule.Rule
	*modeq.Derivation
	limits []modeq.Limit
	signs  []modeq.Interval // of gradient sizes, without gaps
}

// Derive derives it from the definition of an optimizer that has formulas. What is done to the gradient before these see it changes what g and H F stand for,
// and not the formulas; SAM, whose gradient is that of no loss, is refused.
func Derive(o config.Optimizer) (*Derivation, error) {
	bare := o
	bare.ClipValue, bare.ClipNorm, bare.L2 = 0, 0, 0
	if err := bare.Bare(); err != nil {
		return nil, err
	}
	r, err := bare.Rule()
	if err != nil {
		return nil, err
	}
	d := &Derivation{optimizer: o, rule: r}
	if d.Derivation, err = modeq.Derive(r); err != nil {
		return nil, err
	}
	d.limits = d.Derivation.Limits()
	effects, err := modeq.NewEffects(r)
	if err != nil {
		return nil, err
	}
	d.signs, err = effects.Intervals(modeq.FullMemory)
	return d, err
}

// Text returns the derivation for a terminal.
func (d *Derivation) Text() string {
	var w strings.Builder
	fmt.Fprintf(&w, "%v\n", d.optimizer)
	if text := d.optimizer.Conventions(); text != "" {
		fmt.Fprintf(&w, "%s\n", text)
	}
	fmt.Fprintf(&w, "\nDefinition\n")
	for _, m := range d.Moments {
		fmt.Fprintf(&w, "  %s = %s\n", m.Name, d.moment(m))
	}
	fmt.Fprintf(&w, "  theta(n+1) = theta(n) - lr U,  U = %s\n", d.rule.Memory.Formula)
	fmt.Fprintf(&w, "\nMemoryless field (every remembered gradient the same)\n  F = %s\n", d.Field)
	fmt.Fprintf(&w, "\nModified equation of second order (full batch, memory full)\n  dtheta/dt = -F - lr C\n"+
		"  C_j = kappa_j (H F)_j%s,  H the Hessian of the loss\n  kappa = %s\n", d.decayTerm(), d.Kappa)
	for _, line := range gradientLines(d.optimizer.Conditioning()) {
		fmt.Fprintf(&w, "  %s\n", line)
	}
	fmt.Fprintf(&w, "\nImplicit norm\n  %s\n", d.norm())
	if len(d.limits) > 0 {
		fmt.Fprintln(&w, "\nLimiting cases")
	}
	for _, l := range d.limits {
		effect, where := effectOf(l)
		fmt.Fprintf(&w, "  %s: F -> %s, kappa -> %s\n    %s%s\n", l.Case, l.Field, l.Kappa, effect, where)
	}
	fmt.Fprintln(&w, "\nIn numbers")
	for _, s := range d.Sentences() {
		fmt.Fprintf(&w, "  %s\n", s)
	}
	fmt.Fprintf(&w, "  (%s)\n", d.reach())
	return w.String()
}

// reach says of which steps that is more than a prediction.
func (d *Derivation) reach() string {
	if !d.rule.Memory.Remembers() {
		return fmt.Sprintf("%s remembers nothing: no step of it has a realized bias, and all of them have this equation by construction, up to higher orders of lr", d.rule.Name)
	}
	return "what the second-order equation predicts. It is a run's bias at the steps that bear it out, by a tenth closer than no correction and not against the\n" +
		"  realized bias: shadowflow run says at which, and what is realized"
}

// moment says what a moment remembers.
func (d *Derivation) moment(m modeq.DerivedMoment) string {
	s := fmt.Sprintf("sum over k of w(k) %s of k steps ago, %s; mean age %.6g steps, %s = 1 + 2 (mean age) = %.6g",
		m.Formula, weights(m.Moment), m.Moment.Age(modeq.FullMemory)/m.Moment.Sum(modeq.FullMemory), m.Age, d.Values[m.Age])
	if m.Sum != "" {
		s += fmt.Sprintf(", %s = sum of w = %.6g", m.Sum, d.Values[m.Sum])
	}
	return s
}

func weights(m rule.Moment) string {
	k := m.Kernel
	s := fmt.Sprintf("w(0) = %.6g, w(k) = %.6g * %g^(k-1)", k.First, k.Next, k.Beta)
	switch {
	case k.Next == 0:
		s = fmt.Sprintf("w(0) = %.6g alone", k.First)
	case k.Next == k.First*k.Beta:
		s = fmt.Sprintf("w(k) = %.6g * %g^k", k.First, k.Beta)
	}
	if m.Corrected {
		s += " over their sum (bias correction)"
	}
	return s
}

func (d *Derivation) decayTerm() string {
	if d.Decay.IsZero() {
		return ""
	}
	return " + (" + d.Decay.Factor() + "/2) F_j"
}

func (d *Derivation) norm() string {
	if d.Norm == "" {
		return "sum_j psi(g_j) with psi' = F: H F is its gradient as a function of theta"
	}
	s := fmt.Sprintf("sum_j %s, %s of the gradient: H F is its gradient as a function of theta", d.Norm, d.Name)
	if !d.Decay.IsZero() {
		s += ",\n  and so is the part of H F that weight decay does not add"
	}
	return s
}

// effectOf says what the second-order term does to the norm in a limiting case and, if that depends on the betas alone, where.
func effectOf(l modeq.Limit) (effect, where string) {
	norm := l.Norm
	if norm == "" {
		norm = "norm"
	}
	if turnsWithBetas(l.Kappa) {
		where = " (penalized where c1 > c2, that is beta1 > beta2, hindered where beta2 > beta1)"
	}
	switch {
	case l.Kappa.IsZero():
		return fmt.Sprintf("the %s would be neither penalized nor hindered", norm), ""
	case l.Sign > 0:
		return fmt.Sprintf("the %s would be penalized", norm), where
	case l.Sign < 0:
		return fmt.Sprintf("the decrease of the %s would be hindered", norm), where
	}
	return "with these numbers the terms cancel", where
}

// turnsWithBetas reports whether a coefficient changes its sign where c1 = c2.
func turnsWithBetas(kappa formula.Expr) bool {
	return kappa.Substitute(map[string]formula.Expr{"c1": formula.Symbol("c2")}).IsZero()
}

// Sentences say in plain words which coordinates the second-order term penalizes and which it hinders.
func (d *Derivation) Sentences() []string {
	effect := map[int]string{
		1:  "would be penalized: the second-order term acts to drive the norm down",
		-1: "would be hindered: the second-order term acts against the norm's decrease",
		0:  "would be left alone: the second-order terms cancel to within rounding",
	}
	if len(d.signs) == 1 {
		return []string{"all coordinates " + effect[d.signs[0].Sign] + "."}
	}
	var out []string
	for i, s := range d.signs {
		where := fmt.Sprintf("%.2g < |g| < %.2g", s.From, s.To)
		switch {
		case i == 0:
			where = fmt.Sprintf("|g| < %.2g", s.To)
		case math.IsInf(s.To, 1):
			where = fmt.Sprintf("|g| > %.2g", s.From)
		}
		out = append(out, fmt.Sprintf("coordinates with %s %s.", where, effect[s.Sign]))
	}
	if len(d.signs) == 2 && d.signs[0].Sign*d.signs[1].Sign < 0 {
		out = append(out, fmt.Sprintf("the critical gradient size is g* = %.6g.", d.signs[0].To))
	}
	return out
}

// LaTeX returns the formulas as an environment align*, and the sentences as comments.
func (d *Derivation) LaTeX() string {
	var w strings.Builder
	decay := ""
	if !d.Decay.IsZero() {
		decay = ` + \tfrac{1}{2}` + d.Decay.FactorLaTeX() + `\,F_j`
	}
	lines := []string{
		`U &= ` + d.rule.Memory.Formula.LaTeX(),
		`F &= ` + d.Field.LaTeX(),
		`\dot\theta &= -F - h\,C, \qquad C_j = \kappa_j\,(\nabla^2 E\,F)_j` + decay,
		`\kappa &= ` + d.Kappa.LaTeX(),
	}
	if d.Norm != "" {
		lines = append(lines, fmt.Sprintf(`\nabla^2 E\,F &= \nabla_\theta \sum_j %s \quad\text{(%s)}`, d.NormTeX, d.Name))
	}
	for _, l := range d.limits {
		relation := `\varepsilon \gg g^2`
		if l.Case == modeq.EpsSmall {
			relation = `\varepsilon \ll g^2`
		}
		effect, _ := effectOf(l)
		lines = append(lines,
			fmt.Sprintf(`%s:\quad F &\to %s, \quad \kappa \to %s \quad\text{(%s)}`, relation, l.Field.LaTeX(), l.Kappa.LaTeX(), effect))
	}
	fmt.Fprintf(&w, "\\begin{align*}\n%s\n\\end{align*}\n", strings.Join(lines, " \\\\\n"))
	for _, s := range gradientLines(d.optimizer.Conditioning()) {
		fmt.Fprintf(&w, "%% %s\n", s)
	}
	for _, s := range d.Sentences() {
		fmt.Fprintf(&w, "%% %s\n", s)
	}
	return w.String()
}

// MarshalJSON returns the formulas as texts; an interval of signs without an end has null in the place of one.
func (d *Derivation) MarshalJSON() ([]byte, error) {
	type limit struct {
		Case  string `json:"case"`
		Field string `json:"field"`
		Kappa string `json:"kappa"`
		Norm  string `json:"norm"`
		Sign  int    `json:"sign"`
	}
	type interval struct {
		From float64  `json:"from"`
		To   *float64 `json:"to"`
		Sign int      `json:"sign"`
	}
	limits, intervals := []limit{}, []interval{}
	for _, l := range d.limits {
		limits = append(limits, limit{l.Case, l.Field.String(), l.Kappa.String(), l.Norm, l.Sign})
	}
	for _, s := range d.signs {
		i := interval{s.From, &s.To, s.Sign}
		if math.IsInf(s.To, 1) {
			i.To = nil
		}
		intervals = append(intervals, i)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // the encoder that asks escapes if it should
	err := e.Encode(map[string]any{
		"optimizer": d.optimizer.String(), "update": d.rule.Memory.Formula.String(), "field": d.Field.String(), "kappa": d.Kappa.String(),
		"norm": d.Norm, "values": d.Values, "limits": limits, "signs": intervals, "sentences": d.Sentences(), "conventions": d.optimizer.Conventions(), "gradient": gradientText(d.optimizer.Conditioning()),
	})
	return out.Bytes(), err
}
