package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"shadowflow/dataset"
	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
	"shadowflow/report"
)

func causes() *Reproduction {
	return &Reproduction{
		Name:  "causes",
		Title: "Is a lower norm the cause of better generalization?",
		Claim: "Lowering the perturbed one-norm of the gradient raises the test accuracy.",
		Design: "Interventions on Adam from the same seeds: the bias that the second-order equation predicts cancelled (bias.scale = -1), left alone (0), doubled (1), tripled (2); the realized bias, what the step itself has beyond the update without memory, subtracted (theta + lr (U - F), bias.of realized) and doubled; and explicit penalties on the perturbed one-norm and on the squared two-norm, which change more than the norm. " +
			"All stop at the same training loss; runs that do not reach it are left out. The betas are near each other, lr is small, eps is 1e-4, and networks are smooth at the laptop's scale, so that the second-order equation may hold; cancelling what it predicts cancels the bias only as far as it does, which subtracting the realized bias shows. For each intervention, paired t-tests over seeds say what it did to the norm's logarithm and to the test accuracy; for each model and data set, the slope of the accuracy's change " +
			"on the norm's change, over interventions within a seed, is tested over seeds: negative says that interventions which lower the norm raise the accuracy.",
		sweeps: func(s Scale) []sweep.Spec {
			var out []sweep.Spec
			for _, p := range causeProblems(s) {
				out = append(out, p.sweep(s))
			}
			return out
		},
		Changed: []string{earlier, "the realized bias was scaled only after runs without that had been looked at.", "That the claim no longer says 'and nothing else' of what lowers the norm was set then, too: interventions change other things with it."},
		hypotheses: func(s Scale) []Hypothesis {
			var out []Hypothesis
			for _, p := range causeProblems(s) {
				out = append(out, Hypothesis{
					Name: p.name, Claim: p.name + ": interventions that lower the norm raise the test accuracy", Measure: "change of the test accuracy for each unit of the norm's logarithm",
					Test: Mean, Direction: Down,
				})
			}
			return out
		},
		judge: func(_ context.Context, f *Result, sweeps []trials) error { judgeCauses(f, sweeps); return nil },
	}
}

// A causeProblem is data and a network, with an lr that suits them and the training loss to stop at.
type causeProblem struct {
	name     string
	lr, loss float64
	settings settings
}

func causeProblems(s Scale) []causeProblem {
	switch s {
	case Small:
		return []causeProblem{
			{"cnn-fashion", 3e-4, 0.2, slices.Concat(fashionData(2000), smallCNN())},
			{"resnet-fashion", 3e-4, 0.2, slices.Concat(fashionData(2000), smallResNet())},
			{"vit-fashion", 3e-4, 0.2, slices.Concat(fashionData(2000), smallViT())},
		}
	case Paper:
		cifar10, cifar100 := cifar(dataset.NameCIFAR10, cifar10File), cifar(dataset.NameCIFAR100, cifar100File)
		return []causeProblem{
			{"cnn-cifar10", 1e-4, 0.02, slices.Concat(cifar10, modelOf("cnn"))},
			{"resnet-cifar10", 1e-4, 0.02, slices.Concat(cifar10, modelOf("resnet50"))},
			{"resnet-cifar100", 1e-4, 0.02, slices.Concat(cifar100, modelOf("resnet50"))},
		}
	}
	out := []causeProblem{
		{"mlp-digits", 3e-4, 0.02, settings{set("data.subset", 300)}},
		{"wide-digits", 2e-4, 0.02, settings{
			set("data.subset", 100), set("model.hidden", []int{128}), set("model.activation", "gelu"),
		}},
	}
	if haveFashion() {
		out = append(out, causeProblem{"mlp-fashion", 1e-4, 0.2, append(fashionData(300), set("model.hidden", []int{16}))})
	}
	return out
}

// sweep makes all interventions on a problem, Adam as it is first.
func (p causeProblem) sweep(s Scale) sweep.Spec {
	bias := func(scale float64) settings { return settings{set("bias.scale", scale)} }
	realized := func(scale float64) settings {
		return settings{set("bias.of", config.Realized), set("bias.scale", scale)}
	}
	penalty := func(kind string, weight float64) settings {
		return settings{set("regularizer.kind", kind), set("regularizer.weight", weight)}
	}
	return sweep.Spec{
		Name: "causes-" + p.name,
		Base: append(p.settings, set("steps", pick(s, 4000, 10_000, 20_000)), set("stop.loss", p.loss),
			set("optimizer.lr", p.lr), set("optimizer.beta2", 0.95), set("optimizer.eps", 1e-4),
			set("record.bias", 0), set("record.sharpness", 0), set("record.state", 0), set("record.test", 5)),
		List: []settings{
			bias(0), bias(-1), bias(1), bias(2), realized(-1), realized(1),
			penalty("perturbed-one-norm", 1e-2), penalty("perturbed-one-norm", 2e-2), penalty("two-norm-squared", 3e-1),
		},
		Seeds: sweep.Seeds(pick(s, 6, 5, 3)),
	}
}

// interventionOf names what was done to Adam.
func interventionOf(t *trial) string {
	c := t.Run.Config
	if c.Regularizer.Kind != "none" {
		name := map[string]string{"perturbed-one-norm": "one-norm", "two-norm-squared": "two-norm²"}[c.Regularizer.Kind]
		return name + ", w = " + short(c.Regularizer.Weight)
	}
	if c.Bias.Of == config.Realized {
		return fmt.Sprintf("realized bias scale %g", c.Bias.Scale)
	}
	return fmt.Sprintf("bias scale %g", c.Bias.Scale)
}

// ofAllInterventions begins the note on what moved the accuracy.
const ofAllInterventions = "On all networks together,"

func judgeCauses(f *Result, sweeps []trials) {
	moved := map[bool]movedMost{} // by penalties, and by interventions on the bias
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
		Header:  []string{"model and data", "intervention", "log norm", "test accuracy", "p of the accuracy, not corrected", "effect size d", "pairs"},
	}
	for k, ts := range sweeps {
		name := problemOf(ts[0])
		missed := 0
		for _, t := range ts {
			missed += count(math.IsNaN(lastOf(t, "excess")))
		}
		if missed > 0 {
			f.say("%s: %d of %s did not reach the loss.", name, missed, plural.Count(len(ts), "run"))
		}
		interventions := ts.groups(interventionOf)
		norms, accuracies := changes(interventions)
		var sizes []string
		axes := report.Axes{X: name + ": change of log norm", Y: "change of test accuracy", Zero: true}
		for i, intervention := range interventions {
			n, a := stats.PairedT(norms[i]), stats.PairedT(accuracies[i])
			if i == 0 {
				continue
			}
			if a.Pairs == 0 { // none of its runs reached the loss
				table.Rows = append(table.Rows, []string{name, intervention.name, "-", "-", "-", "-", "0"})
				continue
			}
			table.Rows = append(table.Rows, []string{name, intervention.name, intervalText(n), intervalText(a), stats.Probability(a.P), effectSize(a), fmt.Sprint(a.Pairs)})
			penalty := intervention.trials[0].Run.Config.Regularizer.Kind != "none"
			if 2*a.Pairs >= len(accuracies[i]) && math.Abs(a.Mean) >= math.Abs(moved[penalty].by.Mean) {
				moved[penalty] = movedMost{a, intervention.name + " of " + name}
			}
			sizes = append(sizes, fmt.Sprintf("%s: %s and %s", intervention.name, intervalText(n), intervalText(a)))
			axes.Series = append(axes.Series, report.Series{
				Name: intervention.name, X: []float64{n.Mean}, Y: []float64{a.Mean}, Low: []float64{a.Mean - a.Half}, High: []float64{a.Mean + a.Half},
				Bars: true, Marks: true, Color: i - 1, Mark: i - 1,
			})
		}
		if len(axes.Series) > 0 {
			predicted, realized := normChange(interventions, norms, "bias scale -1"), normChange(interventions, norms, "realized bias scale -1")
			apart := slices.Clone(predicted)
			floats.Sub(apart, realized)
			f.say("%s: cancelling the bias that the equation predicts changes the norm's logarithm by %s, subtracting the realized one by %s: %s.",
				name, intervalText(stats.PairedT(predicted)), intervalText(stats.PairedT(realized)), sameOrNot(stats.PairedT(apart), stats.PairedT(realized).Mean))
			f.say("%s, changes of the norm's logarithm and of the test accuracy: %s.", name, strings.Join(sizes, "; "))
			chart.Axes = append(chart.Axes, axes)
		}
		f.giveEach(causeProblems(f.Scale)[k].name, slopesWithin(norms, accuracies))
		f.sayKinds(name, interventions, norms, accuracies)
	}
	if len(chart.Axes) > 0 {
		f.say("%s of interventions of which half of the runs or more reach the loss, the largest change of the test accuracy, in the mean over seeds, is by one on the bias, predicted or realized, %s, and by a penalty on a norm, %s.",
			ofAllInterventions, moved[false], moved[true])
		f.drawings = []report.Drawing{chart}
	}
	f.tables = []report.Table{table}
}

// withinKinds is what the note on slopes within one kind of intervention has in it.
const withinKinds = "within one kind of intervention"

// sayKinds notes the slopes over interventions of one kind: over all of them together, a slope has the difference between the kinds in it.
func (f *Result) sayKinds(name string, interventions []trialGroup, norms, accuracies [][]float64) {
	slope := func(penalties bool) string {
		n, a := norms[:1], accuracies[:1] // of Adam as it is
		for i := 1; i < len(interventions); i++ {
			if (interventions[i].trials[0].Run.Config.Regularizer.Kind != "none") == penalties {
				n, a = append(n[:len(n):len(n)], norms[i]), append(a[:len(a):len(a)], accuracies[i])
			}
		}
		d := stats.PairedT(slopesWithin(n, a))
		if d.Pairs == 0 {
			return "not known"
		}
		return intervalText(d)
	}
	most := 0.0
	for _, of := range norms {
		if moved := math.Abs(stats.PairedT(of).Mean); moved > most {
			most = moved
		}
	}
	f.say("%s: %s the slope is %s over those on the bias and %s over the penalties (means over seeds with 95%% confidence intervals); the slope over all has the difference between the kinds in it, and penalties change more than the norm. In the mean no intervention moves the norm's logarithm by more than %.2g.",
		name, withinKinds, slope(false), slope(true), most)
}

// movedMost is the largest change of the mean accuracy by an intervention.
type movedMost struct {
	by   stats.Difference
	what string
}

func (m movedMost) String() string {
	if m.what == "" {
		return "none"
	}
	return fmt.Sprintf("%s (%s)", intervalText(m.by), m.what)
}

// effectSize writes Cohen's d where there are pairs enough for a deviation.
func effectSize(d stats.Difference) string {
	if d.Pairs < 3 || math.IsNaN(d.Effect) {
		return "-"
	}
	return fmt.Sprintf("%.2f", d.Effect)
}

// sameOrNot says whether cancelling the predicted bias does to the norm what subtracting the realized one does, by the difference within seeds.
func sameOrNot(apart stats.Difference, realized float64) string {
	const nearly = 1.0 / 5
	switch size := math.Abs(apart.Mean); {
	case size <= apart.Half:
		return "the same within seeds, but for chance, as where the equation holds"
	case size <= nearly*math.Abs(realized):
		return fmt.Sprintf("nearly the same, as where the equation holds: apart within seeds by %s", intervalText(apart))
	case size > apart.Half:
		return "not the same: the equation does not hold there, and what is done to the bias that it predicts says nothing of the bias"
	}
	return "too few reach the loss to compare them"
}

// normChange is an intervention's change of the norm's logarithm in each seed, NaN if there is no such intervention.
func normChange(interventions []trialGroup, norms [][]float64, name string) []float64 {
	if i := slices.IndexFunc(interventions, func(g trialGroup) bool { return g.name == name }); i >= 0 {
		return norms[i]
	}
	return slices.Repeat([]float64{math.NaN()}, len(norms[0]))
}

// changes returns, for each intervention, the changes of log norm and accuracy against the first of the same seed.
func changes(interventions []trialGroup) (norms, accuracies [][]float64) {
	for i, group := range interventions {
		norms, accuracies = append(norms, nil), append(accuracies, nil)
		for _, t := range group.trials {
			norms[i] = append(norms[i], t.logNormAt(t.Run.Config.Stop.Loss))
			accuracies[i] = append(accuracies[i], lastOf(t, "test_accuracy"))
		}
	}
	for i := len(norms) - 1; i >= 0; i-- {
		floats.Sub(norms[i], norms[0])
		floats.Sub(accuracies[i], accuracies[0])
	}
	return norms, accuracies
}

// lastOf returns the last measurement of a run that reached its loss, NaN of others.
func lastOf(t *trial, column string) float64 {
	if !t.good() || t.Result.Status != run.LossReached {
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
