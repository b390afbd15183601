package run

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shadowflow/objective"
)

// What moves beside a run costs, in gradients a step: the ratio of two times of one run.
func BenchmarkBeside(b *testing.B) {
	for _, name := range []string{"state-1", "state-2", "lift-1", "lift-2", "memoryless-2"} {
		for _, dtype := range []string{"float32", "float64"} {
			b.Run(name+"/"+dtype, func(b *testing.B) {
				var step, gradient float64
				for b.Loop() {
					result, _ := runFor(b, usual, "beside=["+name+"]", "dtype="+dtype, "steps=40", "record.every=1000")
					for _, c := range result.Costs {
						switch {
						case c.Kind == "gradient":
							gradient += c.Seconds / float64(c.Count)
						case c.Kind == name:
							step += c.Seconds / float64(c.Count-10) // those before it begins take no time
						}
					}
				}
				b.ReportMetric(step/gradient, "gradients/step")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// The whole loop on a loss of two parameters, with a row every 100,000 steps; steps/s is what counts.
func BenchmarkAdamOnTwoParameters(b *testing.B) {
	const steps = 200_000
	n := 0
	for b.Loop() {
		c := parse(b, "objective: {name: bilinear}\noptimizer: {name: adam}\nrecord: {every: 100000, bias: 0, sharpness: 0, state: 0}\ncheckpoint: {every: 0}\n", fmt.Sprint("steps=", steps))
		if _, err := Run(b.Context(), c, filepath.Join(b.TempDir(), "run"), Options{}); err != nil {
			b.Fatal(err)
		}
		n += steps
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "steps/s")
}

const paperNetwork = `
steps: 1000000
dtype: float32
model: {name: cnn, channels: [32, 64, 128], dense: 512}
optimizer: {name: adam, lr: 1e-3}
record: {every: 1, bias: 1, sharpness: 0, test: 0}
`

// A step of Adam that measures everything (norms, drives, the predicted and the realized bias, with the Hessian-vector product that the second order
// takes) on the paper's network and 500 images, in gradients: the fastest of the steps of each kind in turns. At most 3.2 are asked for.
func BenchmarkStepThatMeasuresEverything(b *testing.B) {
	t, err := newTraining[float32](b.Context(), parse(b, paperNetwork, "data={name: cifar10, path: "+noiseImages(b, 100)+"}"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	g := make([]float32, t.problem.Objective.Dim())
	t.loop.makeRoom()
	n := 0
	step := func() error {
		_, err := t.loop.advance(b.Context(), nil, n)
		n++
		return err
	}
	gradient := func() error {
		_, err := t.problem.Objective.Evaluate(b.Context(), t.loop.Optimizer.theta, objective.Full, objective.Want[float32]{Gradient: g})
		return err
	}
	b.ReportMetric(inTurns(b, step, gradient), "gradients/step")
	b.ReportMetric(0, "ns/op")
}

// Several Hessian-vector products at one point share a pass through the network: the time of one of so many that are asked for at once, in gradients, on
// the paper's network and 100 images; and of one that comes after others, made of what is kept of the point.
func BenchmarkProductsAtOnce(b *testing.B) {
	t, err := newTraining[float32](b.Context(), parse(b, paperNetwork, "data={name: cifar10, path: "+noiseImages(b, 20)+"}"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	theta := t.loop.Optimizer.theta
	vectors, products := make([][]float32, 8), make([][]float32, 8)
	for i := range vectors {
		vectors[i], products[i] = theta, make([]float32, len(theta))
	}
	evaluate := func(want objective.Want[float32]) func() error {
		return func() error {
			_, err := t.problem.Objective.Evaluate(b.Context(), theta, objective.Full, want)
			return err
		}
	}
	gradient := evaluate(objective.Want[float32]{Gradient: products[0]})
	for _, k := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprint(k), func(b *testing.B) {
			b.ReportMetric(inTurns(b, evaluate(objective.Want[float32]{Vectors: vectors[:k], Products: products[:k]}), gradient)/float64(k), "gradients/product")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("kept", func(b *testing.B) {
		product, err := objective.Linearize(b.Context(), t.problem.Objective, theta, objective.Full)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(inTurns(b, func() error { return product(b.Context(), vectors[0], products[1]) }, gradient), "gradients/product")
		b.ReportMetric(0, "ns/op")
	})
}

// inTurns returns the ratio of the times of two works, the fastest of the runs of each.
func inTurns(b *testing.B, work, unit func() error) float64 {
	took := func(f func() error) float64 {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start).Seconds()
	}
	took(work) // which compiles
	took(unit)
	fastest, one := math.Inf(1), math.Inf(1)
	for b.Loop() {
		fastest, one = min(fastest, took(work)), min(one, took(unit))
	}
	return fastest / one
}

// noiseImages writes five batches of images in CIFAR-10's format, of random pixels, and one to test on, and returns their folder.
func noiseImages(b *testing.B, batch int) string {
	dir, r := b.TempDir(), rand.NewChaCha8([32]byte{1})
	for _, name := range []string{"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"} {
		data := make([]byte, batch*3073)
		r.Read(data)
		for i := range batch {
			data[i*3073] %= 10
		}
		if err := os.WriteFile(filepath.Join(dir, name+".bin"), data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}
