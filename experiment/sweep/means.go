package sweep

import (
	"context"

	"shadowflow/diagnose"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/internal/stats"
)

// Means returns one row for all runs of a table that differ in their seeds only: of each measurement its mean and the half-width of
// its 95% confidence interval. Runs that failed, diverged or have not ended are left out of the means, and counted.
//
// The error is the context's cause if that ends first.
func Means(ctx context.Context, t *record.History) (*record.History, error) {
	from, regime := t.Index("status"), t.Index("regime")
	seed := t.Index("seed")
	var keys, measured []int
	for i, c := range t.Columns {
		switch {
		case i > 0 && i < from && i != seed:
			keys = append(keys, i)
		case i > from && c.Type == record.FloatColumn:
			measured = append(measured, i)
		}
	}
	out := &record.History{Columns: meanColumns(t, keys, measured)}
	var names []string
	groups := map[string][][]record.Value{}
	for _, row := range t.Rows {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		name := ""
		for _, k := range keys {
			name += row[k].String() + "\x00"
		}
		if groups[name] == nil {
			names = append(names, name)
		}
		groups[name] = append(groups[name], row)
	}
	for i, name := range names {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		out.Rows = append(out.Rows, meanRow(i, groups[name], keys, measured, from, regime))
	}
	return out, nil
}

func meanColumns(t *record.History, keys, measured []int) []record.Column {
	columns := []record.Column{{Name: "group", Type: record.IntColumn, Meaning: "runs that differ in their seeds only"}}
	for _, k := range keys {
		columns = append(columns, t.Columns[k])
	}
	columns = append(columns,
		record.Column{Name: "runs", Type: record.IntColumn, Meaning: "runs in the means"},
		record.Column{Name: "left_out", Type: record.IntColumn, Meaning: "runs that failed, diverged or have not ended"})
	for _, m := range measured {
		c := t.Columns[m]
		columns = append(columns,
			record.Column{Name: c.Name + "_mean", Type: record.FloatColumn, Unit: c.Unit, Meaning: "mean: " + c.Meaning},
			record.Column{Name: c.Name + "_ci95", Type: record.FloatColumn, Unit: c.Unit, Meaning: "half-width of the mean's 95% confidence interval"})
	}
	return columns
}

func meanRow(index int, rows [][]record.Value, keys, measured []int, status, regime int) []record.Value {
	out := []record.Value{record.Int(int64(index))}
	for _, k := range keys {
		out = append(out, rows[0][k])
	}
	var good [][]record.Value
	for _, row := range rows {
		if regime >= 0 && row[regime].String() == string(diagnose.Diverged) { // to its last step; without an ended run there is no such column
			continue
		}
		switch row[status].String() {
		case string(run.Finished), string(run.LossReached), string(run.TimeUp):
			good = append(good, row)
		}
	}
	out = append(out, record.Int(int64(len(good))), record.Int(int64(len(rows)-len(good))))
	for _, m := range measured {
		values := make([]float64, len(good))
		for i, row := range good {
			values[i] = row[m].Float()
		}
		mean, half := stats.Interval(values)
		out = append(out, floatCell("", "", mean).value, floatCell("", "", half).value)
	}
	return out
}
