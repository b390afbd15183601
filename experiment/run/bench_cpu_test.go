//go:build unix

package run

import (
	"math"
	"slices"
	"syscall"
	"testing"
)

// What the realized bias adds to a measurement of the bias, the gradient and the Hessian-vector product included, in percent of the processor's
// time, which other processes leave alone: the median over runs with it, without it and without a measurement, one behind the other, with its
// standard error, and the quartiles.
func BenchmarkRealizedBias(b *testing.B) {
	seconds := func(every string, realized bool) float64 {
		t, err := newTraining[float32](b.Context(), parse(b, usual, "threads=1", "steps=60", "beside=[]", "record={every: 0, bias: "+every+", sharpness: 0, test: 0}"), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if !realized && t.bias != nil {
			t.bias.realized, t.bias.drive.realized = nil, nil
		}
		before := processorSeconds(b)
		if _, err := t.loop.run(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		return processorSeconds(b) - before
	}
	var added []float64
	for b.Loop() {
		with, without, none := seconds("1", true), seconds("1", false), seconds("0", false)
		added = append(added, 100*(with-without)/(without-none))
	}
	slices.Sort(added)
	first, median, third := added[len(added)/4], added[len(added)/2], added[3*len(added)/4]
	b.ReportMetric(median, "%")
	b.ReportMetric(1.2533*(third-first)/1.349/math.Sqrt(float64(len(added))), "%-standard-error") // from the quartiles, as of a normal distribution
	b.ReportMetric(first, "%-first-quartile")
	b.ReportMetric(third, "%-third-quartile")
	b.ReportMetric(0, "ns/op")
}

func processorSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
