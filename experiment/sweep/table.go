package sweep

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
)

// Table returns one row a run: the keys that the sweep gave values, and what came of it. The measurements are those of the result,
// the largest and the last excess norm, and for each loss of AtLoss every measurement of the history where the training loss
// first is below it. A run that failed or diverged has its reason, and what it measured.
//
// The error is the context's cause if that ends first.
func (s *Sweep) Table(ctx context.Context, dir string) (*record.History, error) {
	keys, err := s.tableKeys(ctx)
	if err != nil {
		return nil, err
	}
	t := newTable(keys)
	for trial, err := range s.Trials(ctx, dir) {
		if err != nil {
			return nil, err
		}
		t.add(s.row(keys, trial))
	}
	return t.history(ctx)
}

// WriteTables writes the table and its means beside the runs in dir, as CSV and Parquet: table.csv, means.csv, and so on. It returns the table.
//
// The error is the context's cause if that ends first; the files that are there then are whole.
func (s *Sweep) WriteTables(ctx context.Context, dir string) (*record.History, error) {
	if err := s.owns(dir); err != nil {
		return nil, err
	}
	t, err := s.Table(ctx, dir)
	if err != nil {
		return nil, err
	}
	means, err := Means(ctx, t)
	if err != nil {
		return nil, err
	}
	for name, rows := range map[string]*record.History{"table": t, "means": means} {
		for _, format := range []string{"csv", "parquet"} {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err := record.WriteTableFile(filepath.Join(dir, name+"."+format), format, rows); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// A cell is a value and the column that it is for.
type cell struct {
	column record.Column
	value  record.Value
}

// table collects rows whose columns become known with them.
type table struct {
	columns []record.Column
	index   map[string]int
	rows    [][]cell
}

func newTable(keys []tableKey) *table {
	t := &table{index: map[string]int{}}
	t.column(record.Column{Name: "index", Type: record.IntColumn, Meaning: "place of the run in the sweep"})
	for _, k := range keys {
		t.column(k.column)
	}
	return t
}

func (t *table) column(c record.Column) {
	if _, ok := t.index[c.Name]; !ok {
		t.index[c.Name] = len(t.columns)
		t.columns = append(t.columns, c)
	}
}

func (t *table) add(row []cell) {
	for _, c := range row {
		t.column(c.column)
	}
	t.rows = append(t.rows, row)
}

func (t *table) history(ctx context.Context) (*record.History, error) {
	h := &record.History{Columns: t.columns}
	for _, row := range t.rows {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		values := make([]record.Value, len(t.columns))
		for _, c := range row {
			values[t.index[c.column.Name]] = c.value
		}
		h.Rows = append(h.Rows, values)
	}
	return h, nil
}

func (s *Sweep) row(keys []tableKey, st Trial) []cell {
	row := []cell{{record.Column{Name: "index", Type: record.IntColumn}, record.Int(int64(st.Run.Index))}}
	for i, value := range st.Run.Config.Values(paths(keys)) {
		row = append(row, cell{keys[i].column, valueOf(value, keys[i].column.Type)})
	}
	status := string(st.State)
	if st.Result != nil {
		status = string(st.Result.Status)
	}
	row = append(row,
		textCell("status", "how the run ended, or how far it has come", status),
		textCell("reason", "why it failed or diverged, or has no measurements at a loss", strings.Join(strings.Fields(s.reason(st)), " ")),
		textCell("dir", "its directory", st.Dir))
	if st.Result != nil {
		row = append(row, resultCells(st)...)
	}
	if st.History == nil {
		return row
	}
	return append(row, s.measurements(st.Run.Config, st.History)...)
}

// reason says why a run has not what others have.
func (s *Sweep) reason(st Trial) string {
	if st.Reason == "" && len(s.AtLoss) > 0 && st.History != nil && st.Run.Config.Batch.Mini() && st.History.Index("full_loss") < 0 {
		return "at_loss: the loss over all examples was not recorded, for record.bias is 0"
	}
	if st.Reason != "" || st.History == nil || st.Result == nil { // one that goes on may yet come there
		return st.Reason
	}
	losses, missed := FullLosses(st.Run.Config, st.History), []string(nil)
	first := slices.IndexFunc(losses, func(x float64) bool { return !math.IsNaN(x) })
	for _, level := range s.AtLoss {
		switch at := FirstBelow(losses, level); {
		case first < 0 || at > first:
		case at < 0:
			missed = append(missed, fmt.Sprintf("at_loss: the loss did not come below %g", level))
		default:
			missed = append(missed, fmt.Sprintf("at_loss: the loss was below %g from the start", level))
		}
	}
	return strings.Join(missed, "; ")
}

func textCell(name, meaning, text string) cell {
	return cell{record.Column{Name: name, Type: record.TextColumn, Meaning: meaning}, record.Text(text)}
}

func floatCell(name, meaning string, x float64) cell {
	c := cell{column: record.Column{Name: name, Type: record.FloatColumn, Meaning: meaning}}
	if !math.IsNaN(x) {
		c.value = record.Float(x)
	}
	return c
}

// ofBatch stands before the names of what a run with mini-batches says of single ones, where nothing was measured over all examples.
const ofBatch = "batch_"

func resultCells(st Trial) []cell {
	own := *st.Result
	r, whose, of := &own, "", "training"
	if st.Run.Config.Batch.Mini() && st.History != nil && len(st.History.Rows) > 0 { // earlier versions took the last batch's
		r.Train(st.Run.Config, st.History)
	}
	if r.OfBatch {
		whose, of = ofBatch, "last mini-batch's"
	}
	steps := record.Column{Name: "steps_taken", Type: record.IntColumn, Meaning: "steps taken"}
	every := cell{column: record.Column{Name: "regime_every", Type: record.IntColumn, Meaning: "steps between the records that the regime was judged from, as far as which it holds; empty where that is one, or none matter"}}
	if r.RegimeEvery > 1 {
		every.value = record.Int(int64(r.RegimeEvery))
	}
	row := []cell{
		{steps, record.Int(int64(r.Step))},
		textCell("regime", "monotone, oscillating, spiking, diverged or unknown", string(r.Regime)),
		every,
		floatCell(whose+"loss", of+" loss at the end", float64(r.Loss)),
		floatCell(whose+"accuracy", of+" accuracy at the end", float64(r.Accuracy)),
	}
	for _, m := range []struct {
		name, meaning string
		value         *record.Number
	}{
		{"test_loss", "loss on the test data at the last test", r.TestLoss},
		{"test_accuracy", "accuracy on the test data at the last test", r.TestAccuracy},
		{whose + "r2", of + " R^2 at the end", r.R2},
		{"test_r2", "R^2 of the test data at the last test", r.TestR2},
	} {
		if m.value != nil {
			row = append(row, floatCell(m.name, m.meaning, float64(*m.value)))
		}
	}
	if len(r.Changed) > 0 {
		row = append(row, textCell("changed", "what was accepted to change in its course, or to differ from the runs before it", strings.Join(r.Changed, "; ")))
	}
	return append(row, floatCell("seconds", "wall time", float64(r.Seconds)))
}

// measurements are what a history tells.
func (s *Sweep) measurements(cfg *config.Config, h *record.History) []cell {
	var row []cell
	column, all := run.OverAll(cfg, h, "excess")
	if excess := h.Floats(column); excess != nil {
		whose, of := "", "excess of the perturbed one-norm of the gradient over all training examples, as far as it was measured"
		if !all {
			whose, of = ofBatch, "excess of the perturbed one-norm of the gradients of single mini-batches"
		}
		row = append(row,
			floatCell(whose+"excess_max", "largest "+of, Largest(excess)),
			floatCell(whose+"excess_last", "last "+of, Last(excess)))
	}
	losses := FullLosses(cfg, h)
	for _, level := range s.AtLoss {
		for i, c := range h.Columns {
			name, over := strings.CutPrefix(c.Name, "full_")
			if c.Type != record.FloatColumn && i > 0 || name == "loss" { // the loss is the level there
				continue
			}
			if !over && h.Index("full_"+name) >= 0 {
				continue // of single batches, and there is that over all examples
			}
			if !over && cfg.Batch.Mini() && run.SeenByTheStep(name) {
				name = ofBatch + name
			}
			meaning := fmt.Sprintf("%s, where the loss over all training examples first passes %g, interpolated in its logarithm (empty for mini-batches without full_loss: record.bias is 0)", c.Meaning, level)
			row = append(row, floatCell(fmt.Sprintf("%s_at_loss_%g", name, level), meaning, AtLoss(losses, h.Floats(c.Name), level)))
		}
	}
	return row
}

// FullLosses returns the loss over all training examples, NaN where it was not recorded: the loss of a mini-batch is another's at each step,
// and passes a level long before that of all examples does.
func FullLosses(c *config.Config, h *record.History) []float64 {
	if full := h.Floats("full_loss"); full != nil {
		return full
	}
	if !c.Batch.Mini() {
		return h.Floats("loss")
	}
	return slices.Repeat([]float64{math.NaN()}, len(h.Rows))
}

// FirstBelow returns the place of the first loss below a level, -1 if there is none.
func FirstBelow(losses []float64, level float64) int {
	return slices.IndexFunc(losses, func(x float64) bool { return x < level })
}

// AtLoss returns what values are where the loss first passes a level, as far as the places where they are measured tell: between the first of these whose
// loss is below it and the one before, linearly in the logarithm of the loss. So it moves smoothly with the run, unlike the value at the
// first step below. It is NaN where there is no such pair, for no value of one side alone is that at the level.
func AtLoss(losses, values []float64, level float64) float64 {
	before := -1
	for i, loss := range losses {
		if math.IsNaN(values[i]) || math.IsNaN(loss) || math.IsInf(loss, 0) {
			continue
		}
		if loss >= level {
			before = i
			continue
		}
		if before < 0 {
			return math.NaN()
		}
		above, below := math.Log(losses[before]), math.Log(loss)
		return values[before] + (above-math.Log(level))/(above-below)*(values[i]-values[before])
	}
	return math.NaN()
}

// Largest returns the largest value that is not NaN, NaN if there is none.
func Largest(values []float64) float64 {
	out := math.NaN()
	for _, v := range values {
		if math.IsNaN(out) || v > out {
			out = v
		}
	}
	return out
}

// Last returns the last value that is not NaN, NaN if there is none.
func Last(values []float64) float64 {
	for _, v := range slices.Backward(values) {
		if !math.IsNaN(v) {
			return v
		}
	}
	return math.NaN()
}
