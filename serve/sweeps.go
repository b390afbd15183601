package serve

import (
	"context"
	"net/url"
	"path"
	"path/filepath"

	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
)

// sweepView is the table of a sweep, from which the page draws any measurement against any key.
type sweepView struct {
	Name string `json:"name"`
	// Keys are the columns that the sweep varies, Measures those that were measured.
	Keys     []column `json:"keys"`
	Measures []column `json:"measures"`
	// Rows are of runs, in the order of the columns.
	Rows []sweepRow `json:"rows"`
}

type column struct {
	Name    string `json:"name"`
	Unit    string `json:"unit,omitempty"`
	Meaning string `json:"meaning,omitempty"`
}

type sweepRow struct {
	Run      string          `json:"run"` // its path, "" before it begins
	Status   string          `json:"status"`
	Reason   string          `json:"reason,omitempty"`
	Keys     []any           `json:"keys"`
	Measured []record.Number `json:"measured"`
}

// mostInSweep bounds how many runs a sweep's file may make here.
const mostInSweep = 20000

// sweep answers with a sweep's table.
func (s *Server) sweep(ctx context.Context, query url.Values) (any, error) {
	at := query.Get("path")
	dir, err := s.library.inside(at)
	if err != nil {
		return nil, err
	}
	sw, _, err := sweep.Open(dir, mostInSweep)
	if err != nil {
		return nil, err
	}
	for _, runDir := range sw.RunDirs(dir) { // where links lead is asked for each
		below, err := filepath.Rel(dir, runDir)
		if err != nil {
			return nil, err
		}
		if _, err := s.library.inside(path.Join(at, filepath.ToSlash(below))); isRefusal(err) {
			return nil, err
		}
	}
	t, err := sw.Table(ctx, dir)
	if err != nil {
		return nil, err
	}
	v := &sweepView{Name: sw.Name, Keys: []column{}, Measures: []column{}, Rows: []sweepRow{}}
	status := t.Index("status")
	var measures []int
	for i, c := range t.Columns {
		switch {
		case i > 0 && i < status:
			v.Keys = append(v.Keys, column{c.Name, c.Unit, c.Meaning})
		case i > status && c.Type != record.TextColumn:
			v.Measures = append(v.Measures, column{c.Name, c.Unit, c.Meaning})
			measures = append(measures, i)
		}
	}
	for _, row := range t.Rows {
		r := sweepRow{Status: row[status].String(), Reason: row[t.Index("reason")].String(), Keys: []any{}, Measured: []record.Number{}}
		if below, err := filepath.Rel(dir, row[t.Index("dir")].String()); err == nil && r.Status != string(sweep.Pending) {
			r.Run = path.Join(at, filepath.ToSlash(below))
		}
		for i := 1; i < status; i++ {
			r.Keys = append(r.Keys, finite(row[i]))
		}
		for _, i := range measures {
			r.Measured = append(r.Measured, record.Number(row[i].Float()))
		}
		v.Rows = append(v.Rows, r)
	}
	return v, nil
}

// finite returns a value as JSON takes it.
func finite(v record.Value) any {
	if x, ok := v.Any().(float64); ok {
		return record.Number(x)
	}
	return v.Any()
}
