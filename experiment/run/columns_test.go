package run

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/record"
)

var update = flag.Bool("update", false, "write the tables of docs that are made from the code")

// runsDoc has the table of columns between these lines.
const (
	runsDoc      = "../../docs/runs.md"
	columnsBegin = "<!-- columns: made by go test ./experiment/run -run TestTheDocs -update -->\n"
	columnsEnd   = "<!-- end of columns -->\n"
)

// everyMeter is a config whose run has all meters.
const everyMeter = small + `
batch: {mode: cyclic, size: 20}
`

// columnsOf returns the columns that a config's run records.
func columnsOf(t *testing.T, src string, overrides ...string) []record.Column {
	t.Helper()
	r, err := newRunner(t.Context(), parse(t, src, overrides...), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r.columns()
}

func TestTheDocsTableOfColumnsIsWhatTheMetersDeclare(t *testing.T) {
	var table strings.Builder
	table.WriteString("| column | unit | meaning |\n|---|---|---|\n")
	columns := columnsOf(t, strings.Replace(everyMeter, "batch: {mode: full, physical: 25}\n", "", 1), "beside=[state-2, lift-1]", "record.spectrum=5", "record.density=5")
	for _, c := range columnsOf(t, small, "optimizer={name: gd}", "beside=[central]") {
		if strings.HasPrefix(c.Name, "central.") {
			columns = append(columns, c)
		}
	}
	for _, c := range columnsOf(t, regression, "batch={mode: cyclic, size: 20}") {
		if strings.HasSuffix(c.Name, "r2") {
			columns = append(columns, c)
		}
	}
	for _, c := range columnsOf(t, smallText) {
		if strings.HasSuffix(c.Name, "bits_per_byte") {
			columns = append(columns, c)
		}
	}
	for _, c := range columnsOf(t, small, scheduled, "optimizer={clip_norm: 1, clip_value: 1}", "record.average=0.9", "beside=[]") {
		if !slices.ContainsFunc(columns, func(known record.Column) bool { return known.Name == c.Name }) {
			columns = append(columns, c)
		}
	}
	whole := columnsOf(t, small, "beside=[]") // what only a full batch has, behind what stands before it there
	for i, c := range whole {
		known := func(name string) int {
			return slices.IndexFunc(columns, func(k record.Column) bool { return k.Name == name })
		}
		if known(c.Name) < 0 {
			columns = slices.Insert(columns, known(whole[i-1].Name)+1, c)
		}
	}
	for _, c := range columns {
		unit := c.Unit
		if unit == "" {
			unit = "1"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", c.Name, unit, strings.ReplaceAll(c.Meaning, "|", `\|`))
	}
	doc, err := os.ReadFile(runsDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), columnsBegin)
	_, after, closed := strings.Cut(rest, columnsEnd)
	if !ok || !closed {
		t.Fatalf("%s has no table of columns between %q and %q", runsDoc, columnsBegin, columnsEnd)
	}
	want := []byte(before + columnsBegin + table.String() + columnsEnd + after)
	if *update {
		if err := os.WriteFile(runsDoc, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(doc, want) {
		t.Errorf("the table of columns in %s is not that of the meters: run go test ./experiment/run -run TestTheDocs -update", runsDoc)
	}
}

func TestTwoMetersMayNotOwnOneColumn(t *testing.T) {
	l := &Loop[float64]{Meters: []Meter[float64]{newPointMeter[float64]("nats", nil), newPointMeter[float64]("nats", nil)}}
	if _, err := record.Create(t.TempDir(), nil, l.columns()); err == nil || !strings.Contains(err.Error(), `column "step" is there twice`) {
		t.Errorf("error %v", err)
	}
}

func TestWhatTheStepSeesIsWhatThePointMeterRecords(t *testing.T) {
	for _, name := range []string{"accuracy", "r2"} {
		for _, g := range newPointMeter[float64]("nats", &score{name: name}).Gauges() {
			if got := SeenByTheStep(g.Column.Name); got != (g.Column.Name != "step") {
				t.Errorf("%s: %v", g.Column.Name, got)
			}
		}
	}
	if SeenByTheStep("full_loss") || SeenByTheStep("drive.main") {
		t.Error("what is over all examples is not of a batch")
	}
}
