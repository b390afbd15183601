package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/stats"
	"shadowflow/report"
)

func causes() *Reproduction {
	return &Reproduction{
		Name:  "causes",
		Title: "Is a lower norm the cause of better generalization?",
		Claim: "Lowering the perturbed one-norm of the gradient, and nothing else, raises the test accuracy.",
		Design: "Interventions on Adam from the same seeds: the bias cancelled (bias.scale = -1), left alone (0), doubled (1), tripled (2), and explicit penalties on the perturbed one-norm and on the squared two-norm. " +
			"All stop at the same training loss; runs that do not reach it are left out. The betas are near each other, lr is small and eps is 1e-4, so that the modified equation holds (see the regime map) and its bias can be cancelled; networks are smooth at the laptop's scale for the same reason. For each intervention, paired t-tests over seeds say what it did to the norm's logarithm and to the test accuracy; for each model and data set, the slope of the accuracy's change " +
			"on the norm's change, over interventions within a seed, is tested over seeds: negative says that interventions which lower the norm raise the accuracy.",
		sweeps: func(s Scale) []string {
			var out []string
			for _, p := range causeProblems(s) {
				out = append(out, fmt.Sprintf(`name: causes-%s
base:
  steps: %s
  stop: {loss: %s}
  optimizer: {lr: %s, beta2: 0.95, eps: 1e-4}
  record: {bias: 0, sharpness: 0, test: 5}
%slist:
  - {bias: {scale: 0}}
  - {bias: {scale: -1}}
  - {bias: {scale: 1}}
  - {bias: {scale: 2}}
  - {regularizer: {kind: perturbed-one-norm, weight: %s}}
  - {regularizer: {kind: perturbed-one-norm, weight: %s}}
  - {regularizer: {kind: two-norm-squared, weight: %s}}
seeds: %s
`, p.name, pick(s, "4000", "10000", "20000"), p.loss, p.lr, p.lines, p.weights[0], p.weights[1], p.weights[2], pick(s, "6", "5", "3")))
			}
			return out
		},
		judge: func(_ context.Context, e *evidence) (*finding, error) { return judgeCauses(e) },
	}
}

type causeProblem struct {
	name, lr, loss, lines string
	weights               [3]string // two of the one-norm, one of the squared two-norm
}

func causeProblems(s Scale) []causeProblem {
	weights := [3]string{"1e-2", "2e-2", "3e-1"}
	if s != Laptop {
		subset := pick(s, "", ", subset: 5000", "")
		data := func(name, file string) string {
			return fmt.Sprintf("  data: {name: %s, path: data/%s-binary.tar.gz%s}\n  batch: {mode: full, physical: 500}\n", name, file, subset)
		}
		model := pick(s, "", "  model: {name: resnet18, width: 16}\n", "  model: {name: resnet50}\n")
		return []causeProblem{
			{"cnn-cifar10", "1e-4", "0.02", data("cifar10", "cifar-10") + "  model: {name: cnn}\n", weights},
			{"resnet-cifar10", "1e-4", "0.02", data("cifar10", "cifar-10") + model, weights},
			{"resnet-cifar100", "1e-4", "0.02", data("cifar100", "cifar-100") + model, weights},
		}
	}
	out := []causeProblem{
		{"mlp-digits", "3e-4", "0.02", "  data: {subset: 300}\n", weights},
		{"wide-digits", "2e-4", "0.02", "  data: {subset: 100}\n  model: {hidden: [128], activation: gelu}\n", weights},
	}
	if haveFashion() {
		out = append(out, causeProblem{"mlp-fashion", "1e-4", "0.2", "  data: " + fashionData(300) + "\n  model: {hidden: [16]}\n", weights})
	}
	return out
}

// interventionOf names what was done to Adam.
func interventionOf(t *trial) string {
	if kind := t.Run.Value("regularizer.kind"); kind != "none" {
		name := map[string]string{"perturbed-one-norm": "one-norm", "two-norm-squared": "two-norm²"}[kind]
		return name + ", w = " + short(t.number("regularizer.weight"))
	}
	return "bias scale " + t.Run.Value("bias.scale")
}

func judgeCauses(e *evidence) (*finding, error) {
	f := &finding{}
	chart := &report.Chart{
		Height: 2.7,
		Labels: report.Label{
			Name: "causes", Title: "What interventions do to the norm and to the test accuracy",
			Caption: "Each mark is an intervention: across, its change of the logarithm of the excess norm at the same training loss; up, its change of the test accuracy, both against Adam as it is from the same seed. Means over seeds, bars are 95% confidence intervals. " +
				"If a lower norm raised the accuracy, marks would fall from the upper left to the lower right.",
		},
	}
	table := report.Table{
		Caption: "Change against Adam as it is, means over seeds with 95% confidence intervals (paired t)",
		Header:  []string{"model and data", "intervention", "log norm", "test accuracy", "p of the accuracy", "effect size d", "pairs"},
	}
	var outcomes []Outcome
	for _, ts := range e.sweeps {
		name := problemOf(ts[0])
		missed := 0
		for _, t := range ts {
			missed += count(math.IsNaN(lastOf(t, "excess")))
		}
		if missed > 0 {
			f.say("%s: %d of %d runs did not reach the loss.", name, missed, len(ts))
		}
		norms, accuracies := changes(ts)
		var names []string
		for _, t := range ts {
			if n := interventionOf(t); !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
		axes := report.Axes{X: name + ": change of log norm", Y: "change of test accuracy", Zero: true}
		for i, intervention := range names {
			n, a := stats.PairedT(norms[i]), stats.PairedT(accuracies[i])
			if i == 0 {
				continue
			}
			table.Rows = append(table.Rows, []string{name, intervention, intervalText(n), intervalText(a), stats.Probability(a.P), fmt.Sprintf("%.2f", a.Effect), fmt.Sprint(a.Pairs)})
			if a.Pairs == 0 {
				continue // none of its runs reached the loss
			}
			axes.Series = append(axes.Series, report.Series{
				Name: intervention, X: []float64{n.Mean}, Y: []float64{a.Mean}, Low: []float64{a.Mean - a.Half}, High: []float64{a.Mean + a.Half},
				Bars: true, Marks: true, Color: i - 1, Mark: i - 1,
			})
		}
		if len(axes.Series) > 0 {
			chart.Axes = append(chart.Axes, axes)
		}
		slopes := slopesWithin(norms, accuracies)
		d := stats.PairedT(slopes)
		outcome := Undecided
		switch {
		case d.P < level && d.Mean < 0:
			outcome = Holds
		case d.P < level:
			outcome = Fails
		}
		outcomes = append(outcomes, outcome)
		if d.Pairs == 0 {
			f.say("%s: too few runs reached the loss to say anything.", name)
			continue
		}
		f.say("%s: test accuracy changes by %s for each unit of the norm's logarithm: the claim %s there.", name, d, said(outcome))
	}
	f.outcome = all(outcomes...)
	if slices.Contains(outcomes, Holds) && slices.Contains(outcomes, Fails) {
		f.outcome = Undecided
		f.say("Models and data sets contradict one another, so the claim as it stands is undecided.")
	}
	if len(chart.Axes) > 0 {
		f.figures = []report.Drawing{chart}
	}
	f.tables = []report.Table{table}
	return f, nil
}

// changes returns, for each intervention, the changes of log norm and accuracy against the first of the same seed.
func changes(ts trials) (norms, accuracies [][]float64) {
	seeds := ts.values("seed")
	for _, t := range ts {
		norm := t.logNormAt(t.number("stop.loss"))
		accuracy := lastOf(t, "test_accuracy")
		if t.Run.Value("seed") == seeds[0] {
			norms, accuracies = append(norms, nil), append(accuracies, nil)
		}
		last := len(norms) - 1
		norms[last], accuracies[last] = append(norms[last], norm), append(accuracies[last], accuracy)
	}
	for i := len(norms) - 1; i >= 0; i-- {
		for k := range norms[i] {
			norms[i][k] -= norms[0][k]
			accuracies[i][k] -= accuracies[0][k]
		}
	}
	return norms, accuracies
}

// lastOf returns the last measurement of a run that reached its loss, NaN of others.
func lastOf(t *trial, column string) float64 {
	if !t.good() || t.Result.Status != "loss-reached" {
		return math.NaN()
	}
	return sweep.Last(t.column(column))
}

// slopesWithin returns for each seed the slope of the accuracies' changes on the norms' changes over interventions, NaN where it
// cannot be told.
func slopesWithin(norms, accuracies [][]float64) []float64 {
	var out []float64
	for seed := range norms[0] {
		var x, y []float64
		for i := range norms {
			if v, w := norms[i][seed], accuracies[i][seed]; !math.IsNaN(v) && !math.IsNaN(w) && !math.IsInf(v, 0) {
				x, y = append(x, v), append(y, w)
			}
		}
		slope := math.NaN()
		if len(x) > 2 {
			_, slope = stat.LinearRegression(x, y, nil, false)
		}
		out = append(out, slope)
	}
	return out
}
