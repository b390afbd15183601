package reproduce

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"shadowflow/dataset"
	"shadowflow/experiment/config"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
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
		Design: "Full-batch Adam with a CNN, a ResNet and a vision transformer at reduced width on the digits, and a network on part of Fashion-MNIST where its files are found (Debian's package " +
			"dataset-fashion-mnist). For each, the trend of the excess norm at training loss 0.05, where runs stop, within seeds, and the number of runs whose norm rises above its start and ends below it: that is more than the hill of Figures 4 to 12, which ends below its top.",
		sweeps: func(s Scale) []sweep.Spec {
			return []sweep.Spec{{
				Name: "datasets",
				Base: settings{
					set("steps", pick(s, 6000, 10_000, 20_000)), set("stop.loss", datasetsLoss),
					set("record.bias", 0), set("record.sharpness", 0), set("record.state", 0), set("record.test", 0),
					set("optimizer.lr", pick(s, 3e-4, 3e-4, 1e-4)),
				},
				List:  datasetList(s),
				Grid:  settings{set("optimizer.beta2", []float64{0.9, 0.95, 0.99, 0.999})},
				Seeds: sweep.Seeds(6),
			}}
		},
		Changed: []string{earlier, bySeeds},
		hypotheses: func(s Scale) []Hypothesis {
			out := []Hypothesis{{Name: "hill", Claim: "The norm rises above its start and ends below it", Measure: "runs", Test: Majority, Direction: Up}}
			for _, problem := range datasetList(s) {
				name := problemIn(problem)
				out = append(out, Hypothesis{
					Name: name, Claim: name + ": the norm rises with beta2", Measure: fmt.Sprintf("excess norm at training loss %g", datasetsLoss), Test: Trend, Direction: Up, Least: 0.2,
				})
			}
			return out
		},
		judge: func(_ context.Context, f *Result, sweeps []trials) error { judgeDatasets(f, sweeps[0]); return nil },
	}
}

func haveFashion() bool {
	_, err := os.Stat(filepath.Join(fashion, "train-images-idx3-ubyte.gz"))
	return err == nil
}

// Needs returns an error where data that a scale takes is not there.
func (r *Reproduction) Needs(s Scale) error {
	if s == Small && r.sweeps != nil && !haveFashion() {
		return fmt.Errorf("scale small: no Fashion-MNIST in %s: want the files of Debian's package dataset-fashion-mnist there", fashion)
	}
	return nil
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
	if s == Small {
		data := fashionData(2000)
		return []settings{slices.Concat(data, smallCNN()), slices.Concat(data, smallResNet()), slices.Concat(data, smallViT())}
	}
	var list []settings
	for _, data := range []settings{cifar(dataset.NameCIFAR10, cifar10File), cifar(dataset.NameCIFAR100, cifar100File)} {
		for _, model := range []settings{modelOf("cnn"), modelOf("resnet50"), modelOf("vit"), modelOf("resnet101")} {
			list = append(list, slices.Concat(data, model))
		}
	}
	return list
}

// The networks of the small scale: the paper's CNN at reduced width, a residual network with batch norm, and a vision transformer.
func smallCNN() settings {
	return modelOf("cnn", set("model.channels", []int{8, 16, 32}), set("model.dense", 64))
}
func smallResNet() settings { return modelOf("resnet18", set("model.width", 8)) }
func smallViT() settings {
	return modelOf("vit", set("model.patch", 4), set("model.dim", 32), set("model.depth", 2), set("model.heads", 2), set("model.dim_head", 16), set("model.mlp_dim", 64))
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
func problemOf(t *trial) string { return problemNamed(t.Run.Config) }

func problemNamed(c *config.Config) string {
	name := c.Data.Name
	if c.Data.TrainImages != "" {
		name = filepath.Base(filepath.Dir(c.Data.TrainImages))
	}
	model := c.Model.Name
	if hidden := c.Get("model.hidden"); hidden != nil {
		model += " " + schema.Format(hidden)
	}
	return model + " on " + name
}

// subsetOf names data and model of a run, and how many examples if not all.
func subsetOf(t *trial) string {
	if n := t.Run.Config.Data.Subset; n > 0 {
		return fmt.Sprintf("%s (%s)", problemOf(t), plural.Count(n, "example"))
	}
	return problemOf(t)
}

// problemIn names data and model that settings make; "" where they make none, which the sweep then says.
func problemIn(s settings) string {
	c, err := config.New(s...)
	if err != nil {
		return ""
	}
	return problemNamed(c)
}

func judgeDatasets(f *Result, ts trials) {
	chart := &report.Chart{
		Labels: report.Label{
			Name: "datasets", Title: "Norm against beta2 on other data and models",
			Caption: fmt.Sprintf("Excess norm where the training loss first comes down to %g, interpolated between two steps, divided by that of the same seed at beta2 = 0.9: geometric means over seeds, bands are 95%% confidence intervals.", datasetsLoss),
		},
		Height: 3.2,
		Axes:   []report.Axes{{X: "memory 1/(1 - beta2), in steps", Y: "norm relative to beta2 = 0.9", LogX: true}},
	}
	table := report.Table{Caption: "Excess norm, means over seeds with 95% confidence intervals", Header: []string{"model and data", "beta2", "norm", "runs that rise above their start and end below it"}}
	for i, part := range ts.groups(problemOf) {
		norms := part.matrix("optimizer.beta2", func(t *trial) float64 { return t.at("excess", datasetsLoss) })
		f.give(part.name, norms)
		f.say("%s: the norm rises above its start and ends below it in %d of %s; %d are not monotone.", part.name, countRises(part.trials), plural.Count(len(part.trials), "run"), part.unsteady())
		x := part.numbers("optimizer.beta2")
		for k, beta2 := range x {
			x[k] = 1 / (1 - beta2)
			runs := part.where("optimizer.beta2", beta2)
			table.Rows = append(table.Rows, []string{
				part.name, fmt.Sprint(beta2), withInterval(transpose(norms)[k]), fmt.Sprintf("%d of %d", countRises(runs), len(runs)),
			})
		}
		mean, low, high := geometricIntervals(transpose(relative(norms, 0)))
		chart.Axes[0].Series = append(chart.Axes[0].Series, report.Series{
			Name: part.name, X: x, Y: mean, Low: low, High: high, Line: true, Marks: true, Color: i, Mark: i, Dash: i,
		})
	}
	f.give("hill", votes(ts, func(t *trial) (yes, counts bool) { return risesAndFalls(t), true }))
	if !haveFashion() {
		f.say("Fashion-MNIST was not found in %s; it is left out.", fashion)
	}
	f.drawings, f.tables = []report.Drawing{chart}, []report.Table{table}
}

func countRises(ts trials) int {
	n := 0
	for _, t := range ts {
		n += count(risesAndFalls(t))
	}
	return n
}

// risesAndFalls reports whether the norm rises above its start and ends below that.
func risesAndFalls(t *trial) bool {
	r := riseOf(t)
	return r.height > 0 && r.fell
}
