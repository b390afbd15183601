package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shadowflow/internal/bench"
	"shadowflow/report"
)

// benchScaling times networks of several sizes, and the optimizer's update.
func benchScaling(cmd *cobra.Command, opt bench.Options, figure *figureFile, asJSON bool) error {
	out := cmd.OutOrStdout()
	var all []bench.Size
	start := time.Now()
	axes := 0
	err := bench.Scaling(cmd.Context(), opt, func(points []bench.Size) {
		axes++
		all = append(all, points...)
		if asJSON {
			fmt.Fprintln(cmd.ErrOrStderr(), benchProgress(points[0].Axis, axes, len(bench.Axes), time.Since(start)))
		} else {
			printScaling(out, points)
		}
	})
	if asJSON && (err == nil || len(all) > 0) { // stopped, what was measured until then
		err = errors.Join(err, printIndented(out, all))
	}
	if err != nil {
		return err
	}
	return figure.write(scalingChart(all))
}

func printScaling(out io.Writer, points []bench.Size) {
	if points[0].Axis == bench.AxisUpdate {
		fmt.Fprintf(out, "%-12s %12s %12s %9s %12s %9s\n", "", "parameters", "Adam", "of copy", "norms", "of copy")
		for _, p := range points {
			fmt.Fprintf(out, "%-12s %12d %12s %9.2f %12s %9.2f\n", p.Axis, p.Parameters, duration(p.Step), p.StepOfCopy, duration(p.Norms), p.NormsOfCopy)
		}
		return
	}
	fmt.Fprintf(out, "%-12s %12s %9s %8s %12s %7s %10s\n", "", "parameters", "examples", "threads", "gradient", "% peak", "gradients")
	for _, p := range points {
		fmt.Fprintf(out, "%-12s %12d %9d %8d %12s %7.0f %10.2f\n", p.Axis, p.Parameters, p.Examples, p.Threads, duration(p.Gradient), 100*p.Peak, p.Gradients)
	}
}

// scalingChart draws time along each axis, on logarithmic axes; the faint line grows like the axis, from the largest point down, or for threads falls like it.
func scalingChart(sizes []bench.Size) *report.Chart {
	chart := &report.Chart{Labels: report.Label{
		Name: "scaling", Title: "How time grows",
		Caption: "Time of a gradient, of a gradient with a Hessian-vector product, of a step of Adam and of the gradient's norms. Faint: in proportion to what is along the axis, or for threads in inverse proportion.",
	}}
	for _, axis := range bench.Axes {
		var x, first, second []float64
		for _, s := range sizes {
			if s.Axis != axis {
				continue
			}
			x = append(x, float64(s.At))
			if axis == bench.AxisUpdate {
				first, second = append(first, s.Step), append(second, s.Norms)
			} else {
				first, second = append(first, s.Gradient), append(second, s.Gradient*s.Gradients)
			}
		}
		if len(x) == 0 {
			continue
		}
		names := [2]string{"gradient", "gradient and Hv"}
		if axis == bench.AxisUpdate {
			names = [2]string{"step of Adam", "norms of the gradient"}
		}
		chart.Axes = append(chart.Axes, report.Axes{
			X: axisNames[axis], Y: "time (s)", LogX: true, LogY: true,
			Series: []report.Series{
				{Name: names[0], X: x, Y: first, Line: true, Marks: true},
				{Name: names[1], X: x, Y: second, Color: 1, Dash: 1, Mark: 1, Line: true, Marks: true},
				{Name: "in proportion", X: x, Y: inProportion(x, first, axis == bench.AxisThreads), Faint: true},
			},
		})
	}
	return chart
}

var axisNames = map[string]string{
	bench.AxisParameters: "parameters of two layers, 256 examples", bench.AxisBatch: "examples, two layers of 64", bench.AxisDepth: "layers of 64, 1,024 examples",
	bench.AxisThreads: "threads, two layers of 512, 1,024 examples", bench.AxisUpdate: "parameters (float32)",
}

// inProportion returns the line through the last point on which y grows like x, or through the first on which it falls like x.
func inProportion(x, y []float64, inverse bool) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		if inverse {
			out[i] = y[0] * x[0] / x[i]
		} else {
			out[i] = y[len(y)-1] * x[i] / x[len(x)-1]
		}
	}
	return out
}
