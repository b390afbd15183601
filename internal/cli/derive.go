package cli

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/modeq"
	"shadowflow/rule"
	"shadowflow/schema"
)

func newDerive() *cobra.Command {
	var (
		given           *settings
		asLaTeX, asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "derive OPTIMIZER|config.yaml",
		Short: "Derive an optimizer's memoryless field, modified equation and implicit norm from its definition",
		Long: `Derive, from the definition of an optimizer, its memoryless field F, its modified equation of second order (full batch,
memory full), the norm that the equation penalizes or hinders, the limiting cases of eps, and what that means for the given
hyperparameters.

The optimizers are ` + strings.Join(rule.Names(), ", ") + ".",
		Example:   "  shadowflow derive adam --set beta1=0.9,beta2=0.99 --latex",
		ValidArgs: rule.Names(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && !(len(args) == 0 && cmd.Flags().Changed("optimizer")) {
				return fmt.Errorf("derive: want one optimizer, one of %s", strings.Join(rule.Names(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !isYAML(args[0]) {
				given.preset, args = []schema.Setting{schema.Set("optimizer.name", args[0])}, nil
			}
			c, err := given.config(args)
			if err != nil {
				return err
			}
			r, err := c.Optimizer.Rule()
			if err != nil {
				return err
			}
			d, err := modeq.Derive(r)
			if err != nil {
				return err
			}
			limits, err := d.Limits()
			if err != nil {
				return err
			}
			effects, err := modeq.NewEffects(r)
			if err != nil {
				return err
			}
			signs, err := effects.Intervals(modeq.FullMemory)
			if err != nil {
				return err
			}
			page := derivation{r, c.Optimizer, d, limits, signs}
			switch {
			case asJSON:
				return printJSON(cmd.OutOrStdout(), page.json())
			case asLaTeX:
				page.latex(cmd.OutOrStdout())
			default:
				page.text(cmd.OutOrStdout())
			}
			return nil
		},
	}
	given = bindSettings(cmd)
	cmd.Flags().BoolVar(&asLaTeX, "latex", false, "print LaTeX")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// derivation is what the command prints.
type derivation struct {
	rule   *rule.Rule
	config config.Optimizer
	*modeq.Derivation
	limits []modeq.Limit
	signs  []modeq.Interval
}

func (d derivation) text(w io.Writer) {
	fmt.Fprintf(w, "%v\n\nDefinition\n", d.config)
	for _, m := range d.rule.Moments {
		fmt.Fprintf(w, "  %s = %s\n", m.Name, d.moment(m))
	}
	fmt.Fprintf(w, "  theta(n+1) = theta(n) - lr U,  U = %s\n", d.rule.Formula)
	fmt.Fprintf(w, "\nMemoryless field (every remembered gradient the same)\n  F = %s\n", d.Field)
	fmt.Fprintf(w, "\nModified equation of second order (full batch, memory full)\n  dtheta/dt = -F - lr C\n  C_j = kappa_j (H F)_j%s,  H the Hessian of the loss\n  kappa = %s\n",
		d.decayTerm(), d.Kappa)
	fmt.Fprintf(w, "\nImplicit norm\n  %s\n", d.normText())
	if len(d.limits) > 0 {
		fmt.Fprintln(w, "\nLimiting cases")
	}
	for _, l := range d.limits {
		fmt.Fprintf(w, "  %s: F -> %s, kappa -> %s\n    %s\n", l.Case, l.Field, l.Kappa, limitText(l))
	}
	fmt.Fprintln(w, "\nIn numbers")
	for _, s := range d.sentences() {
		fmt.Fprintf(w, "  %s\n", s)
	}
}

// moment says what a moment remembers.
func (d derivation) moment(m rule.Moment) string {
	phi := m.PhiFormula
	if phi == "" {
		phi = "g"
	}
	return fmt.Sprintf("sum over k of w(k) %s of k steps ago, %s; mean age %.6g steps, %s = 1 + 2 (mean age) = %.6g%s",
		phi, weights(m), m.Age(-1)/m.Sum(-1), modeq.AgeSymbol(m.Name), d.Values[modeq.AgeSymbol(m.Name)], d.total(m))
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

func (d derivation) total(m rule.Moment) string {
	if w, ok := d.Values["W_"+m.Name]; ok {
		return fmt.Sprintf(", W_%s = sum of w = %.6g", m.Name, w)
	}
	return ""
}

func (d derivation) decayTerm() string {
	if d.Decay.IsZero() {
		return ""
	}
	return " + (" + d.Decay.String() + "/2) F_j"
}

func (d derivation) normText() string {
	if d.Norm == "" {
		return "sum_j psi(g_j) with psi' = F: H F is its gradient as a function of theta"
	}
	s := fmt.Sprintf("sum_j %s, %s of the gradient: H F is its gradient as a function of theta", d.Norm, d.Name)
	if !d.Decay.IsZero() {
		s += ",\n  and so is the part of H F that weight decay does not add"
	}
	return s
}

func limitText(l modeq.Limit) string {
	norm := l.Norm
	if norm == "" {
		norm = "norm"
	}
	condition := ""
	if strings.HasPrefix(l.Kappa.String(), "(c1 - c2)") {
		condition = " (penalized where c1 > c2, that is beta1 > beta2, hindered where beta2 > beta1)"
	}
	switch {
	case l.Kappa.IsZero():
		return fmt.Sprintf("the %s is neither penalized nor hindered", norm)
	case l.Sign > 0:
		return fmt.Sprintf("the %s is penalized%s", norm, condition)
	case l.Sign < 0:
		return fmt.Sprintf("the decrease of the %s is hindered%s", norm, condition)
	}
	return fmt.Sprintf("with these numbers the terms cancel%s", condition)
}

// sentences say in plain words what the second-order term does to which coordinates.
func (d derivation) sentences() []string {
	effect := map[int]string{
		1:  "penalized: the second-order term drives the norm down",
		-1: "hindered: the second-order term works against the norm's decrease",
		0:  "left alone: the second-order terms cancel to within rounding",
	}
	if len(d.signs) == 1 {
		return []string{"all coordinates are " + effect[d.signs[0].Sign] + "."}
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
		out = append(out, fmt.Sprintf("coordinates with %s are %s.", where, effect[s.Sign]))
	}
	if len(d.signs) == 2 && d.signs[0].Sign*d.signs[1].Sign < 0 {
		out = append(out, fmt.Sprintf("the critical gradient size is g* = %.6g.", d.signs[0].To))
	}
	return out
}

func (d derivation) latex(w io.Writer) {
	decay := ""
	if !d.Decay.IsZero() {
		decay = ` + \tfrac{1}{2}` + d.Decay.LaTeX() + `\,F_j`
	}
	fmt.Fprintln(w, `\begin{align*}`)
	fmt.Fprintf(w, `U &= %s \\`+"\n", d.Update.LaTeX())
	fmt.Fprintf(w, `F &= %s \\`+"\n", d.Field.LaTeX())
	fmt.Fprintf(w, `\dot\theta &= -F - h\,C, \qquad C_j = \kappa_j\,(\nabla^2 E\,F)_j%s \\`+"\n", decay)
	fmt.Fprintf(w, `\kappa &= %s`, d.Kappa.LaTeX())
	if d.Norm != "" {
		fmt.Fprintf(w, ` \\`+"\n"+`\nabla^2 E\,F &= \nabla_\theta \sum_j %s \quad\text{(%s)}`, d.NormTeX, d.Name)
	}
	for _, l := range d.limits {
		relation := map[bool]string{true: `\varepsilon \ll g^2`, false: `\varepsilon \gg g^2`}[strings.Contains(l.Case, "small")]
		fmt.Fprintf(w, ` \\`+"\n"+`%s:\quad F &\to %s, \quad \kappa \to %s \quad\text{(%s)}`, relation, l.Field.LaTeX(), l.Kappa.LaTeX(), strings.Split(limitText(l), " (")[0])
	}
	fmt.Fprintf(w, "\n"+`\end{align*}`+"\n")
	for _, s := range d.sentences() {
		fmt.Fprintf(w, "%% %s\n", s)
	}
}

func (d derivation) json() any {
	type limit struct {
		Case  string `json:"case"`
		Field string `json:"field"`
		Kappa string `json:"kappa"`
		Norm  string `json:"norm"`
		Sign  int    `json:"sign"`
	}
	type interval struct {
		From float64  `json:"from"`
		To   *float64 `json:"to"` // null: no end
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
	return map[string]any{
		"optimizer": d.config.String(), "update": d.rule.Formula, "field": d.Field.String(), "kappa": d.Kappa.String(),
		"norm": d.Norm, "values": d.Values, "limits": limits, "signs": intervals, "sentences": d.sentences(),
	}
}
