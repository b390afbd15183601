package reproduce

import (
	"context"
	"fmt"
	"math"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/objective"
	"shadowflow/objective/closed"
	"shadowflow/report"
)

func bilinear() *Reproduction {
	return &Reproduction{
		Name:  "bilinear",
		Title: "The two-parameter picture: where runs end on the solution curve",
		Claim: "On E = (1/2)(1.5 - 2 theta1 theta2)^2 every point of the curve theta1 theta2 = 0.75 is a solution; with beta1 > beta2 Adam with a larger lr ends nearer to the one where the norm near the curve is smallest, " +
			"theta1 = theta2, than with a smaller lr, and nearer than with the betas exchanged; the modified equation of order 2 predicts the end to second order in lr, and at each lr nearer than that of order 1.",
		Design: "Full-batch Adam with eps = 0.01 from (2.2, 1.6) at five lr and four pairs of betas, and the modified equations of orders 1 and 2 from the same start, exact in the step number. The end is described by theta1^2 - theta2^2, which is 0 at the minimizer. " +
			"No seeds are involved: the verdict rests on the order of the ends, on the slope with which the prediction's error falls between the two smallest lr, and on whether order 2 is nearer than order 1 at each lr.",
		Changed:    []string{earlier},
		hypotheses: func(Scale) []Hypothesis { return bilinearHypotheses() },
		judge:      func(ctx context.Context, f *Result, _ []trials) error { return judgeBilinear(ctx, f) },
	}
}

// The setting of the two-parameter picture.
var (
	bilinearPair  = [2]float64{2, 1.5} // x and y
	bilinearStart = []float64{2.2, 1.6}
)

const (
	bilinearEps  = 0.01
	bilinearTime = 1.6
)

var (
	bilinearPairs = [][2]float64{{0.9, 0.5}, {0.7, 0.3}, {0.3, 0.7}, {0.5, 0.9}} // the last two are the first with the betas exchanged
	bilinearLRs   = []float64{8e-3, 4e-3, 2e-3, 1e-3, 5e-4}
)

func bilinearHypotheses() []Hypothesis {
	var out []Hypothesis
	every := float64(len(bilinearLRs))
	for i, betas := range bilinearPairs {
		name := fmt.Sprintf("%g, %g", betas[0], betas[1])
		out = append(out,
			Hypothesis{
				Name: "slope of " + name, Claim: "Betas " + name + ": the error of order 2 falls like lr^2", Measure: "slope between the two smallest lr", Test: Bound, Direction: Up, Least: 2 - report.SlopeMargin,
			},
			Hypothesis{
				Name: "nearer of " + name, Claim: "Betas " + name + ": order 2 predicts the end better than order 1", Measure: fmt.Sprintf("step sizes, of %g", every), Test: Bound, Direction: Up, Least: every,
			})
		if i < 2 {
			out = append(out, Hypothesis{
				Name: "ends of " + name, Claim: "Betas " + name + " end nearer to the minimizer the larger lr is, and nearer than with the betas exchanged", Measure: fmt.Sprintf("step sizes, of %g", every),
				Test: Bound, Direction: Up, Least: every,
			})
		}
	}
	return out
}

// A bilinearRun is one run and its modified equations, as paths in the plane.
type bilinearRun struct {
	beta1, beta2, lr        float64
	iterates, first, second [][]float64 // by the optimizer, and by the equations of orders 1 and 2
}

// imbalance is theta1^2 - theta2^2 at the end of a path: 0 where the norm is smallest on the solution curve.
func imbalance(path [][]float64) float64 {
	end := path[len(path)-1]
	return end[0]*end[0] - end[1]*end[1]
}

// bilinearProblem is Adam on the loss of two parameters.
func bilinearProblem(beta1, beta2, eps, lr float64, start []float64) (p run.Problem[float64], err error) {
	c, err := config.New(set("optimizer.beta1", beta1), set("optimizer.beta2", beta2), set("optimizer.eps", eps))
	if err != nil {
		return p, err
	}
	r, err := c.Optimizer.Rule()
	if err != nil {
		return p, err
	}
	loss, err := closed.New("bilinear", map[string]any{"pairs": [][2]float64{bilinearPair}})
	return run.Problem[float64]{Objective: objective.NewNumeric[float64](loss, 0), Rule: r, Theta: start, LR: lr}, err
}

func runBilinear(ctx context.Context, beta1, beta2, lr float64) (*bilinearRun, error) {
	p, err := bilinearProblem(beta1, beta2, bilinearEps, lr, bilinearStart)
	if err != nil {
		return nil, err
	}
	paths, err := run.Iterate(ctx, p, run.Iteration{Steps: int(math.Round(bilinearTime / lr)), Orders: []int{1, 2}})
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if path.Ended != nil {
			return nil, path.Ended
		}
	}
	return &bilinearRun{beta1: beta1, beta2: beta2, lr: lr, iterates: paths[0].Theta, first: paths[1].Theta, second: paths[2].Theta}, nil
}

func judgeBilinear(ctx context.Context, f *Result) error {
	pairs, lrs := bilinearPairs, bilinearLRs
	ends := report.Axes{X: "lr", Y: "theta1² - theta2² at the end", LogX: true, TicksX: lrs}
	table := report.Table{Caption: "theta1^2 - theta2^2 at the end; 0 is the minimizer of the norm on the solution curve", Header: []string{"beta1", "beta2", "lr", "iterates", "order 1", "order 2"}}
	var drawn []*bilinearRun
	byPair := map[[2]float64][]float64{}
	for i, betas := range pairs {
		var iterates, second, firstErrors, secondErrors []float64
		for _, lr := range lrs {
			run, err := runBilinear(ctx, betas[0], betas[1], lr)
			if err != nil {
				return err
			}
			a, b, c := imbalance(run.iterates), imbalance(run.first), imbalance(run.second)
			iterates, second = append(iterates, a), append(second, c)
			firstErrors, secondErrors = append(firstErrors, math.Abs(a-b)), append(secondErrors, math.Abs(a-c))
			table.Rows = append(table.Rows, []string{fmt.Sprint(betas[0]), fmt.Sprint(betas[1]), fmt.Sprint(lr), short(a), short(b), short(c)})
			if lr == lrs[0] {
				drawn = append(drawn, run)
			}
		}
		byPair[betas] = iterates
		n := len(lrs)
		slope := math.Log(secondErrors[n-2]/secondErrors[n-1]) / math.Log(lrs[n-2]/lrs[n-1])
		name := fmt.Sprintf("%g, %g", betas[0], betas[1])
		worse, nearer := farther(lrs, firstErrors, secondErrors)
		f.giveEach("slope of "+name, []float64{slope})
		f.giveEach("nearer of "+name, []float64{float64(nearer)})
		if worse != "" {
			f.say("Betas %s: order 2 is farther than order 1 at lr %s.", name, worse)
		}
		ends.Series = append(ends.Series,
			report.Series{Name: name, X: lrs, Y: iterates, Marks: true, Color: i, Mark: i},
			report.Series{Name: name + ", order 2", Unlisted: true, X: lrs, Y: second, Line: true, Color: i, Dash: i})
	}
	for _, betas := range pairs[:2] {
		here, exchanged := byPair[betas], byPair[[2]float64{betas[1], betas[0]}]
		ordered := 0
		for k := range here {
			ordered += count((k == 0 || here[k] > here[k-1]) && here[k] < exchanged[k]) // lrs fall
		}
		f.giveEach(fmt.Sprintf("ends of %g, %g", betas[0], betas[1]), []float64{float64(ordered)})
		f.say("Betas %g, %g end at %s at lr %g, the betas exchanged at %s.", betas[0], betas[1], short(here[0]), lrs[0], short(exchanged[0]))
	}
	f.drawings = []report.Drawing{bilinearPlane(drawn), &report.Chart{
		Labels: report.Label{
			Name: "bilinear-ends", Title: "Where runs end on the solution curve, against lr",
			Caption: "Marks: the iterates' theta1² - theta2² at the end, for four pairs beta1, beta2; lines of the same colour: the prediction of the modified equation of order 2. Zero is the minimizer of the norm on the solution curve.",
		},
		Height: 3, Axes: []report.Axes{ends},
	}}
	f.tables = []report.Table{table}
	return nil
}

// farther names the step sizes at which order 2 misses the end by more than order 1, and counts the others.
func farther(lrs, first, second []float64) (text string, nearer int) {
	var at []string
	for k, lr := range lrs {
		if !(second[k] < first[k]) {
			at = append(at, fmt.Sprintf("%g, where it misses by %.2g and order 1 by %.2g", lr, second[k], first[k]))
		}
	}
	return strings.Join(at, "; "), len(lrs) - len(at)
}

// bilinearPlane draws the paths of the largest lr among level sets of the loss, whole and near the ends.
func bilinearPlane(runs []*bilinearRun) *report.Chart {
	root := math.Sqrt(bilinearPair[1] / bilinearPair[0])
	whole := report.Axes{X: "theta1", Y: "theta2", MinX: 0.5, MaxX: 2.4, MinY: 0.2, MaxY: 1.7}
	ends := report.Axes{X: "theta1, near the ends", Y: "theta2", MinX: 0.8, MaxX: 1.45, MinY: 0.4, MaxY: 1}
	for _, axes := range []*report.Axes{&whole, &ends} {
		listed := false
		for _, product := range []float64{0.25, 0.5, 1.0, 1.5, 2.25, 3.0} {
			x, y := hyperbola(product, axes)
			if len(x) == 0 {
				continue
			}
			axes.Series = append(axes.Series, report.Series{Name: levelSet(product), Legend: "level sets of E", Unlisted: listed, X: x, Y: y, Faint: true, Line: true, Dash: 2})
			listed = true
		}
		solution := report.Series{Name: "solutions, E = 0", Line: true, Color: 5}
		solution.X, solution.Y = hyperbola(root*root, axes)
		axes.Series = append(axes.Series, solution)
		for i, run := range []*bilinearRun{runs[0], runs[len(runs)-1]} {
			name := fmt.Sprintf("betas %g, %g", run.beta1, run.beta2)
			axes.Series = append(axes.Series, pathSeries(name, run.iterates, i, 0), beside(name, "order 2", run.second, i, 1), beside(name, "order 1", run.first, i, 2))
		}
		axes.Series = append(axes.Series, report.Series{Name: "smallest norm", X: []float64{root}, Y: []float64{root}, Marks: true, Color: 3})
	}
	return &report.Chart{
		Labels: report.Label{
			Name: "bilinear", Title: fmt.Sprintf("Adam on E = (1/2)(1.5 - 2 theta1 theta2)², lr = %g", runs[0].lr),
			Caption: "Iterates (full lines), modified equations of order 2 (dashed) and 1 (dotted) from the same start, for beta1 = 0.9, beta2 = 0.5 and the betas exchanged; below, the same near the ends. The dot marks the solution at which the norm of the gradient near the curve is smallest.",
		},
		Height: 3.4, Axes: []report.Axes{whole, ends},
	}
}

// hyperbola is theta1 theta2 = product within the axes.
func hyperbola(product float64, a *report.Axes) (x, y []float64) {
	const points = 200
	for i := range points + 1 {
		u := a.MinX + (a.MaxX-a.MinX)*float64(i)/points
		if v := product / u; v >= a.MinY && v <= a.MaxY {
			x, y = append(x, u), append(y, v)
		}
	}
	return x, y
}

// levelSet names a level set of the loss.
func levelSet(product float64) string { return fmt.Sprintf("level set theta1 theta2 = %g", product) }

// beside is the path of an equation beside the iterates that have a name.
func beside(name, equation string, path [][]float64, color, dash int) report.Series {
	s := pathSeries(name+", "+equation, path, color, dash)
	s.Legend = "  " + equation
	return s
}

func pathSeries(name string, path [][]float64, color, dash int) report.Series {
	s := report.Series{Name: name, Line: true, Color: color, Dash: dash}
	for _, p := range path {
		s.X, s.Y = append(s.X, p[0]), append(s.Y, p[1])
	}
	return s
}
