package serve

import (
	"context"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/report"
)

// view is what a page shows of runs: their figures as data.
type view struct {
	// Sentences are what a single run says, Differences what several differ in.
	Sentences   []string      `json:"sentences,omitempty"`
	Differences *report.Table `json:"differences,omitempty"`
	Config      string        `json:"config,omitempty"`
	Figures     []figure      `json:"figures"`
	// Problems are of runs that could not be read, by their paths.
	Problems map[string]string `json:"problems,omitempty"`
	// Marks are those of the files that were read, by the runs' paths: an event with others says that there is more.
	Marks map[string]string `json:"marks"`
}

type figure struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Caption string `json:"caption"`
	Axes    []axes `json:"axes"`
	// Apart says that x stays what it is, whatever the abscissa.
	Apart bool `json:"apart,omitempty"`
}

type axes struct {
	X      string   `json:"x"`
	Y      string   `json:"y"`
	LogX   bool     `json:"logX,omitempty"`
	LogY   bool     `json:"logY,omitempty"`
	Zero   bool     `json:"zero,omitempty"`
	MinY   *float64 `json:"minY,omitempty"`
	MaxY   *float64 `json:"maxY,omitempty"`
	Shaded []span   `json:"shaded,omitempty"`
	Series []series `json:"series"`
}

type span struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	Name string  `json:"name"`
}

type series struct {
	Name  string  `json:"name"`
	X     numbers `json:"x"`
	Y     numbers `json:"y"`
	Low   numbers `json:"low,omitempty"`
	High  numbers `json:"high,omitempty"`
	Color int     `json:"color"`
	Dash  int     `json:"dash,omitempty"`
	Mark  int     `json:"mark,omitempty"`
	Line  bool    `json:"line"`
	Marks bool    `json:"marks,omitempty"`
	Faint bool    `json:"faint,omitempty"`
}

// figureOf returns a chart as data.
func figureOf(c *report.Chart) figure {
	f := figure{Name: c.Labels.Name, Title: c.Labels.Title, Caption: c.Labels.Caption, Apart: c.Apart}
	for _, a := range c.Axes {
		to := axes{X: a.X, Y: a.Y, LogX: a.LogX, LogY: a.LogY, Zero: a.Zero}
		if a.MinY != a.MaxY {
			to.MinY, to.MaxY = &a.MinY, &a.MaxY
		}
		for _, s := range a.Shaded {
			to.Shaded = append(to.Shaded, span(s))
		}
		for _, s := range a.Series {
			if len(s.X) == 0 {
				continue
			}
			to.Series = append(to.Series, series{
				Name: s.Name, X: s.X, Y: s.Y, Low: s.Low, High: s.High, Color: s.Color, Dash: s.Dash, Mark: s.Mark,
				Line: s.Line || !s.Marks, Marks: s.Marks, Faint: s.Faint,
			})
		}
		f.Axes = append(f.Axes, to)
	}
	return f
}

// mostRuns is how many runs one answer compares: the page asks for more in turn.
const mostRuns = 20

// window is what part of the runs is looked at, and against what.
type window struct {
	abscissa  string // step, time or loss
	low, high float64
	points    int
}

// The abscissas.
const (
	bySteps = "step"
	byTime  = "time"
	byLoss  = "loss"
)

func windowOf(query url.Values) (w window, err error) {
	if w.abscissa = query.Get("x"); w.abscissa == "" {
		w.abscissa = bySteps
	}
	if !slices.Contains([]string{bySteps, byTime, byLoss}, w.abscissa) {
		return w, refuse("x is %.80q; want step, time or loss", w.abscissa)
	}
	if w.low, err = numberOf(query, "from"); err != nil {
		return w, err
	}
	if w.high, err = numberOf(query, "to"); err != nil {
		return w, err
	}
	const fewest, most = 20, 20000
	if text := query.Get("points"); text != "" {
		if w.points, err = strconv.Atoi(text); err != nil || w.points < fewest || w.points > most {
			return w, refuse("points is %.80q; want a number from %d to %d", text, fewest, most)
		}
	}
	return w, nil
}

// panels answers with the figures of one run, or with those that compare several.
func (s *Server) panels(ctx context.Context, query url.Values) (any, error) {
	w, err := windowOf(query)
	if err != nil {
		return nil, err
	}
	paths := query["run"]
	if len(paths) == 0 || len(paths) > mostRuns {
		return nil, refuse("%d runs; want from 1 to %d", len(paths), mostRuns)
	}
	v := &view{Problems: map[string]string{}, Marks: map[string]string{}, Figures: []figure{}}
	var runs []*report.Report
	var names []string
	scales := map[string]*scale{}
	for _, at := range paths {
		seen, err := s.look(ctx, at, w)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			v.Problems[at] = err.Error()
			continue
		}
		v.Marks[at], scales[at] = seen.mark, seen.scale
		runs, names = append(runs, seen.Report), append(names, at)
		if len(paths) == 1 {
			v.Sentences = seen.Sentences() // of all rows
		}
		seen.narrow(w)
	}
	switch compared := query.Get("compared") != "" || len(paths) > 1; {
	case len(runs) == 0:
	case compared:
		differences := report.Differences(runs, names)
		v.Differences, v.Sentences = &differences, nil
		v.add(report.ComparisonFigures(runs, names), func(name string) *scale { return scales[name] }, w)
	default:
		v.Config = runs[0].Source()
		v.add(runs[0].Figures(), func(string) *scale { return scales[names[0]] }, w)
	}
	return v, nil
}

// add puts charts into the view, against what its window asks for. scaleOf returns the scale of a curve by its name.
func (v *view) add(drawings []report.Drawing, scaleOf func(name string) *scale, w window) {
	for _, d := range drawings {
		c, ok := d.(*report.Chart)
		if !ok {
			continue
		}
		f := figureOf(c)
		for i := range f.Axes {
			if f.Apart {
				continue
			}
			rescale(&f.Axes[i], scaleOf, w)
		}
		v.Figures = append(v.Figures, f)
	}
}

// A seen is a run that was looked at.
type seen struct {
	*report.Report
	table *record.Table // its history
	scale *scale
	mark  string // of the files that were read
}

// look reads a run as far as it goes.
func (s *Server) look(ctx context.Context, at string, w window) (*seen, error) {
	dir, err := s.library.inside(at)
	if err != nil {
		return nil, err
	}
	mark := rowsMark(dir)
	table, err := s.library.table(ctx, dir, mark)
	if err != nil {
		return nil, err
	}
	r, err := report.With(dir, table)
	if err != nil {
		return nil, err
	}
	r.Points = w.points
	sc, err := scaleFor(r, dir, w.abscissa)
	if err != nil {
		return nil, err
	}
	return &seen{r, table, sc, mark}, nil
}

// narrow leaves the run the rows that a window shows, for its figures.
func (s *seen) narrow(w window) {
	if low, high, some := s.scale.steps(w.low, w.high); some {
		s.History = s.table.Between(low, high)
	}
}

// A scale takes steps to what stands on the abscissa instead; nil leaves them.
type scale struct{ at, values []float64 }

// scaleFor returns the scale of a run.
func scaleFor(r *report.Report, dir, abscissa string) (*scale, error) {
	steps := r.History.Floats("step")
	sc := &scale{}
	add := func(step, v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			sc.at, sc.values = append(sc.at, step), append(sc.values, v)
		}
	}
	switch abscissa {
	case byTime:
		times, err := record.ReadTimes(dir)
		if err != nil {
			return nil, err
		}
		for _, step := range steps {
			if seconds, ok := times[int(step)]; ok {
				add(step, seconds)
			}
		}
	case byLoss:
		column, _ := run.OverAll(r.Config, r.History, "loss")
		for i, v := range r.History.Floats(column) {
			add(steps[i], v)
		}
	default:
		return nil, nil
	}
	return sc, nil
}

// of returns the value at a step, between the nearest that are known, NaN where none are at both sides.
func (s *scale) of(step float64) float64 {
	if s == nil {
		return step
	}
	i, there := slices.BinarySearch(s.at, step)
	switch {
	case there:
		return s.values[i]
	case i == 0 || i == len(s.at):
		return math.NaN()
	}
	f := (step - s.at[i-1]) / (s.at[i] - s.at[i-1])
	return s.values[i-1] + f*(s.values[i]-s.values[i-1])
}

// steps returns the steps between which all values from low to high lie; some is false where that is all, or nothing bounds them.
func (s *scale) steps(low, high float64) (from, to float64, some bool) {
	if math.IsNaN(low) && math.IsNaN(high) {
		return 0, 0, false
	}
	if math.IsNaN(low) {
		low = math.Inf(-1)
	}
	if math.IsNaN(high) {
		high = math.Inf(1)
	}
	if s == nil {
		return low, high, true
	}
	from, to = math.Inf(1), math.Inf(-1)
	for i, v := range s.values {
		if v >= low && v <= high {
			from, to = min(from, s.at[i]), max(to, s.at[i])
		}
	}
	return from, to, from <= to
}

// rescale puts axes against another abscissa. What is shaded covers all values that the stretch has.
func rescale(a *axes, scaleOf func(string) *scale, w window) {
	switch w.abscissa {
	case bySteps:
		return
	case byTime:
		a.X = "time of work (s)"
	case byLoss:
		a.X = "training loss"
		a.LogX = true
	}
	for i := range a.Series {
		s := &a.Series[i]
		sc := scaleOf(s.Name)
		if sc == nil { // a line across
			s.X = across(a.Series[:i])
			continue
		}
		x := make(numbers, len(s.X))
		for k, step := range s.X {
			x[k] = sc.of(step)
		}
		s.X = x
	}
	var shaded []span
	for _, st := range a.Shaded {
		if sc := scaleOf(""); sc != nil {
			if low, high, ok := sc.reach(st.From, st.To); ok {
				shaded = append(shaded, span{low, high, st.Name})
			}
		}
	}
	a.Shaded = shaded
}

// across returns the ends of a line over all that some curves reach over.
func across(curves []series) numbers {
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range curves {
		for _, v := range s.X {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	return numbers{low, high}
}

// reach returns the least and the largest value between two steps.
func (s *scale) reach(from, to float64) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	see := func(v float64) {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	see(s.of(from))
	see(s.of(to))
	for i, at := range s.at {
		if at >= from && at <= to {
			see(s.values[i])
		}
	}
	return low, high, low <= high
}

// runs answers with the list.
func (s *Server) runs(ctx context.Context, _ url.Values) (any, error) {
	entries, whole, err := s.library.list(ctx)
	if err != nil {
		return nil, err
	}
	if entries == nil {
		entries = []entry{}
	}
	return map[string]any{"folder": filepath.Base(s.library.root), "entries": entries, "whole": whole}, nil
}
