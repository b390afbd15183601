package reproduce

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"shadowflow/engine"
	"shadowflow/experiment/config"
	"shadowflow/experiment/sweep"
	"shadowflow/graph"
	"shadowflow/internal/patience"
	"shadowflow/internal/plural"
	"shadowflow/nn"
)

// An Estimate is what the runs of a figure at the paper's scale would take here.
type Estimate struct {
	// Image is the time of one image in a gradient, in seconds; Images how many of them were timed at once, Gradients how often.
	Image             float64
	Images, Gradients int
	// Steps is the number of steps of all runs.
	Steps, Runs int
	// Seconds is the time of all steps.
	Seconds float64
}

// String is the estimate in a sentence.
func (e *Estimate) String() string {
	return fmt.Sprintf("%s, %s in all, each over the gradients of %s, and the accuracy on %s at each: roughly %s on this machine, from %s of %s, %.2g s an image, beside whatever else runs here now; many images at once may take less. That is for a cluster: each run is made by itself.",
		plural.Of(e.Runs, "run"), plural.Of(e.Steps, "step"), plural.Of(cifarImages, "image"), plural.Of(cifarTest, "image"), duration(e.Seconds), plural.Of(e.Gradients, "gradient"), plural.Of(e.Images, "image"), e.Image)
}

// duration writes a time in the unit that suits it.
func duration(seconds float64) string {
	const minute, hour, day, year = 60, 3600, 86400, 365.25 * 86400
	switch {
	case seconds >= 10*year:
		return fmt.Sprintf("%.0f years", twoDigits(seconds/year))
	case seconds >= 1.05*year:
		return fmt.Sprintf("%.2g years", seconds/year)
	case seconds >= 100*day:
		return fmt.Sprintf("%.0f days", twoDigits(seconds/day))
	case seconds >= 2*day:
		return fmt.Sprintf("%.0f days", seconds/day)
	case seconds >= 2*hour:
		return fmt.Sprintf("%.2g hours", seconds/hour)
	case seconds >= 2*minute:
		return fmt.Sprintf("%.0f minutes", seconds/minute)
	case seconds < 1:
		return "less than a second"
	}
	return plural.Count(int(math.Round(seconds)), "second")
}

// twoDigits rounds a number above 10 to two digits.
func twoDigits(x float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(x))-1)
	return unit * math.Round(x/unit)
}

// The images to train on, and to test on.
const (
	cifarImages = 50_000
	cifarTest   = 10_000
	forward     = 1.0 / 3 // of a gradient, roughly: two more products stand behind each of its products
)

// estimateImages is how many are timed at once: few, so that a large network is compiled and timed in a moment, and memory is no matter. An image of so few may
// take longer than one of 500.
const estimateImages = 8

// Estimate times a gradient of the paper's network for about so long, or once where it takes longer, and says what the runs of the sweeps would take. It is nil
// for a reproduction whose scale paper is made like the others.
func (r *Reproduction) Estimate(ctx context.Context, sweeps []*sweep.Sweep, seconds float64) (*Estimate, error) {
	if !r.cluster || len(sweeps) == 0 {
		return nil, nil
	}
	e := &Estimate{Images: estimateImages}
	for _, s := range sweeps {
		e.Runs += len(s.Runs)
		for _, run := range s.Runs {
			e.Steps += run.Config.Steps
		}
	}
	type timed struct {
		each  float64
		count int
	}
	t, err := patience.Wait(ctx, func() (timed, error) {
		each, count, err := timeGradient(ctx, sweeps[0].Runs[0].Config, seconds)
		return timed{each, count}, err
	})
	if err != nil {
		return nil, err
	}
	e.Image, e.Gradients = t.each/estimateImages, t.count
	e.Seconds = float64(e.Steps) * (cifarImages + cifarTest*forward) * e.Image
	return e, nil
}

// timeGradient returns how many seconds a gradient of the config's network on a few images of CIFAR takes, and how many were timed.
func timeGradient(ctx context.Context, c *config.Config, seconds float64) (each float64, count int, err error) {
	a, err := c.Model.Architecture()
	if err != nil {
		return 0, 0, err
	}
	m, err := a.Build([]int{32, 32, 3}, 10)
	if err != nil {
		return 0, 0, err
	}
	b := graph.NewBuilder()
	inputs := m.Inputs(b, graph.Float32, estimateImages)
	loss, err := m.TrainLoss(inputs, nn.CrossEntropy)
	if err != nil {
		return 0, 0, err
	}
	p, err := engine.CompileContext(ctx, []graph.Value{inputs.Theta, inputs.X, inputs.Labels}, graph.Grad(loss.Loss, inputs.Theta), engine.Options{})
	if err != nil {
		return 0, 0, err
	}
	in, out := buffersOf(p.Inputs()), buffersOf(p.Outputs())
	if err := p.RunContext(ctx, in, out); err != nil { // pages are touched
		return 0, 0, err
	}
	for begin := time.Now(); ; {
		if err := p.RunContext(ctx, in, out); err != nil {
			return 0, 0, err
		}
		count++
		if taken := time.Since(begin).Seconds(); taken >= seconds {
			return taken / float64(count), count, nil
		}
	}
}

// buffersOf makes arrays for a program: every weight, pixel and label is 0, and takes as long as any other.
func buffersOf(specs []engine.Spec) []engine.Buffer {
	var out []engine.Buffer
	for _, s := range specs {
		out = append(out, engine.NewBuffer(s.DType, s.Size()))
	}
	return out
}

// ForACluster says that the scale is beyond one machine, and that runs of the sweeps in dir are still to be made.
func (r *Reproduction) ForACluster(ctx context.Context, s Scale, sweeps []*sweep.Sweep, dir string) (bool, error) {
	if !r.cluster || s != Paper {
		return false, nil
	}
	for _, sw := range sweeps {
		statuses, err := sw.Status(ctx, filepath.Join(dir, sw.Name))
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(statuses, func(st sweep.Status) bool { return st.State != sweep.Ended }) {
			return true, nil
		}
	}
	return false, nil
}
