package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"shadowflow/experiment/record"
	"shadowflow/internal/version"
	"slices"
	"strings"
	"testing"
)

func mustParse(t testing.TB, src string) *Sweep {
	t.Helper()
	s, err := Parse("sweep.yaml", []byte(src), Limit)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func settings(s *Sweep) []string {
	var out []string
	for _, r := range s.Runs {
		out = append(out, r.String())
	}
	return out
}

func TestRunsAreAllCombinationsWithTheSeedFastest(t *testing.T) {
	s := mustParse(t, `
base: {steps: 5}
seeds: 2
grid:
  optimizer.beta2: [0.9, 0.99]
  optimizer: {beta1: [0.5]}
zip: {optimizer.lr: [1e-3, 1e-4], record.bias: [1, 2]}
list:
- {}
- {model: {name: cnn, channels: [2, 4]}}
`)
	if len(s.Runs) != 16 {
		t.Fatalf("%d runs, want 16", len(s.Runs))
	}
	want := []string{
		"optimizer.lr=1e-3 record.bias=1 optimizer.beta2=0.9 optimizer.beta1=0.5 seed=0",
		"optimizer.lr=1e-3 record.bias=1 optimizer.beta2=0.9 optimizer.beta1=0.5 seed=1",
		"optimizer.lr=1e-3 record.bias=1 optimizer.beta2=0.99 optimizer.beta1=0.5 seed=0",
		"optimizer.lr=1e-3 record.bias=1 optimizer.beta2=0.99 optimizer.beta1=0.5 seed=1",
		"optimizer.lr=1e-4 record.bias=2 optimizer.beta2=0.9 optimizer.beta1=0.5 seed=0",
	}
	if got := settings(s)[:5]; !slices.Equal(got, want) {
		t.Errorf("the first runs are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	last := s.Runs[15]
	if c := last.Config; c.Model.Name != "cnn" || !slices.Equal(c.Model.Channels, []int{2, 4}) || c.Optimizer.LR != 1e-4 ||
		c.Optimizer.Value("beta2") != 0.99 || c.Seed != 1 || c.Steps != 5 || last.Index != 15 {
		t.Errorf("the last run is %+v", c)
	}
	if want := []string{"model", "optimizer.lr", "record.bias", "optimizer.beta2", "optimizer.beta1", "seed"}; !slices.Equal(s.Keys, want) {
		t.Errorf("keys %q, want %q", s.Keys, want)
	}
	for key, want := range map[string]string{"model.name": "cnn", "seed": "1", "optimizer.lr": "0.0001", "model.hidden": "", "steps": "5"} {
		if got := last.Value(key); got != want {
			t.Errorf("%s is %q in the last run, want %q", key, got, want)
		}
	}
}

func TestASweepOfNothingIsOneRun(t *testing.T) {
	for _, src := range []string{"", "name: one\n", "base: {steps: 3}"} {
		t.Run(fmt.Sprintf("%q", src), func(t *testing.T) {
			if s := mustParse(t, src); len(s.Runs) != 1 {
				t.Errorf("%d runs", len(s.Runs))
			}
		})
	}
}

func TestADirectoryIsNamedAfterPlaceAndConfig(t *testing.T) {
	a := mustParse(t, "grid: {optimizer.beta2: [0.9, 0.99]}")
	b := mustParse(t, "grid: {optimizer.beta2: [0.5, 0.9, 0.99]}")
	if a.Runs[0].Hash != b.Runs[1].Hash || !strings.HasPrefix(b.Runs[1].DirName(), "0001-") {
		t.Errorf("hashes %s and %s of one config, directory %s", a.Runs[0].Hash, b.Runs[1].Hash, b.Runs[1].DirName())
	}
}

func TestBaseMayBeAFileBesideTheSweep(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("run.yaml", "steps: 7\noptimizer:\n  lr: 1e-4\nmodel: {hidden: [8]}\n")
	path := write("s.yaml", "# why\nbase: run.yaml\ngrid: {optimizer.beta1: [0.5, 0.9]}\nseeds: [3, 4]\n")
	s, err := Read(path, Limit)
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Runs[3].Config; s.Name != "s" || c.Steps != 7 || c.Optimizer.LR != 1e-4 || c.Seed != 4 {
		t.Errorf("%s: %+v", s.Name, c)
	}
	alone, err := Parse("elsewhere/sweep.yaml", s.Source, Limit)
	if err != nil {
		t.Fatalf("the copy does not stand on its own: %v\n%s", err, s.Source)
	}
	for i := range s.Runs {
		if alone.Runs[i].Hash != s.Runs[i].Hash {
			t.Errorf("run %d of the copy differs: %s", i, alone.Runs[i])
		}
	}
}

func TestBadSweepsAreRefusedByLineAndKey(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"grids: {}", "sweep.yaml:1:1: grids: unknown key of a sweep; did you mean grid?"},
		{"grid:\n  optimizer.beta9: [1]", "optimizer.beta9: unknown key; did you mean"},
		{"grid:\n  optimizer.beta2: [0.9, 2]", "sweep.yaml:2:26: optimizer.beta2: 2 is out of range"},
		{"grid:\n  optimizer.beta2: []", "sweep.yaml:2:3: grid: optimizer.beta2: an empty list makes no runs"},
		{"grid: {optimizer.beta2: 0.9}", "expected a list of values"},
		{"grid: [1]", "expected keys with lists of values"},
		{"list: []", "an empty list makes no runs"},
		{"list: [3]", "sweep.yaml:1:8: list: expected keys and values"},
		{"seeds: []", "an empty list makes no runs"},
		{"seeds: 0", "expected how many, from 1"},
		{"seeds: [-1]", "negative"},
		{"seeds: x", "expected how many"},
		{"zip: {optimizer.lr: [1e-3, 1e-4], steps: [1]}", "1 value, and zip: optimizer.lr has 2"},
		{"base: {stepz: 3}", "sweep.yaml:1:8: stepz: unknown key; did you mean steps?"},
		{"base: none.yaml", "cannot read the config"},
		{"base: [1]", "expected the keys of a config"},
		{"name: a/b", "a name that a directory may have"},
		{"at_loss: [0]", "at_loss: item 1: 0 is out of range; expected a number above 0"},
		{"seeds: [1, 1]", "runs 0 and 1 are the same config"},
		{"grid: {seed: [1]}\nseeds: 2", "gives values to seed, and so does grid: seed"},
		{"{", "not YAML"},
		{"a", "expected keys and values"},
		{"name: x\nname: y", "name"},
		{"grid: {seed: [&a 1]}", "anchor"},
		{"list: [{optimizer.name: gd, optimizer.beta2: 0.9}]", "of no use with optimizer.name: gd"},
	} {
		t.Run(c.want, func(t *testing.T) {
			_, err := Parse("sweep.yaml", []byte(c.src), Limit)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: error %v, want one with %q", c.src, err, c.want)
			}
		})
	}
}

func TestTooManyRunsAreRefusedUnlessMeant(t *testing.T) {
	src := []byte("seeds: 1001")
	var many *TooManyError
	if _, err := Parse("s.yaml", src, Limit); !errors.As(err, &many) || many.Runs != 1001 {
		t.Errorf("error %v", err)
	}
	if s, err := Parse("s.yaml", src, 0); err != nil || len(s.Runs) != 1001 {
		t.Errorf("error %v", err)
	}
	huge := "seeds: 100000\ngrid: {steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}"
	for _, limit := range []int{0, Limit} { // where it is of no use to mean them
		if _, err := Parse("s.yaml", []byte(huge), limit); !errors.As(err, &many) || !strings.Contains(err.Error(), "make several of it") {
			t.Errorf("with a limit of %d: error %v", limit, err)
		}
	}
}

func TestAnErrorIsSaidOnce(t *testing.T) {
	_, err := Parse("s.yaml", []byte("base: {lr: 1}\nseeds: 50"), Limit)
	if err == nil || strings.Count(err.Error(), "\n") != 0 {
		t.Errorf("error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("name: a\nbase: {steps: 3}\ngrid: {optimizer.beta2: [0.9, 1e-1]}\nseeds: 2\nat_loss: [0.1]"))
	f.Add([]byte("list: [{model: {name: cnn}}, {}]\nzip: {optimizer.lr: [1, 2], steps: [1, 2]}"))
	f.Add([]byte("sample: {n: 3, seed: 7, method: latin-hypercube, keys: {optimizer.lr: {log: [1e-4, 1e-2]}, batch: {size: {integer: [8, 64]}}, loss: {choice: [mse]}}}"))
	f.Add([]byte("seeds: 2\nslurm: {partition: a, time: 1-12:00:00, mem: 8GiB, options: [--qos=b], cpus: 2, array_limit: 5}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := Parse("sweep.yaml", src, 50)
		if err != nil {
			return
		}
		again, err := Parse("sweep.yaml", s.Source, 50)
		if err != nil || len(again.Runs) != len(s.Runs) {
			t.Fatalf("the copy of a sweep is not one: %v", err)
		}
	})
}

func ExampleParse() {
	s, err := Parse("betas.yaml", []byte(`
base: {steps: 300}
grid: {optimizer.beta2: [0.9, 0.99]}
seeds: 2
`), Limit)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range s.Runs {
		fmt.Println(r.Index, r)
	}
	// Output:
	// 0 optimizer.beta2=0.9 seed=0
	// 1 optimizer.beta2=0.9 seed=1
	// 2 optimizer.beta2=0.99 seed=0
	// 3 optimizer.beta2=0.99 seed=1
}

func TestAtALossAMeasurementIsInterpolatedInTheLogarithmOfTheLoss(t *testing.T) {
	hole := math.NaN()
	for _, c := range []struct {
		name           string
		losses, values []float64
		want           float64
	}{
		{"half way in the logarithm", []float64{1, 0.1, 0.01}, []float64{5, 3, 1}, 3 - 2*math.Log10(0.1/0.04)},
		{"measured now and then", []float64{1, 0.1, 0.01, 0.001}, []float64{6, hole, hole, 0}, 6 * (1 - math.Log10(1/0.04)/3)},
		{"below from the start on", []float64{0.01, 0.001}, []float64{5, 3}, hole},
		{"below from the first loss on", []float64{hole, 0.001}, []float64{5, 3}, hole},
		{"not measured behind", []float64{1, 0.01}, []float64{5, hole}, hole},
		{"not measured before", []float64{1, 0.01}, []float64{hole, 5}, hole},
		{"back above the level", []float64{1, 0.01, 2}, []float64{5, hole, 3}, hole},
		{"back above it, and below again", []float64{1, 0.01, 2, 0.0008}, []float64{5, hole, 3, 1}, 3 - 2*math.Log10(2/0.04)/math.Log10(2/0.0008)},
		{"from an infinite loss on", []float64{math.Inf(1), 0.01}, []float64{5, 3}, hole},
		{"a loss now and then", []float64{1, hole, 0.0016}, []float64{4, hole, 0}, 2},
		{"never", []float64{1, 0.1}, []float64{5, 3}, hole},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := AtLoss(c.losses, c.values, 0.04)
			if !(math.Abs(got-c.want) < 1e-12) && !(math.IsNaN(got) && math.IsNaN(c.want)) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestWhyThereIsNothingAtALossIsSaid(t *testing.T) {
	s := mustParse(t, "base: {objective: {name: bilinear}, steps: 30, optimizer: {lr: 0.01}, beside: []}\nat_loss: [1e6, 0.2, 1e-30]\n")
	dir := t.TempDir()
	if err := s.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	table, err := s.Table(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	losses := table.Floats("loss")
	want := "at_loss: the loss was below 1e+06 from the start; "
	if losses[0] >= 0.2 {
		want += "at_loss: the loss did not come below 0.2; "
	}
	want += "at_loss: the loss did not come below 1e-30"
	if got := table.Rows[0][table.Index("reason")].String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOfMiniBatchesOnlyTheLossOverAllExamplesPassesALevel(t *testing.T) {
	column := func(name string) record.Column { return record.Column{Name: name, Type: record.FloatColumn} }
	row := func(values ...float64) (out []record.Value) {
		for _, v := range values {
			out = append(out, record.Float(v))
		}
		return out
	}
	batches := &record.History{Columns: []record.Column{column("step"), column("loss")}, Rows: [][]record.Value{row(0, 1), row(1, 0.01)}}
	all := &record.History{Columns: []record.Column{column("step"), column("loss"), column("full_loss")}, Rows: [][]record.Value{row(0, 1, 1), row(1, 0.01, 1), row(2, 1, 0.01)}}
	for name, c := range map[string]struct {
		mode string
		h    *record.History
		want float64
	}{
		"a full batch":                            {"full", batches, 0.5},
		"mini-batches alone":                      {"shuffled", batches, math.NaN()},
		"mini-batches with the loss over all too": {"shuffled", all, 1.5},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustParse(t, "grid: {seed: [1]}\nat_loss: [0.1]\nbase: {batch: {mode: "+c.mode+"}}")
			r := s.reason(Trial{Status: Status{Run: s.Runs[0]}, History: c.h})
			if strings.Contains(r, "record.bias is 0") != math.IsNaN(c.want) {
				t.Errorf("the reason is %q", r)
			}
			got := math.NaN()
			for _, cell := range s.measurements(s.Runs[0].Config, c.h) {
				if cell.column.Name == "step_at_loss_0.1" && cell.value.Measured() {
					got = cell.value.Float()
				}
			}
			if !(math.Abs(got-c.want) < 1e-9) && !(math.IsNaN(got) && math.IsNaN(c.want)) {
				t.Errorf("passed at %v, want %v", got, c.want)
			}
		})
	}
}

func TestAGridVariesListsOfGroups(t *testing.T) {
	s := mustParse(t, `
grid:
  optimizer.groups:
  - []
  - [{match: "*.bias", lr_scale: 2}]
  - [{match: "*.bias", name: gd}, {dims: 2, beta1: 0.5}]
`)
	want := []string{"optimizer.groups=[]", "optimizer.groups=[{match: '*.bias', lr_scale: 2}]", "optimizer.groups=[{match: '*.bias', name: gd}, {dims: 2, beta1: 0.5}]"}
	if got := settings(s); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for i, r := range s.Runs {
		if got := len(r.Config.Optimizer.Parts()); got != i {
			t.Errorf("run %d has %d groups", i, got)
		}
	}
	again, err := Parse("sweep.yaml", s.Source, Limit)
	if err != nil || !slices.Equal(settings(again), want) {
		t.Errorf("read again: %v", err)
	}
	if _, err := Parse("sweep.yaml", []byte("grid:\n  optimizer.groups:\n  - [{match: x, beta9: 1}]\n"), Limit); err == nil || !strings.Contains(err.Error(), "sweep.yaml:3:17: optimizer.groups: group 1: beta9: unknown key") {
		t.Errorf("got %v", err)
	}
}

// Which loss a run has and how large it is are two columns.
func TestASweepOverTheKindOfLossHasATable(t *testing.T) {
	s, dir := mustParse(t, "base: {steps: 1, data: {subset: 20}, model: {hidden: [4]}}\ngrid: {loss: [mse, cross-entropy]}\n"), t.TempDir()
	if err := s.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteTables(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	table, err := s.Table(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"mse", "cross-entropy"} {
		row := table.Rows[i]
		if kind, loss := row[table.Index("config.loss")].String(), row[table.Index("loss")].Float(); kind != want || !(loss > 0) {
			t.Errorf("run %d: loss %s of %v", i, kind, loss)
		}
	}
}

func TestTheDirectoriesOfASweepSayWhichProgramMadeThem(t *testing.T) {
	s, dir := mustParse(t, "base: {steps: 1, data: {subset: 20}, model: {hidden: [4]}}\nseeds: 2\n"), t.TempDir()
	if err := s.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, d := range append(s.RunDirs(dir), dir) {
		data, err := os.ReadFile(filepath.Join(d, record.VersionFile))
		if err != nil {
			t.Fatal(err)
		}
		var p version.Program
		if err := json.Unmarshal(data, &p); err != nil || p != version.Current() {
			t.Errorf("%s: %+v, %v", d, p, err)
		}
	}
}
