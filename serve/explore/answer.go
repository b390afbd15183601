package explore

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/report"
	"shadowflow/schema"
)

// Answer is what the page draws. Numbers that are none are null.
type Answer struct {
	Optimizer string   `json:"optimizer"`
	Keys      []Key    `json:"keys,omitempty"` // of an optimizer that was typed in
	Axes      []string `json:"axes"`           // of the plane
	// Command is the line that records the same; a draft has none.
	Command string `json:"command,omitempty"`
	// Without are equations that were asked for and are not there, and why.
	Without []Absent `json:"without,omitempty"`
	Run     *Run     `json:"run,omitempty"`
	Surface *Surface `json:"surface,omitempty"`
	Field   *Field   `json:"field,omitempty"`
}

// Absent is an equation that does not exist here.
type Absent struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Run is a run and what moved beside it.
type Run struct {
	Status string `json:"status"`
	Steps  []int  `json:"steps"` // of the rows
	// Loss and Excess are the loss and the excess perturbed one-norm of the gradient that the steps see.
	Loss   []record.Number `json:"loss"`
	Excess []record.Number `json:"excess"`
	// Paths are the points in the plane, those of the iterates first.
	Paths []Path `json:"paths"`
	// Verdicts say of each row what its step says of the second-order equation without memory, and StateHolds whether the one that keeps the memory
	// holds there; empty where it was not measured.
	Verdicts   []string `json:"verdicts,omitempty"`
	StateHolds []string `json:"state_holds,omitempty"`
	// Monitors are the last readings, and Sentences what they say.
	Monitors  []Monitor `json:"monitors,omitempty"`
	Sentences []string  `json:"sentences,omitempty"`
}

// Path is a curve in the plane, with what was measured of it in the run's rows.
type Path struct {
	Name     string             `json:"name"`
	Steps    []int              `json:"steps"` // of the points
	Points   [][2]record.Number `json:"points"`
	Ended    string             `json:"ended,omitempty"` // why it ends before the run
	Distance []record.Number    `json:"distance,omitempty"`
	Relative []record.Number    `json:"relative,omitempty"` // over the way that the optimizer has gone
	Loss     []record.Number    `json:"loss,omitempty"`
	Excess   []record.Number    `json:"excess,omitempty"`
}

// Monitor is the last reading of a column.
type Monitor struct {
	Name    string        `json:"name"`
	Step    int           `json:"step"`
	Value   record.Number `json:"value"`
	Meaning string        `json:"meaning"`
}

// answer answers a question.
func answer(ctx context.Context, q *Request) (*Answer, error) {
	c, settings, err := q.Config()
	if err != nil {
		return nil, err
	}
	a := &Answer{Axes: []string{"theta1", "theta2"}}
	trained := c.Objective.Name == config.Network
	at := &plane{}
	if q.wants("run") {
		var recording *run.Recording
		if recording, settings, err = a.carryOut(ctx, q, c, settings); err != nil {
			return nil, err
		}
		if trained {
			at = planeOf(recording.Paths[0].Theta)
		}
		a.Run = runOf(recording, at, q.Draft)
	}
	a.Optimizer = c.Optimizer.String()
	if a.Keys, err = q.keys(); err != nil {
		return nil, err
	}
	if !q.Draft {
		a.Command = Command(settings)
	}
	if trained {
		a.Axes = []string{"from start to end", "across"}
	}
	return a, a.paint(ctx, q, c, at)
}

// carryOut runs a config, without those equations beside it that do not exist there, and returns the settings of what it ran.
func (a *Answer) carryOut(ctx context.Context, q *Request, c *config.Config, settings []schema.Setting) (*run.Recording, []schema.Setting, error) {
	for {
		r, err := run.InMemory(ctx, c)
		var wrong *schema.Error
		if err == nil || !errors.As(err, &wrong) || wrong.Key != "beside" {
			return r, settings, err
		}
		name, why, _ := strings.Cut(wrong.Problem, ": ")
		at := slices.Index(c.Beside, name)
		if at < 0 {
			return nil, nil, err
		}
		a.Without = append(a.Without, Absent{name, why})
		less, rest := *q, []any{}
		for _, other := range slices.Delete(slices.Clone(c.Beside), at, at+1) {
			rest = append(rest, other)
		}
		less.Set = maps.Clone(q.Set)
		less.Set["beside"] = rest
		if c, settings, err = less.Config(); err != nil {
			return nil, nil, err
		}
		q = &less
	}
}

// paint adds the surface and the field, where they are asked for.
func (a *Answer) paint(ctx context.Context, q *Request, c *config.Config, at *plane) error {
	view, trained := q.View, at.origin != nil
	if trained {
		view = at.around(a.Run.Paths[0].Points)
	}
	if view == nil || !q.wants("surface") && !q.wants("field") {
		return nil
	}
	p, err := run.NewProblem[float64](ctx, c)
	if err != nil {
		return err
	}
	if q.wants("surface") {
		if a.Surface, err = surfaceOf(ctx, p, at, view, q.Draft); err != nil {
			return err
		}
	}
	if q.wants("field") && p.Objective.Dim() == drawn {
		a.Field, err = fieldOf(ctx, p, view, q.Draft)
	}
	return err
}

// runOf returns what is drawn of a recording.
func runOf(r *run.Recording, at *plane, draft bool) *Run {
	h := r.History
	numbers := func(name string) []record.Number { return record.Numbers(h.Floats(name)) }
	out := &Run{Status: string(r.Result.Status), Loss: numbers("loss"), Excess: numbers("excess")}
	for _, n := range h.Floats("step") {
		out.Steps = append(out.Steps, int(n))
	}
	for i, p := range r.Paths {
		path := Path{Name: "iterates", Steps: append([]int{}, p.Steps...), Points: [][2]record.Number{}}
		for _, theta := range p.Theta {
			path.Points = append(path.Points, at.of(theta))
		}
		if i > 0 {
			path.Name = r.Config.Beside[i-1]
			path.Distance, path.Relative = numbers(path.Name+".distance"), numbers(path.Name+".relative_distance")
			path.Loss, path.Excess = numbers(path.Name+".loss"), numbers(path.Name+".excess")
		}
		if p.Ended != nil {
			path.Ended = p.Ended.Error()
		}
		out.Paths = append(out.Paths, path)
	}
	if draft {
		return out
	}
	for _, v := range run.Verdicts(h) {
		text := ""
		if v != run.Unknown {
			text = v.String()
		}
		out.Verdicts = append(out.Verdicts, text)
	}
	out.StateHolds, out.Monitors = stateHolds(h), monitorsOf(h)
	out.Sentences = (&report.Report{Config: r.Config, History: h, Result: r.Result}).Sentences()
	return out
}

// stateHolds says of each row whether the state equation of order 2 holds there.
func stateHolds(h *record.History) []string {
	var out []string
	for _, v := range h.Floats("monitor.state_defect") {
		switch {
		case math.IsNaN(v):
			out = append(out, "")
		case v < run.StateHolds:
			out = append(out, "holds")
		default:
			out = append(out, "does not hold")
		}
	}
	return out
}

// watched are the columns that say which statement holds.
var watched = []string{
	"monitor.second_over_first", "bias.cosine", "bias.explained", "bias_share", "drive.main", "drive.predicted", "drive.realized", "monitor.state_defect_1", "monitor.state_defect",
	"monitor.memory_edge", "monitor.period_two", "monitor.lambda_grad", "sharpness", "preconditioned_sharpness", "stability_threshold",
}

// monitorsOf returns the last readings of the columns that were measured.
func monitorsOf(h *record.History) []Monitor {
	var out []Monitor
	for _, name := range watched {
		i := h.Index(name)
		if i < 0 {
			continue
		}
		for _, row := range slices.Backward(h.Rows) {
			if row[i].Measured() {
				out = append(out, Monitor{name, int(row[0].Int()), record.Number(row[i].Float()), h.Columns[i].Meaning})
				break
			}
		}
	}
	return out
}
