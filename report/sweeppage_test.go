package report

import (
	"math"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
)

// sweepInput is a sweep of two groups of two seeds; the last run failed.
func sweepInput() SweepInput {
	text := func(name string) record.Column { return record.Column{Name: name, Type: record.TextColumn} }
	number := func(name string) record.Column {
		return record.Column{Name: name, Type: record.FloatColumn}
	}
	whole := func(name string) record.Column { return record.Column{Name: name, Type: record.IntColumn} }
	table := &record.History{Columns: []record.Column{whole("index"), number("optimizer.beta2"), whole("seed"), text("status"), text("reason"), number("excess_last")}}
	in := SweepInput{Name: "betas", Source: "seeds: 2", Commands: []string{"shadowflow sweep"}}
	for i, beta2 := range []float64{0.9, 0.9, 0.99, 0.99} {
		row := []record.Value{record.Int(int64(i)), record.Float(beta2), record.Int(int64(i % 2)), record.Text("finished"), {}, record.Float(beta2 * float64(1+i%2))}
		h := &record.History{Columns: []record.Column{whole("step"), number("loss"), number("excess")}}
		for n := range 5 + i {
			h.Rows = append(h.Rows, []record.Value{record.Int(int64(n)), record.Float(math.Exp(-float64(n))), record.Float(float64(1 + i))})
		}
		if i == 3 {
			row[3], row[4], row[5], h = record.Text("failed"), record.Text("disk full"), record.Value{}, nil
		}
		table.Rows = append(table.Rows, row)
		in.Histories = append(in.Histories, h)
	}
	in.Table, in.Means = table, sweep.Means(table)
	return in
}

func TestASweepsPageHasCurvesMeansAndReasons(t *testing.T) {
	d := SweepPage(sweepInput())
	if len(d.Figures) != 1 {
		t.Fatalf("%d figures", len(d.Figures))
	}
	chart := d.Figures[0].(*Chart)
	first := chart.Axes[1].Series[0]
	if len(chart.Axes[1].Series) != 2 || first.Name != "beta2 0.9" || len(first.X) != 5 || first.Y[0] != 1.5 {
		t.Errorf("curves %+v", chart.Axes[1].Series) // runs of 5 and 6 steps, norms 1 and 2
	}
	page, err := d.Page()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Sweep betas", "Run 3: disk full.", "1.35 ± ", "seeds: 2"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestASweepWithNothingToDrawHasAPageAllTheSame(t *testing.T) {
	in := sweepInput()
	in.Histories = make([]*record.History, len(in.Histories))
	d := SweepPage(in)
	if _, err := d.Page(); err != nil || len(d.Figures) != 0 {
		t.Errorf("%d figures, %v", len(d.Figures), err)
	}
}
