package run

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"
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

// What the realized bias adds to a measurement of the bias, the gradient and the Hessian-vector product included, in percent: of the fastest
// of several runs of each kind.
func BenchmarkRealizedBias(b *testing.B) {
	seconds := func(realized bool) float64 {
		t, err := newTraining[float32](b.Context(), parse(b, usual, "steps=60", "beside=[]", "record={every: 0, bias: 1, sharpness: 0, test: 0}"), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if !realized {
			t.bias.realized, t.bias.drive.realized = nil, nil
		}
		if _, err := t.loop.run(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		sum := 0.0
		for _, c := range t.loop.watch.costs {
			if c.Kind == "bias" || c.Kind == "gradient and Hessian-vector product" {
				sum += c.Seconds
			}
		}
		return sum
	}
	with, without := math.Inf(1), math.Inf(1)
	for b.Loop() {
		with, without = min(with, seconds(true)), min(without, seconds(false))
	}
	b.ReportMetric(100*(with/without-1), "%")
	b.ReportMetric(0, "ns/op")
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
