package record

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sessionFiles makes of a directory with a history the run that testdata/events has.
func sessionFiles(t *testing.T) (dir string, h *History) {
	t.Helper()
	dir = t.TempDir()
	columns := []Column{
		{Name: "step", Type: IntColumn, Meaning: "steps taken"},
		{Name: "loss", Type: FloatColumn, Unit: "nats", Meaning: "training loss"},
		{Name: "test_accuracy", Type: FloatColumn, Meaning: "share of the test data"},
		{Name: "bias.cosine", Type: FloatColumn},
		{Name: "block.1.weight.drive.main", Type: FloatColumn, Unit: "1/h"},
		{Name: "noise_batch", Type: IntColumn, Unit: "examples"},
		{Name: "regime", Type: TextColumn},
	}
	w, err := createHistory(dir, columns)
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]Value{
		{Int(0), Float(2.5), Float(0.125), {}, Float(-0.5), Int(20), Text("monotone")},
		{Int(10), Float(0.75), {}, Float(-0.25), {}, {}, {}},
		{Int(1 << 40), Float(math.Inf(1)), Float(0.5), {}, {}, Int(40), {}},
	}
	for _, row := range rows {
		if err := w.append(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		configFile: "seed: 7\ndtype: float32\noptimizer: {name: adam, lr: 1e-3, eps_inside: true}\nmodel: {hidden: [64, 64]}\n",
		logFile:    "2026-03-01T12:30:00+01:00 begun by shadowflow\n2026-03-01T12:31:00+01:00 later\n",
		timesFile:  timesHeader + "\n0,0.250000\n10,90.5\n" + "1099511627776,100.0\n",
		resultFile: `{"status": "finished"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, &History{Columns: columns, Rows: rows}
}

// eventsRead is what testdata/events.py found with TensorBoard's own readers in testdata/events.
type eventsRead struct {
	Version string
	Scalars map[string][]struct {
		Wall  float64 `json:"wall_time"`
		Step  int64
		Value Number
	}
	Descriptions map[string]string
	Hparams      map[string]any
	Start        float64 `json:"start_time"`
	End          float64 `json:"end_time"`
	Status       string
	Columns      []string `json:"hparams_tab"` // of the HPARAMS tab
	Metrics      []string // of the HPARAMS tab
}

func TestPointsWhoseTimeIsNotKnownAreSaidToBe(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"all known": {func(string) error { return nil }, ""},
		"no times":  {func(dir string) error { return os.Remove(filepath.Join(dir, timesFile)) }, "times.csv has no time of 3 of 3 points"},
		"a line less": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, timesFile), []byte(timesHeader+"\n0,0.25\n"), 0o600)
		}, "times.csv has no time of 2 of 3 points"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := sessionFiles(t)
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			_, notes, err := Export(dir, "tensorboard", t.TempDir())
			if said := strings.Join(notes, "\n"); err != nil || !strings.Contains(said, c.want) || c.want == "" && said != "" {
				t.Errorf("%q, %v", notes, err)
			}
		})
	}
}

// The file that was given to TensorBoard is the one that Export writes, byte for byte, so what TensorBoard read in it is what it reads.
func TestTensorBoardReadsWhatIsExported(t *testing.T) {
	dir, h := sessionFiles(t)
	path, _, err := Export(dir, "tensorboard", "")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "events", "events.out.tfevents.0.shadowflow")
	if filepath.Base(path) != filepath.Base(golden) {
		t.Errorf("it wrote %s", path)
	}
	if *update {
		if err := os.WriteFile(golden, readFile(t, path), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(readFile(t, path), readFile(t, golden)) {
		t.Fatal("the file is another than the one that TensorBoard read: go test ./experiment/record -run TestTensorBoard -update, " +
			"then testdata/events.py")
	}
	var got eventsRead
	if err := json.Unmarshal(readFile(t, "testdata", "events.json"), &got); err != nil {
		t.Fatal(err)
	}
	const began = 1772364600.0 // 2026-03-01T12:30:00+01:00
	tags := map[string]string{
		"loss": "loss/loss", "test_accuracy": "score/test_accuracy", "bias.cosine": "bias/cosine",
		"block.1.weight.drive.main": "block/1.weight.drive.main", "noise_batch": "noise/noise_batch",
	}
	elapsed := []float64{0.25, 90.5, 100}
	if len(got.Scalars) != len(tags) {
		t.Errorf("tags %v", got.Scalars)
	}
	for i, c := range h.Columns {
		tag, ok := tags[c.Name]
		if !ok {
			continue
		}
		points := got.Scalars[tag]
		for j, row := range h.Rows {
			if !row[i].Measured() {
				continue
			}
			if len(points) == 0 {
				t.Fatalf("%s: points are missing", tag)
			}
			want := row[i].Float()
			if math.IsInf(want, 0) {
				want = math.NaN() // null in the JSON
			}
			if p := points[0]; p.Wall != began+elapsed[j] || p.Step != row[0].Int() || float64(p.Value) != want && !math.IsNaN(want) {
				t.Errorf("%s: %+v, want step %d at %v of %v", tag, p, row[0].Int(), began+elapsed[j], want)
			}
			points = points[1:]
		}
		if len(points) > 0 || got.Descriptions[tag] != describeColumn(c) {
			t.Errorf("%s: %v more, described as %q", tag, points, got.Descriptions[tag])
		}
	}
	want := map[string]any{
		"seed": 7.0, "dtype": "float32", "optimizer.name": "adam", "optimizer.lr": 1e-3, "optimizer.eps_inside": true, "model.hidden": "[64, 64]",
	}
	if !reflect.DeepEqual(got.Hparams, want) || len(got.Columns) != len(want) || len(got.Metrics) != len(tags) {
		t.Errorf("hyperparameters %v, in the tab %v and %v", got.Hparams, got.Columns, got.Metrics)
	}
	if got.Version != "brain.Event:2" || got.Start != began || got.End != began+100 || got.Status != "STATUS_SUCCESS" {
		t.Errorf("got %+v", got)
	}
}

func TestAHistoryAloneIsExportedForTensorBoard(t *testing.T) {
	dir, _ := exportable(t)
	path, _, err := Export(dir, "tensorboard", t.TempDir())
	if err != nil || len(readFile(t, path)) == 0 {
		t.Error(path, err)
	}
}

func TestColumnsHaveGroups(t *testing.T) {
	for column, want := range map[string]string{
		"drive.main": "drive/main", "bias_share": "bias/bias_share", "full_loss": "loss/full_loss", "monitor.flip": "monitor/flip",
		"perturbed_norm": "gradient/perturbed_norm", "full_excess": "gradient/full_excess", "state-2.distance": "state-2/distance",
		"realized.penalized": "realized/penalized", "penalized_weight": "bias/penalized_weight", "defect_1": "step/defect_1",
		"test_bits_per_byte": "score/test_bits_per_byte", "noise.drive_1": "noise/drive_1", "noise_scale": "noise/noise_scale",
		"preconditioned_residual": "sharpness/preconditioned_residual", "lr": "step/lr", ".x": ".x/.x", "mine": "mine/mine",
	} {
		t.Run(column, func(t *testing.T) {
			if got := tagOf(column); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestATableIsNotWrittenForTensorBoard(t *testing.T) {
	if err := WriteTable(&bytes.Buffer{}, "tensorboard", &History{Columns: []Column{{Name: "index", Type: IntColumn}}}); err == nil {
		t.Error("it is")
	}
}

func TestPointsBehindAnInterruptionHaveTheirOwnTimes(t *testing.T) {
	dir := t.TempDir()
	log := "2024-01-02T03:04:05Z begun\n" +
		"2024-01-02T04:00:00Z resumed at step 20 by shadowflow (devel)\n" + // of which nothing is left
		"2024-01-02T05:00:00Z resumed at step 10 by shadowflow (devel)\n\tresumed at step 3 by a name\n" +
		"2024-01-02T06:00:00Z resumed at step 30 by shadowflow (devel)\n"
	if err := os.WriteFile(filepath.Join(dir, logFile), []byte(log), 0o644); err != nil {
		t.Fatal(err)
	}
	resumed, err := resumptionsOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	day := float64(time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC).Unix())
	c := newClock(day+3*3600, resumed, map[int]float64{0: 1, 9: 7, 10: 8, 29: 20, 30: 23})
	for step, want := range map[int]float64{0: 3*3600 + 1, 9: 3*3600 + 7, 10: 5*3600 + 1, 29: 5*3600 + 13, 30: 6*3600 + 3} {
		if got := c.at(step, map[int]float64{0: 1, 9: 7, 10: 8, 29: 20, 30: 23}[step]); got != day+want {
			t.Errorf("step %d at %g, want %g", step, got-day, want)
		}
	}
}

func TestARunWhoseLogWasRemovedBeganWhenItsConfigWasWritten(t *testing.T) {
	dir := t.TempDir()
	written := time.Unix(1_700_000_000, 0)
	path := filepath.Join(dir, configFile)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, written, written); err != nil {
		t.Fatal(err)
	}
	for name, log := range map[string]string{"no log": "", "a log of something else": "garbage\n", "a log": "2024-01-02T03:04:05Z begun\n"} {
		t.Run(name, func(t *testing.T) {
			want := 1_700_000_000.
			if log != "" {
				if err := os.WriteFile(filepath.Join(dir, logFile), []byte(log), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if name == "a log" {
				want = 1_704_164_645
			}
			if got, err := startOf(dir); err != nil || got != want {
				t.Errorf("%g, %v; want %g", got, err, want)
			}
			_ = os.Remove(filepath.Join(dir, logFile))
		})
	}
}
