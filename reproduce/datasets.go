package reproduce

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shadowflow/dataset"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
	"shadowflow/report"
	"shadowflow/schema"
)

// datasetsLoss is the training loss at which norms are compared.
const datasetsLoss = 0.05

// fashion is where Debian's package dataset-fashion-mnist puts its files.
const fashion = "/usr/share/datasets/fashion-mnist"

func datasets() *Reproduction {
	return &Reproduction{
		Name:  "datasets",
		Title: "Hill and monotonicity on other data and other models",
		Claim: "What a tanh network on the digits shows does not depend on it: on other data and with other models too, the norm rises and falls in training, and at equal training loss it rises with beta2.",
		Design: "Full-batch Adam with a CNN, a ResNet and a vision transformer at reduced width on the digits, and a network and a CNN on part of Fashion-MNIST where its files are found (Debian's package " +
			"dataset-fashion-mnist). For each, Page's test over seeds on the excess norm at training loss 0.05, and the number of runs with a hill.",
		sweeps: func(s Scale) []sweep.Spec {
			return []sweep.Spec{{
				Name: "datasets",
				Base: settings{
					set("steps", pick(s, 6000, 10_000, 20_000)), set("stop.loss", datasetsLoss),
					set("record.bias", 0), set("record.sharpness", 0), set("record.state", 0), set("record.test", 0),
					set("optimizer.lr", pick(s, 3e-4, 1e-4, 1e-4)),
				},
				List:  datasetList(s),
				Grid:  settings{set("optimizer.beta2", []float64{0.9, 0.95, 0.99, 0.999})},
				Seeds: sweep.Seeds(6),
			}}
		},
		judge: func(_ context.Context, sweeps []trials) (*Result, error) { return judgeDatasets(sweeps[0]) },
	}
}

func haveFashion() bool {
	_, err := os.Stat(filepath.Join(fashion, "train-images-idx3-ubyte.gz"))
	return err == nil
}

// fashionData is part of Fashion-MNIST.
func fashionData(examples int) settings {
	file := func(name string) string { return filepath.Join(fashion, name) }
	return settings{
		set("data.name", dataset.NameIDX),
		set("data.train_images", file("train-images-idx3-ubyte.gz")), set("data.train_labels", file("train-labels-idx1-ubyte.gz")),
		set("data.test_images", file("t10k-images-idx3-ubyte.gz")), set("data.test_labels", file("t10k-labels-idx1-ubyte.gz")),
		set("data.subset", examples), set("data.test_subset", 1000),
	}
}

// modelOf is a network with some of its sizes.
func modelOf(name string, sizes ...schema.Setting) settings {
	return append(settings{set("model.name", name)}, sizes...)
}

// datasetList returns data and model of each problem.
func datasetList(s Scale) []settings {
	if s == Laptop {
		return smallDatasets()
	}
	models := []settings{modelOf("cnn"), modelOf("resnet50"), modelOf("vit"), modelOf("resnet101")}
	if s == Workstation {
		models = []settings{
			modelOf("cnn"), modelOf("resnet18", set("model.width", 16)),
			modelOf("vit", set("model.dim", 128), set("model.heads", 4), set("model.dim_head", 32), set("model.mlp_dim", 256)),
		}
	}
	var list []settings
	for _, data := range []settings{cifar(s, dataset.NameCIFAR10, cifar10File), cifar(s, dataset.NameCIFAR100, cifar100File)} {
		for _, model := range models {
			list = append(list, slices.Concat(data, model))
		}
	}
	return list
}

// smallDatasets are problems for a laptop.
func smallDatasets() []settings {
	digits := func(examples int, model settings) settings {
		return append(model, set("data.subset", examples))
	}
	list := []settings{
		digits(500, modelOf("cnn", set("model.channels", []int{4, 8}), set("model.dense", 32))),
		digits(200, modelOf("resnet18", set("model.width", 2))),
		digits(200, modelOf("vit", set("model.patch", 2), set("model.dim", 16), set("model.depth", 2), set("model.heads", 2),
			set("model.dim_head", 8), set("model.mlp_dim", 32))),
	}
	if haveFashion() {
		list = append(list, append(fashionData(500), modelOf("mlp", set("model.hidden", []int{32}))...))
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

func judgeDatasets(ts trials) (*Result, error) {
	f := &Result{}
	chart := &report.Chart{
		Labels: report.Label{
			Name: "datasets", Title: "Norm against beta2 on other data and models",
			Caption: fmt.Sprintf("Excess norm where the training loss first is below %g, divided by that of the same seed at beta2 = 0.9: means over seeds, bars are 95%% confidence intervals.", datasetsLoss),
		},
		Height: 3.2,
		Axes:   []report.Axes{{X: "memory 1/(1 - beta2), in steps", Y: "norm relative to beta2 = 0.9", LogX: true}},
	}
	table := report.Table{Caption: "Excess norm, means over seeds with 95% confidence intervals", Header: []string{"model and data", "beta2", "norm", "runs with a hill"}}
	var parts []evidence
	var says []func(rises Outcome) string
	hilly := 0
	problems := ts.groups(problemOf)
	for i, part := range problems {
		norms := part.matrix("optimizer.beta2", func(t *trial) float64 { return t.at("excess", datasetsLoss) })
		trend := stats.PageTrend(norms)
		hills := countHills(part.trials)
		hilly += count(2*hills > len(part.trials))
		parts = append(parts, rising.of(trend))
		says = append(says, func(rises Outcome) string {
			return fmt.Sprintf("%s: the norm rises with beta2: %s (Page's L = %g over %s, p = %s; correlation %.2f), %s; it has a hill in %d of %s; %d are not monotone.",
				part.name, rises, trend.L, plural.Of(trend.Blocks, "seed"), stats.Probability(trend.Up), trend.Rho, growth(norms), hills, plural.Of(len(part.trials), "run"), part.unsteady())
		})
		x := part.numbers("optimizer.beta2")
		for k, beta2 := range x {
			x[k] = 1 / (1 - beta2) * (1 + 0.04*float64(i))
			runs := part.where("optimizer.beta2", beta2)
			table.Rows = append(table.Rows, []string{
				part.name, fmt.Sprint(beta2), withInterval(transpose(norms)[k]), fmt.Sprintf("%d of %d", countHills(runs), len(runs)),
			})
		}
		mean, low, high := intervals(transpose(relative(norms)))
		chart.Axes[0].Series = append(chart.Axes[0].Series, report.Series{
			Name: part.name, X: x, Y: mean, Low: low, High: high, Bars: true, Line: true, Marks: true, Color: i, Mark: i, Dash: i,
		})
	}
	hills := bySeeds(ts, func(t *trial) (yes, counts bool) { return hasHill(t), true })
	outcomes := judged(append(parts, hills.evidence)...)
	for i, say := range says {
		f.say("%s", say(outcomes[i]))
	}
	f.say("The norm has a hill: %s, in %s.", outcomes[len(says)], hills)
	f.sayCorrected(len(outcomes))
	if !haveFashion() {
		f.say("Fashion-MNIST was not found in %s; it is left out.", fashion)
	}
	f.Outcome = all(outcomes...)
	f.Verdict = fmt.Sprintf("With beta2 the norm rises for %s and falls for %s of %d problems (the rest are undecided); it has a hill in most runs of %d of them.",
		tally(outcomes[:len(says)], Holds), tally(outcomes[:len(says)], Fails), len(problems), hilly)
	f.Figures, f.Tables = []report.Drawing{chart}, []report.Table{table}
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
		n += count(hasHill(t))
	}
	return n
}

// hasHill reports whether the norm rises above its start and ends below it.
func hasHill(t *trial) bool {
	r := riseOf(t)
	return r.height > 0 && r.fell
}
