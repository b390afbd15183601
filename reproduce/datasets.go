package reproduce

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shadowflow/internal/stats"
	"shadowflow/report"
)

// fashion is where Debian's package dataset-fashion-mnist puts its files.
const fashion = "/usr/share/datasets/fashion-mnist"

func datasets() *Reproduction {
	return &Reproduction{
		Name:  "datasets",
		Title: "Hill and monotonicity on other data and other models",
		Claim: "What a tanh network on the digits shows does not depend on it: on other data and with other models too, the norm rises and falls in training, and at equal training loss it rises with beta2.",
		Design: "Full-batch Adam with a CNN, a ResNet and a vision transformer at reduced width on the digits, and a network and a CNN on part of Fashion-MNIST where its files are found (Debian's package " +
			"dataset-fashion-mnist). For each, Page's test over seeds on the excess norm at training loss 0.05, and the number of runs with a hill.",
		sweeps: func(s Scale) []string {
			return []string{fmt.Sprintf(`name: datasets
base:
  steps: %s
  stop: {loss: 0.05}
  record: {bias: 0, sharpness: 0, test: 0}
  optimizer: {lr: %s}
list:
%sgrid: {optimizer.beta2: [0.9, 0.95, 0.99, 0.999]}
seeds: %s
`, pick(s, "6000", "10000", "20000"), pick(s, "3e-4", "1e-4", "1e-4"), datasetList(s, haveFashion()), pick(s, "3", "3", "3"))}
		},
		judge: func(_ context.Context, e *evidence) (*finding, error) { return judgeDatasets(e.sweeps[0]) },
	}
}

func haveFashion() bool {
	_, err := os.Stat(filepath.Join(fashion, "train-images-idx3-ubyte.gz"))
	return err == nil
}

// fashionData is part of Fashion-MNIST, as a config's section data.
func fashionData(examples int) string {
	return fmt.Sprintf("{name: idx, train_images: %s/train-images-idx3-ubyte.gz, train_labels: %[1]s/train-labels-idx1-ubyte.gz, "+
		"test_images: %[1]s/t10k-images-idx3-ubyte.gz, test_labels: %[1]s/t10k-labels-idx1-ubyte.gz, subset: %d, test_subset: 1000}", fashion, examples)
}

func datasetList(s Scale, withFashion bool) string {
	if s != Laptop {
		subset := pick(s, "", ", subset: 5000", "")
		cifar := func(name string) string {
			return fmt.Sprintf("{name: %s, path: data/%s-binary.tar.gz%s}", name, strings.Replace(name, "cifar", "cifar-", 1), subset)
		}
		models := []string{"{name: cnn}", pick(s, "", "{name: resnet18, width: 16}", "{name: resnet50}"), pick(s, "", "{name: vit, dim: 128, heads: 4, dim_head: 32, mlp_dim: 256}", "{name: vit}")}
		if s == Paper {
			models = append(models, "{name: resnet101}")
		}
		list := ""
		for _, data := range []string{"cifar10", "cifar100"} {
			for _, model := range models {
				list += fmt.Sprintf("  - {data: %s, model: %s}\n", cifar(data), model)
			}
		}
		return list
	}
	list := `  - {data: {subset: 500}, model: {name: cnn, channels: [4, 8], dense: 32}}
  - {data: {subset: 200}, model: {name: resnet18, width: 2}}
  - {data: {subset: 200}, model: {name: vit, patch: 2, dim: 16, depth: 2, heads: 2, dim_head: 8, mlp_dim: 32}}
`
	if withFashion {
		list += fmt.Sprintf("  - {data: %s, model: {name: mlp, hidden: [32]}}\n", fashionData(500))
	}
	return list
}

// problemOf names data and model of a run.
func problemOf(t *trial) string {
	data := t.Run.Config.Data
	name := data.Name
	if data.TrainImages != "" {
		name = filepath.Base(filepath.Dir(data.TrainImages))
	}
	return strings.TrimSpace(t.Run.Value("model.name")+" "+t.Run.Value("model.hidden")) + " on " + name
}

func judgeDatasets(ts trials) (*finding, error) {
	f := &finding{}
	const loss = 0.05
	chart := &report.Chart{
		Labels: report.Label{
			Name: "datasets", Title: "Norm against beta2 on other data and models",
			Caption: fmt.Sprintf("Excess norm where the training loss first is below %g, divided by that of the same seed at beta2 = 0.9: means over seeds, bars are 95%% confidence intervals.", loss),
		},
		Height: 3.2,
		Axes:   []report.Axes{{X: "memory 1/(1 - beta2), in steps", Y: "norm relative to beta2 = 0.9", LogX: true}},
	}
	table := report.Table{Caption: "Excess norm, means over seeds with 95% confidence intervals", Header: []string{"model and data", "beta2", "norm", "runs with a hill"}}
	var names []string
	for _, t := range ts {
		if name := problemOf(t); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var outcomes, hilly []Outcome
	for i, name := range names {
		var part trials
		for _, t := range ts {
			if problemOf(t) == name {
				part = append(part, t)
			}
		}
		norms := part.matrix("optimizer.beta2", func(t *trial) float64 { return t.at("excess", loss) })
		trend := stats.PageTrend(norms)
		hills := countHills(part)
		outcome := rising.judge(trend)
		outcomes, hilly = append(outcomes, outcome), append(hilly, judgeSigns(hills, len(part)))
		f.say("%s: the norm rises with beta2: %s (Page's L = %g over %d seeds, p = %s; correlation %.2f); the norm has a hill in %d of %d runs; %d are not monotone.",
			name, outcome, trend.L, trend.Blocks, stats.Probability(trend.Up), trend.Rho, hills, len(part), part.unsteady())
		betas := part.values("optimizer.beta2")
		x := numbers(betas)
		for k := range x {
			x[k] = 1 / (1 - x[k]) * (1 + 0.04*float64(i))
			table.Rows = append(table.Rows, []string{name, betas[k], withInterval(transpose(norms)[k]), fmt.Sprintf("%d of %d", countHills(part.where("optimizer.beta2", betas[k])), len(part.where("optimizer.beta2", betas[k])))})
		}
		mean, low, high := intervals(transpose(relative(norms)))
		chart.Axes[0].Series = append(chart.Axes[0].Series, report.Series{
			Name: name, X: x, Y: mean, Low: low, High: high, Bars: true, Line: true, Marks: true, Color: i, Mark: i, Dash: i,
		})
	}
	if !haveFashion() {
		f.say("Fashion-MNIST was not found in %s; it is left out.", fashion)
	}
	f.outcome = all(append(outcomes, hilly...)...)
	f.verdict = fmt.Sprintf("With beta2 the norm rises for %s and falls for %s of %d problems (the rest are undecided); it has a hill in most runs of %s.",
		tally(outcomes, Holds), tally(outcomes, Fails), len(names), tally(hilly, Holds))
	f.figures, f.tables = []report.Drawing{chart}, []report.Table{table}
	return f, nil
}

// tally returns how many of the outcomes are of a kind, in a word.
func tally(outcomes []Outcome, kind Outcome) string {
	n := 0
	for _, o := range outcomes {
		n += count(o == kind)
	}
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

func countHills(ts trials) int {
	n := 0
	for _, t := range ts {
		if r := riseOf(t); r.height > 0 && r.fell {
			n++
		}
	}
	return n
}
