package reproduce

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/report"
)

func figure2() *Reproduction {
	return &Reproduction{
		Name:  "figure-2",
		Title: "Figure 2: Adam's paths on a loss of two parameters, and where they end",
		Claim: "On (1/2)(1.5 - 2 theta1 theta2)^2 from (2.8, 3.5), with eps = 1e-6, larger beta1 and lower beta2 bring the end nearer to where the norm is smallest on the curve of solutions; the ends are those of the paper's figure. At all of them the equation that keeps the memory is nearer to the end than the one that eliminates it.",
		Design: "Adam with eps inside the root and bias correction, in float64, at the 20 settings of the paper's four panels, to the first iterate with |1.5 - 2 theta1 theta2| < 0.02, from the tenth step on with the second-order equations beside it: " +
			"the one that eliminates the memory, as in the paper, and the one that keeps it as a state. The ends must be the paper's to 5e-5. Nothing is random.",
		Changed: []string{earlier},
		hypotheses: func(Scale) []Hypothesis {
			return []Hypothesis{
				{Name: "ends", Claim: "The ends are the paper's", Measure: "ends within 5e-5 of the paper's, of 20", Test: Bound, Direction: Up, Least: 20},
				{
					Name: "order", Claim: "Larger beta1 (panel A) and lower beta2 (panel C) bring the end nearer to theta1 = theta2, where the norm is smallest", Measure: "pairs of neighbouring curves, of 8",
					Test: Bound, Direction: Up, Least: 8,
				},
				{
					Name: "kept", Claim: "The equation that keeps the memory is nearer to the end than the one that eliminates it", Measure: "settings, of 20", Test: Bound,
					Direction: Up, Least: 20,
				},
			}
		},
		judge: func(ctx context.Context, f *Result, _ []trials) error { return judgeFigure2(ctx, f) },
	}
}

// A panel2 is one of the figure's panels: what varies, and where the paper's curves end.
type panel2 struct {
	name, varied string
	curves       []curve2
}

// A curve2 is the setting of one curve, and its end as printed.
type curve2 struct {
	beta1, beta2, lr float64
	end              [2]float64
}

var figure2Panels = []panel2{
	{"A: beta2 = 0.999, lr = 0.001", "beta1", []curve2{
		{.9, .999, 1e-3, [2]float64{.49596, 1.5324}}, {.99, .999, 1e-3, [2]float64{.50292, 1.5112}}, {.997, .999, 1e-3, [2]float64{.52624, 1.4441}},
		{.999, .999, 1e-3, [2]float64{.57507, 1.3204}}, {.9999, .999, 1e-3, [2]float64{.58492, 1.2967}},
	}},
	{"B: beta1 = 0.995, beta2 = 0.75", "lr", []curve2{
		{.995, .75, 1e-5, [2]float64{.58976, 1.2886}}, {.995, .75, 1e-4, [2]float64{.59302, 1.2798}}, {.995, .75, 2.4e-4, [2]float64{.6007, 1.2649}},
		{.995, .75, 5e-4, [2]float64{.60875, 1.2264}}, {.995, .75, 1e-3, [2]float64{.63675, 1.1893}},
	}},
	{"C: beta1 = 0.9, lr = 0.001", "beta2", []curve2{
		{.9, .9, 1e-3, [2]float64{.58867, 1.289}}, {.9, .99, 1e-3, [2]float64{.56935, 1.3348}}, {.9, .997, 1e-3, [2]float64{.5273, 1.4412}},
		{.9, .999, 1e-3, [2]float64{.49596, 1.5324}}, {.9, .9999, 1e-3, [2]float64{.48446, 1.5688}},
	}},
	{"D: beta1 = 0.9, beta2 = 0.999", "lr", []curve2{
		{.9, .999, 1e-5, [2]float64{.58758, 1.2934}}, {.9, .999, 1e-4, [2]float64{.56846, 1.3369}}, {.9, .999, 2.4e-4, [2]float64{.54051, 1.4061}},
		{.9, .999, 5e-4, [2]float64{.51177, 1.485}}, {.9, .999, 1e-3, [2]float64{.49596, 1.5324}},
	}},
}

const (
	figure2Eps      = 1e-6
	figure2Residual = 0.02
	figure2Begin    = 10 // steps behind which the equations begin
	figure2Off      = 5e-5
	figure2FarOff   = 0.1
	figure2Span     = 20 // lr times steps, more than any curve takes
	figure2Kept     = 1e-2
)

var figure2Start = []float64{2.8, 3.5}

// value is that of the parameter that varies in the panel.
func (p panel2) value(c curve2) float64 {
	return map[string]float64{"beta1": c.beta1, "beta2": c.beta2, "lr": c.lr}[p.varied]
}

// paths returns the iterates, and the equations of those names, some of their points.
func (c curve2) paths(ctx context.Context, beside ...string) ([]run.Path, error) {
	p, err := bilinearProblem(c.beta1, c.beta2, figure2Eps, c.lr, figure2Start)
	if err != nil {
		return nil, err
	}
	return run.Iterate(ctx, p, run.Iteration{
		Steps: int(figure2Span / c.lr), Beside: beside, Start: figure2Begin,
		StopLoss: figure2Residual * figure2Residual / 2, Every: max(1, int(math.Round(figure2Kept/c.lr))),
	})
}

// apart returns the distance of a path's last point from an end, and as text why there is none.
func apart(p run.Path, end []float64) (float64, string) {
	if p.Ended != nil {
		return math.NaN(), "runs away"
	}
	last := p.Theta[len(p.Theta)-1]
	d := math.Hypot(last[0]-end[0], last[1]-end[1])
	return d, short(d)
}

// isNearer reports whether a path ends nearer than another. One that runs away, at a distance that is no number, is not; any other is nearer than it.
func isNearer(distance, other float64) bool { return !math.IsNaN(distance) && !(other <= distance) }

// figure2Paths returns, of each curve of each panel, the iterates and the equations, made on all processors.
func figure2Paths(ctx context.Context) ([][][]run.Path, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	all := make([][][]run.Path, len(figure2Panels))
	for n, panel := range figure2Panels {
		all[n] = make([][]run.Path, len(panel.curves))
		for i, c := range panel.curves {
			group.Go(func() (err error) {
				all[n][i], err = c.paths(ctx, "state-2", "memoryless-2")
				return err
			})
		}
	}
	return all, group.Wait()
}

func judgeFigure2(ctx context.Context, f *Result) error {
	chart := &report.Chart{Height: 3.4, Labels: report.Label{
		Name: "figure-2", Title: "Adam on (1/2)(1.5 - 2 theta1 theta2)², from (2.8, 3.5)",
		Caption: "Iterates (full lines), and the second-order equations that keep the memory as a state (dashed) and eliminate it (dotted), which hold where the lines coincide, but for how far along them they are: the table has the distances at the end. Squares: the ends of the paper's figure. Dashed grey: level sets of the loss.",
	}}
	table := report.Table{
		Caption: "Where the curves end: the first iterate with |1.5 - 2 theta1 theta2| < 0.02, and how far from it the equations of order 2 are then",
		Header:  []string{"beta1", "beta2", "lr", "the paper's end", "ours", "steps", "memory kept: distance", "memory eliminated: distance"},
	}
	ends, near, nearer, away := 0, 0, 0, 0
	farthestKept, farthestEliminated := 0.0, 0.0 // of those that do not run away
	imbalances := map[string][]float64{}         // of the ends, by what varies
	all, err := figure2Paths(ctx)
	if err != nil {
		return err
	}
	var farOff []string
	for n, panel := range figure2Panels {
		off := 0
		axes := planeOfFigure2(panel.name)
		ring := report.Series{Name: "the paper's ends", Marks: true, Mark: 1, Color: 7}
		for i, c := range panel.curves {
			paths := all[n][i]
			iterates, kept, eliminated := paths[0], paths[1], paths[2]
			end := iterates.Theta[len(iterates.Theta)-1]
			ends++
			imbalances[panel.varied] = append(imbalances[panel.varied], math.Abs(imbalance(iterates.Theta)))
			if math.Abs(end[0]-c.end[0]) < figure2Off && math.Abs(end[1]-c.end[1]) < figure2Off {
				near++
			}
			keptOff, keptText := apart(kept, end)
			eliminatedOff, eliminatedText := apart(eliminated, end)
			nearer += count(isNearer(keptOff, eliminatedOff))
			farthestKept, farthestEliminated = sweep.Largest([]float64{farthestKept, keptOff}), sweep.Largest([]float64{farthestEliminated, eliminatedOff})
			off += count(!(eliminatedOff < figure2FarOff))
			if eliminated.Ended != nil {
				away++
			}
			table.Rows = append(table.Rows, []string{fmt.Sprint(c.beta1), fmt.Sprint(c.beta2), fmt.Sprint(c.lr), fmt.Sprintf("(%.5g, %.5g)", c.end[0], c.end[1]),
				fmt.Sprintf("(%.5f, %.4f)", end[0], end[1]), fmt.Sprint(iterates.Last), keptText, eliminatedText})
			name := fmt.Sprintf("%s = %g", panel.varied, panel.value(c))
			axes.Series = append(axes.Series, pathSeries(name, iterates.Theta, i, 0))
			for k, equation := range []run.Path{kept, eliminated} {
				s := beside(name, []string{"memory kept", "memory eliminated"}[k], equation.Theta, i, k+1)
				s.Unlisted = i > 0
				axes.Series = append(axes.Series, s)
			}
			ring.X, ring.Y = append(ring.X, c.end[0]), append(ring.Y, c.end[1])
		}
		farOff = append(farOff, fmt.Sprintf("%d of %d of %s", off, len(panel.curves), panel.name))
		axes.Series = append(axes.Series, ring)
		chart.Axes = append(chart.Axes, axes)
	}
	f.giveEach("order", []float64{float64(inOrder(imbalances["beta1"], Down) + inOrder(imbalances["beta2"], Up))})
	f.giveEach("ends", []float64{float64(near)})
	f.giveEach("kept", []float64{float64(nearer)})
	f.say("The equation of order 2 that keeps the memory is at most %s from the end; the one that eliminates it at most %s, and runs away at %d of %d settings.",
		short(farthestKept), short(farthestEliminated), away, ends)
	f.say("The one that eliminates the memory is more than %g from the end, which is what it fails by here, at %s.", figure2FarOff, strings.Join(farOff, "; "))
	f.drawings, f.tables = []report.Drawing{chart}, []report.Table{table}
	return nil
}

// inOrder counts the neighbours that go in a direction.
func inOrder(values []float64, d Direction) int {
	n := 0
	for i := 1; i < len(values); i++ {
		n += count((values[i]-values[i-1])*float64(d) > 0)
	}
	return n
}

// planeOfFigure2 has the level sets of the loss and its solutions.
func planeOfFigure2(name string) report.Axes {
	axes := report.Axes{X: "theta1, " + name, Y: "theta2", MinX: 0.3, MaxX: 3, MinY: 1, MaxY: 3.7}
	for i, product := range []float64{0.75, 1.5, 3, 5, 8} {
		s := report.Series{Name: levelSet(product), Unlisted: true, Line: true, Faint: true, Dash: 2}
		if i == 0 {
			s = report.Series{Name: "solutions", Line: true, Color: 6}
		}
		s.X, s.Y = hyperbola(product, &axes)
		axes.Series = append(axes.Series, s)
	}
	return axes
}
