package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
)

// runDir makes a small run that has numbers for every figure.
func runDir(t *testing.T, overrides ...string) string {
	t.Helper()
	const text = `
steps: 30
data: {name: digits, subset: 60, test_subset: 20}
model: {name: mlp, hidden: [8], activation: tanh}
record: {every: 1, bias: 3, sharpness: 10, test: 10}
beside: [memoryless-1, memoryless-2]
flow: {start: 0}
`
	c, err := config.Parse("test.yaml", []byte(text), overrides)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run <&>")
	if _, err := run.Run(t.Context(), c, dir, run.Options{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, dir string) *Report {
	t.Helper()
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(r *Report) []string {
	var out []string
	for _, f := range r.Figures() {
		out = append(out, f.Label().Name)
	}
	return out
}

func TestEveryFigureIsDrawnInEveryFormat(t *testing.T) {
	r := read(t, runDir(t))
	page, err := r.Write(t.Context(), PageStyle)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"overview", "loss", "norm", "bias", "drive", "defect", "flow", "sharpness", "noise"}
	if got := names(r); !slices.Equal(got, want) {
		t.Errorf("figures %v, want %v", got, want)
	}
	for _, name := range want {
		t.Run(name, func(t *testing.T) {
			base := filepath.Join(r.Dir, FiguresDir, name)
			f, err := os.Open(base + ".png")
			if err != nil {
				t.Fatal(err)
			}
			image, err := png.Decode(f)
			if err != nil {
				t.Fatal(err)
			}
			if b := image.Bounds(); b.Dx() < 500 || b.Dy() < 200 {
				t.Errorf("the PNG has %d by %d pixels", b.Dx(), b.Dy())
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			for suffix, magic := range map[string]string{".svg": "<?xml", ".pdf": "%PDF"} {
				data, err := os.ReadFile(base + suffix)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.HasPrefix(data, []byte(magic)) {
					t.Errorf("the %s starts with %q", suffix, data[:min(len(data), 8)])
				}
			}
		})
	}
	if _, err := os.Stat(page); err != nil {
		t.Error(err)
	}
}

func TestWhatChangesTheStepsHasAFigureWhereSomethingDoes(t *testing.T) {
	for _, c := range []struct {
		overrides []string
		axes      int
	}{
		{[]string{"schedule.warmup=5"}, 2},
		{[]string{"schedule.warmup=5", "optimizer.clip_norm=0.1"}, 3},
		{nil, 0},
	} {
		f := read(t, runDir(t, c.overrides...)).stepsFigure()
		if len(f.Axes) != c.axes || (c.axes > 0) != f.drawable() {
			t.Errorf("%v: %d axes, want %d", c.overrides, len(f.Axes), c.axes)
		}
	}
}

func TestTheStepSizesOfGroupsAreAllDrawn(t *testing.T) {
	r := read(t, runDir(t, "schedule.warmup=5", "optimizer.groups=[{match: '0.bias', lr_scale: 0.1}, {match: '0.weight', lr_scale: 0}, {match: '2.bias', lr_scale: 0.1}]"))
	_, lr := r.column("lr")
	got := r.stepsFigure().Axes[0].Series
	if len(got) != 2 || got[0].Name != "all other weights" || got[1].Name != "0.bias,\n2.bias" || got[0].Color == got[1].Color {
		t.Fatalf("%+v", got)
	}
	for i, y := range lr {
		if got[0].Y[i] != y || math.Abs(got[1].Y[i]-0.1*y) > 1e-15 {
			t.Errorf("step %d: %v and %v, want %v and a tenth", i, got[0].Y[i], got[1].Y[i], y)
		}
	}
	all := read(t, runDir(t, "schedule.warmup=5", "optimizer.groups=[{match: '*', lr_scale: 2}]"))
	if got := all.stepsFigure().Axes[0].Series; len(got) != 1 || got[0].Name != "*" {
		t.Errorf("groups that leave no weight: %+v", got)
	}
}

func TestPageNeedsNothingBesideItself(t *testing.T) {
	r := read(t, runDir(t))
	text, err := r.Document().Page()
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, loads := range []string{"src=", "@import", "url(", "<link", "<script", "href=\"http"} {
		if strings.Contains(page, loads) {
			t.Errorf("the page has %q", loads)
		}
	}
	if n := strings.Count(page, "<svg"); n != len(r.Figures()) {
		t.Errorf("%d figures are inlined, of %d", n, len(r.Figures()))
	}
	for _, want := range []string{"run &lt;&amp;&gt;", "prefers-color-scheme: dark", "steps: 30", "var(--ink)"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	svg := page[strings.Index(page, "<svg"):]
	for d := xml.NewDecoder(strings.NewReader(svg[:strings.Index(svg, "</svg>")+6])); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("an inlined figure: %v", err)
		}
	}
}

func TestFiguresWithoutNumbersAreLeftOut(t *testing.T) {
	r := read(t, runDir(t, "record={every: 5, bias: 0, sharpness: 0, test: 0}", "beside=[]"))
	if got := names(r); !slices.Equal(got, []string{"loss", "norm"}) {
		t.Errorf("figures %v, want loss and norm", got)
	}
	if len(r.Sentences()) < 3 {
		t.Errorf("sentences %q", r.Sentences())
	}
}

func TestSentencesHaveTheRecordsNumbers(t *testing.T) {
	r := read(t, runDir(t))
	all := strings.Join(r.Sentences(), "\n")
	_, loss := r.column("loss")
	for _, want := range []string{"adam (lr 0.001, beta1 0.9, beta2 0.99, eps 1e-08)", "took all its 30 steps", number(loss[0]), number(loss[len(loss)-1]),
		"10 measured steps", "Realized: ", "than no correction", "38,000", "noise scale"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not said in\n%s", want, all)
		}
	}
	if strings.Contains(all, "NaN") || regexp.MustCompile(`%!`).MatchString(all) {
		t.Errorf("badly formatted:\n%s", all)
	}
}

func TestReportOfARunThatHasNotEnded(t *testing.T) {
	dir := runDir(t)
	if err := os.Remove(filepath.Join(dir, "result.json")); err != nil {
		t.Fatal(err)
	}
	r := read(t, dir)
	if s := r.Sentences()[0]; !strings.Contains(s, "has not ended") {
		t.Errorf("the first sentence is %q", s)
	}
	if _, err := r.Write(t.Context(), PageStyle); err != nil {
		t.Error(err)
	}
}

func TestReportOfADivergedRun(t *testing.T) {
	r := read(t, runDir(t, "optimizer={name: gd, lr: 1e30}", "beside=[]"))
	if _, err := r.Write(t.Context(), PageStyle); err != nil {
		t.Error(err)
	}
	if s := r.Sentences()[0]; !strings.Contains(s, "diverged after") {
		t.Errorf("the first sentence is %q", s)
	}
}

// A run that begins with moments took its own steps alone.
func TestStepsBehindTheMomentsAreNotTheRuns(t *testing.T) {
	first := runDir(t, "beside=[]")
	at, err := filepath.Glob(filepath.Join(first, "checkpoint-*-ended.safetensors"))
	if err != nil || len(at) != 1 {
		t.Fatal(at, err)
	}
	dir := runDir(t, "beside=[]", "steps=2", "record.bias=1", "model.weights="+at[0], "optimizer.moments="+at[0])
	said := read(t, dir).Sentences()[0]
	if want := "took all its 2 steps, from 30 to 32, behind the 30 that left its moments, in "; !strings.Contains(said, want) {
		t.Errorf("%q lacks %q", said, want)
	}
	if result, err := run.ReadResult(dir); err != nil || result.Step != 32 || result.Before != 30 || result.Taken() != 2 {
		t.Errorf("%+v, %v", result, err)
	}
}

// A count agrees with what it counts, in all that is said of a run of one step on one example.
func TestOneStepOnOneExampleIsSaidInTheSingular(t *testing.T) {
	r := read(t, runDir(t, "steps=1", "data.subset=1", "record.bias=1", "beside=[]", "schedule={shape: constant, warmup: 1}"))
	all := strings.Join(r.Sentences(), "\n")
	if plurals := regexp.MustCompile(`\b1 (measured |recorded )?(steps|examples|parameters|measurements|times|batches)\b`).FindAllString(all, -1); len(plurals) > 0 {
		t.Errorf("%q in\n%s", plurals, all)
	}
	for _, want := range []string{"1 example;", "took all its 1 step in", "a warmup of 1 step)"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

func TestAWarmupIsNamedWhereThereIsOne(t *testing.T) {
	for _, c := range []struct {
		schedule config.Schedule
		want     string
	}{
		{config.Schedule{Shape: "cosine"}, "schedule cosine"},
		{config.Schedule{Shape: "cosine", Warmup: 20}, "schedule cosine with a warmup of 20 steps"},
		{config.Schedule{Shape: "constant", Warmup: 1}, "schedule constant with a warmup of 1 step"},
	} {
		if got := saySchedule(c.schedule); got != c.want {
			t.Errorf("%+v: %q, want %q", c.schedule, got, c.want)
		}
	}
}

func TestThinningKeepsPeaks(t *testing.T) {
	var x, y []float64
	for i := range 100_000 {
		x, y = append(x, float64(i)), append(y, math.Sin(float64(i)/5000))
	}
	y[77_777], y[3] = 9, -9
	tx, ty := thin(x, y, maxPoints)
	if len(tx) > maxPoints || len(tx) != len(ty) {
		t.Errorf("%d points are left", len(tx))
	}
	if slices.Max(ty) != 9 || slices.Min(ty) != -9 {
		t.Error("a peak is lost")
	}
	if !slices.IsSorted(tx) {
		t.Error("the order is lost")
	}
}

func TestNumbersInSentences(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 3: "3", 1297: "1,297", 0.28734: "0.287", 123.456: "123", 54321.7: "54,322", 1.5e-5: "1.50e-5", -2e9: "-2.00e9", 0.05: "0.05", -38000: "-38,000",
	} {
		t.Run(want, func(t *testing.T) {
			if got := number(v); got != want {
				t.Errorf("%v is written %q", v, got)
			}
		})
	}
	for v, want := range map[float64]string{0.5: "50.0%", 1: "100.0%", 0.9996: "99.96%", 0.0004: "0.04%", 0: "0.0%"} {
		t.Run(want, func(t *testing.T) {
			if got := percent(v); got != want {
				t.Errorf("the share %v is written %q", v, got)
			}
		})
	}
}

func TestTicksAreFewAndRound(t *testing.T) {
	for _, c := range []struct {
		name        string
		marker      plot.Ticker
		lo, hi      float64
		least, most int // labels
	}{
		{"steps", linearTicks{}, 0, 900, 3, 8},
		{"across zero", linearTicks{}, -0.003, 0.2, 3, 8},
		{"many decades", linearTicks{}, 1e-9, 3, 3, 8},
		{"a narrow range", linearTicks{}, 0.97, 1.01, 3, 8},
		{"one value", linearTicks{}, 5, 5, 1, 1},
		{"below zero", linearTicks{}, -4000, 0, 3, 8},
		{"numbers that differ in the last digit", linearTicks{}, 1, math.Nextafter(1, 2), 1, 8},
		{"as wide as numbers go", linearTicks{}, -1e300, 1e300, 3, 8},
		{"as small as numbers go", linearTicks{}, 0, 5e-324, 1, 8},
		{"logarithmic over many decades", logTicks{}, -9, 3, 2, 9},
		{"logarithmic within one decade", logTicks{}, math.Log10(0.2), math.Log10(0.9), 2, 9},
		{"logarithmic over two thirds of a decade", logTicks{}, math.Log10(0.26), math.Log10(1.35), 4, 9},
		{"logarithmic over one decade", logTicks{}, math.Log10(3), math.Log10(40), 2, 9},
		{"logarithmic over twenty decades", logTicks{}, 0, 20, 2, 9},
		{"logarithmic as wide as numbers go", logTicks{}, -323, 300, 2, 9},
		{"logarithmic within a last digit", logTicks{}, 300, math.Nextafter(300, 301), 1, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			labelled := 0
			for _, tick := range c.marker.Ticks(c.lo, c.hi) {
				if tick.Label != "" {
					labelled++
				}
			}
			if labelled < c.least || labelled > c.most {
				t.Errorf("%d labels, want %d to %d", labelled, c.least, c.most)
			}
		})
	}
}

func TestALogarithmicAxisIsMarkedAsOne(t *testing.T) {
	for _, span := range [][2]float64{{-0.6, 0.1}, {-1.3, 0.2}, {-4, 0}} {
		ticks, marks := logTicks{}.Ticks(span[0], span[1]), 0
		for _, tick := range ticks {
			if tick.Label == "" {
				marks++
			}
		}
		if marks < len(ticks)/3 {
			t.Errorf("%v: %d of %d ticks are marks between the labels", span, marks, len(ticks))
		}
	}
}

func TestStanding(t *testing.T) {
	for _, c := range []struct {
		name  string
		drive float64
		run.Verdict
		defect float64
		want   string
	}{
		{"a bias that lowers the norm", -1, run.BornOut, math.NaN(), "loss 0.5  norm 2  realized bias - lowers  holds: memoryless-2"},
		{"a bias that raises it", 1, run.Worse, math.NaN(), "loss 0.5  norm 2  realized bias + raises  does not hold: memoryless-2"},
		{"the state equation alone holds", 1, run.Worse, 0.01, "loss 0.5  norm 2  realized bias + raises  holds: state-2  does not hold: memoryless-2"},
		{"both hold", 1, run.BornOut, 0.01, "loss 0.5  norm 2  realized bias + raises  holds: state-2, memoryless-2"},
		{"the state equation cannot be followed", 1, run.Unknown, math.Inf(1), "loss 0.5  norm 2  realized bias + raises  does not hold: state-2"},
		{"no bias beyond rounding", 0, run.Idle, math.NaN(), "loss 0.5  norm 2  realized bias none"},
		{"a bias that was not measured", math.NaN(), run.Unknown, math.NaN(), "loss 0.5  norm 2  realized bias not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Standing(run.Progress{Loss: 0.5, Excess: 2, RealizedDrive: c.drive, Verdict: c.Verdict, StateDefect: c.defect}); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestRegressionsAreToldByR2(t *testing.T) {
	table := filepath.Join(t.TempDir(), "t.csv")
	text := "a,b,y\n"
	for i := range 40 {
		text += fmt.Sprintf("%d,%d,%d\n", i, i*i%11, 3*i-i*i%11)
	}
	if err := os.WriteFile(table, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r := read(t, runDir(t, "data={name: csv, path: "+table+", target: [y], standardize_target: true, subset: 0, test_subset: 0}", "loss=mse"))
	if all := strings.Join(r.Sentences(), "\n"); !strings.Contains(all, ", R² to ") || !strings.Contains(all, "; test R² ended at ") || strings.Contains(all, "accuracy") {
		t.Errorf("it says\n%s", all)
	}
	if l := r.lossFigure().Label(); l.Title != "Loss and R²" {
		t.Errorf("the figure is called %q", l.Title)
	}
}

// A step of an optimizer without memory is its second-order equation's by Taylor's formula, however wild the run: no sentence takes that for evidence.
func TestAnOptimizerWithoutMemoryIsNotSaidToBePredicted(t *testing.T) {
	r := read(t, runDir(t, "optimizer={name: gd, lr: 0.5}", "loss=mse"))
	text := strings.Join(r.Sentences(), "\n")
	if !strings.Contains(text, "is no evidence") || strings.Contains(text, "predicts steps better") || strings.Contains(text, "is realized, at a cosine") {
		t.Errorf("it says\n%s", text)
	}
}

// An equation begins behind flow.start: of a run that ended there or before nothing went wrong, and no log has a reason.
func TestAnEquationThatNeverBeganIsSaidToHaveNotBegun(t *testing.T) {
	for steps, want := range map[int]string{
		5:  "No equation began: memoryless-1, memoryless-2 would from step 10 on, behind the flow.start of 10 steps, and the record ends at step 5.",
		10: "No equation began: memoryless-1, memoryless-2 would from step 10 on, behind the flow.start of 10 steps, and the record ends at step 10.",
		11: "Over the way that the iterates went since the equations began, they ended at a distance of ",
	} {
		r := read(t, runDir(t, "flow.start=10", fmt.Sprintf("steps=%d", steps)))
		if got := r.sayFlow(); !strings.HasPrefix(got, want) || strings.Contains(got, "log says why") {
			t.Errorf("%d steps: %q, want %q", steps, got, want)
		}
	}
}

func TestASecondOrderThatIsFartherThanTheFirstIsSaidToBe(t *testing.T) {
	const farther = "state-2 ended farther from the iterates than state-1"
	for _, c := range []struct {
		name                  string
		first, second, sharp  float64
		rounding              float64
		says, saysNothingLike string
	}{
		{"at the edge", 0.05, 0.11, 2.06, 1e-9, "the sharpness was at 2.06 of its stability threshold", "though"},
		{"far below it", 0.05, 0.11, 0.2, 1e-9, "though the sharpness was below its stability threshold wherever it was measured, at most 0.2 of it", "flip"},
		{"not measured", 0.05, 0.11, math.NaN(), 1e-9, "sharpness, which would tell, was not measured", "though"},
		{"nearer", 0.05, 0.01, 2.06, 1e-9, "", farther},
		{"within rounding", 0.09290, 0.09291, 0.2, 0.0994, "may be nothing else", farther},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := read(t, runDir(t, "beside=[state-1, state-2]", "record.sharpness=5", "flow.start=2", "steps=10", "dtype=float64"))
			for column, v := range map[string]float64{"state-1.relative_distance": c.first, "state-2.relative_distance": c.second, "monitor.period_two": c.sharp, "iterates.rounding": c.rounding} {
				at := r.History.Index(column)
				if at < 0 {
					t.Fatalf("no column %s", column)
				}
				for i := range r.History.(*record.History).Rows {
					if !math.IsNaN(float64(r.History.Floats(column)[i])) {
						r.History.(*record.History).Rows[i][at] = record.Float(v)
					}
				}
			}
			got := r.sayFlow()
			if !strings.Contains(got, c.says) || strings.Contains(got, c.saysNothingLike) || strings.Contains(got, farther) == (c.saysNothingLike == farther) {
				t.Errorf("it says %q", got)
			}
		})
	}
}

// An equation that ended on the way has not arrived where it ended.
func TestAnEquationThatEndedIsSaidToHaveEnded(t *testing.T) {
	r := read(t, runDir(t))
	at := r.History.Index("memoryless-1.relative_distance")
	for i := r.History.Len() - 5; i < r.History.Len(); i++ {
		r.History.(*record.History).Rows[i][at] = record.Float(math.NaN())
	}
	text := r.sayFlow()
	if !strings.Contains(text, "Not to the end came memoryless-1 behind step") || strings.Contains(text, "of it from memoryless-1") {
		t.Errorf("it says %s", text)
	}
}
