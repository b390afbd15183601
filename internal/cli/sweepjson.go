package cli

import (
	"shadowflow/experiment/cluster"
	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
	"shadowflow/schema"
)

// sweepOutput is what sweep prints as JSON.
type sweepOutput struct {
	statusOutput
	Tables []string `json:"tables"`
	Page   string   `json:"page"`
}

type statusOutput struct {
	Dir    string      `json:"dir"`
	Counts counts      `json:"counts"`
	Runs   []memberRun `json:"runs"`
}

// counts are numbers of runs by their states.
type counts struct {
	Ended       int `json:"ended"`
	Diverged    int `json:"diverged"` // of the ended ones
	Failed      int `json:"failed"`
	Interrupted int `json:"interrupted"`
	Running     int `json:"running"`
	Pending     int `json:"pending"`
	Stopped     int `json:"stopped"` // early, by halving
}

type memberRun struct {
	Index    int            `json:"index"`
	Dir      string         `json:"dir"`
	State    string         `json:"state"`
	Step     int            `json:"step"` // of its last record, 0 where there is none
	Settings map[string]any `json:"settings"`
	Reason   string         `json:"reason"`          // why it failed, diverged or was stopped
	Slurm    *slurmTask     `json:"slurm,omitempty"` // of status, where it was submitted
}

// slurmTask is what Slurm says of a run.
type slurmTask struct {
	Task   string `json:"task"`
	State  string `json:"state"`
	Nodes  string `json:"nodes"`
	Reason string `json:"reason"`
}

// beside puts what Slurm says beside our states.
func (o *statusOutput) beside(tasks map[int]cluster.Task) {
	for i := range o.Runs {
		if t, ok := tasks[o.Runs[i].Index]; ok {
			o.Runs[i].Slurm = &slurmTask{t.TaskID.String(), t.State, t.Nodes, t.Reason}
		}
	}
}

func countOf(statuses []sweep.Status) counts {
	var c counts
	for _, s := range statuses {
		switch s.State {
		case sweep.Ended:
			c.Ended++
			if s.Result.Diverged() {
				c.Diverged++
			}
		case sweep.Failed:
			c.Failed++
		case sweep.Interrupted:
			c.Interrupted++
		case sweep.Running:
			c.Running++
		case sweep.Pending:
			c.Pending++
		case sweep.Stopped:
			c.Stopped++
		}
	}
	return c
}

// stateOf says how a run ended, or how far it has come.
func stateOf(s sweep.Status) string {
	if s.Result != nil {
		return string(s.Result.Status)
	}
	return string(s.State)
}

func memberJSON(s sweep.Status) memberRun {
	m := memberRun{Index: s.Run.Index, Dir: s.Dir, State: stateOf(s), Settings: settingsJSON(s.Run), Reason: s.Reason}
	m.Step = s.Step
	return m
}

// settingsJSON returns the values that the sweep gave, by dotted keys; those of a section as text.
func settingsJSON(r sweep.Run) map[string]any {
	out := map[string]any{}
	for _, s := range r.Settings {
		if out[s.Key] = r.Config.Get(s.Key); out[s.Key] == nil {
			out[s.Key] = schema.Format(s.Value)
		}
	}
	return out
}

func statusJSON(dir string, statuses []sweep.Status) statusOutput {
	out := statusOutput{Dir: dir, Counts: countOf(statuses)}
	for _, s := range statuses {
		out.Runs = append(out.Runs, memberJSON(s))
	}
	return out
}

// planOutput is a plan for JSON. Numbers that are not known are null.
type planOutput struct {
	Dir      string       `json:"dir"`
	Parallel int          `json:"parallel"`
	Seconds  float64      `json:"seconds"`
	Unknown  int          `json:"unknown"` // runs whose time is not known
	Runs     []plannedRun `json:"runs"`
}

type plannedRun struct {
	memberRun
	Steps   int      `json:"steps"`
	Bytes   *int64   `json:"bytes"`
	Seconds *float64 `json:"seconds"`
	From    string   `json:"from"`    // what the time was estimated from
	Problem string   `json:"problem"` // why there is no estimate
}

func planJSON(dir string, p *sweep.Plan) planOutput {
	out := planOutput{Dir: dir, Parallel: p.Parallel, Seconds: p.Seconds, Unknown: p.Unknown}
	for _, r := range p.Runs {
		one := plannedRun{memberRun: memberJSON(r.Status), Steps: r.Run.Config.Steps, From: r.From, Problem: r.Problem}
		if r.Bytes > 0 {
			one.Bytes = &r.Bytes
		}
		if r.Seconds > 0 {
			one.Seconds = &r.Seconds
		}
		out.Runs = append(out.Runs, one)
	}
	return out
}

// tableOutput is a table for JSON, each row by the names of its columns; null where nothing was measured.
type tableOutput struct {
	Columns []columnOutput   `json:"columns"`
	Rows    []map[string]any `json:"rows"`
}

type columnOutput struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Unit    string `json:"unit"`
	Meaning string `json:"meaning"`
}

func tableJSON(h *record.History) tableOutput {
	var out tableOutput
	for _, c := range h.Columns {
		out.Columns = append(out.Columns, columnOutput{c.Name, string(c.Type), c.Unit, c.Meaning})
	}
	for _, values := range h.Rows {
		row := map[string]any{}
		for i, v := range values {
			row[h.Columns[i].Name] = v.Any()
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}
