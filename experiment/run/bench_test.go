package run

import (
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
