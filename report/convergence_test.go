package report

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/run"
)

func TestOrderVerdict(t *testing.T) {
	for _, c := range []struct {
		name   string
		order  int
		errors []float64
		slopes []float64
		want   string
	}{
		{"one step size has no slope", 2, []float64{1e-3}, nil, "order 2: not measured: one step size has no slope; give several"},
		{"a slope a little below the order shows it", 2, []float64{1e-3, 3e-4}, []float64{1.85}, "order 2: holds: the error falls like lr^1.85"},
		{"a slope of the next order is better", 1, []float64{1e-3, 3e-4}, []float64{1.9}, "order 1: holds, and better: the error falls like lr^1.90"},
		{"rising slopes leave it open", 3, []float64{1e-3, 3e-4, 1e-4}, []float64{1.6, 2}, "order 3: undecided: the error falls like lr^2.00"},
		{"a low slope does not show it", 3, []float64{1e-3, 3e-4, 1e-4}, []float64{2, 2}, "order 3: does not show: the error falls like lr^2.00"},
		{"errors of rounding are no evidence against", 4, []float64{1e-12, 9e-13}, []float64{0.1}, "order 4: holds as far as float64 can tell: the error falls to 9.0e-13"},
		{"an error of 0 is one of rounding", 4, []float64{1e-3, 0}, []float64{math.Inf(1)}, "order 4: holds as far as float64 can tell"},
		{"a last error near rounding leaves the slope before it", 5, []float64{1.27e-9, 3.95e-11, 1.93e-12}, []float64{5.01, 4.35}, "order 5: holds: the error falls like lr^5.01, down to 3.9e-11"},
		{"a low slope before it is one against", 5, []float64{1.27e-9, 3.95e-10, 1.93e-12}, []float64{1.7, 7.7}, "order 5: does not show: the error falls like lr^1.70"},
		{"a single slope near the order is not one against", 4, []float64{1.85e-9, 1.37e-10, 9.22e-12, 5.96e-13}, []float64{3.76, 3.89, 3.95}, "order 4: undecided: the error falls like lr^3.76, down to 1.4e-10, and rounding hides the other slopes"},
		{"a slope that jumps is none yet", 3, []float64{1.57e-4, 2.45e-5, 1.16e-6}, []float64{2.7, 4.4}, "order 3: undecided: the error falls like lr^2.70, and then like lr^4.40: take smaller lr"},
		{"what falls too slowly until rounding is not shown", 4, []float64{4.8e-10, 1.5e-10, 3.5e-11, 6.6e-13}, []float64{1.69, 2.09, 5.74}, "order 4: undecided: the error falls like lr^2.09, down to 3.5e-11, and the slopes rise"},
		{"no number shows nothing", 1, []float64{1, 1, math.NaN()}, []float64{0, math.NaN()}, "order 1: does not show"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, found := OrderVerdict(run.OrderErrors{Order: c.order, Errors: c.errors, Slopes: c.slopes}, nil)
			if !strings.HasPrefix(got, c.want) || (found == Against) != strings.Contains(c.want, "does not show") || (found == Holds) != strings.Contains(c.want, "holds") || (found == Unmeasured) != strings.Contains(c.want, "not measured") {
				t.Errorf("verdict %q, finding %v; want it to begin with %q", got, found, c.want)
			}
		})
	}
}

func TestAVerdictAgainstAnOrderNamesTheKinksOfTheStep(t *testing.T) {
	got, found := OrderVerdict(run.OrderErrors{Order: 4, Errors: []float64{1e-3, 3e-4, 1e-4}, Slopes: []float64{2, 2}}, []string{"if", "max"})
	if want := "the step has if and max, and where their arguments cross it has no order"; found != Against || !strings.Contains(got, want) {
		t.Errorf("verdict %q lacks %q", got, want)
	}
}

func TestWhatWasNotMeasuredIsNoProof(t *testing.T) {
	o := run.OrderErrors{Order: 2, Errors: []float64{4e-12, 1e-12}, Slopes: []float64{2}, Unmeasured: "theta moves by 6e-10"}
	if got, found := OrderVerdict(o, nil); got != "order 2: not measured: theta moves by 6e-10" || found != Unmeasured {
		t.Errorf("verdict %q, finding %v", got, found)
	}
}

func TestRoundingThatIsMagnifiedIsNoEvidence(t *testing.T) {
	o := run.OrderErrors{Order: 2, Errors: []float64{1e-5, 2.5e-6, 4e-7}, Slopes: []float64{2, 2.6}, Rounding: 1e-7}
	if got, found := OrderVerdict(o, nil); found != Holds || !strings.Contains(got, "holds: the error falls like lr^2.00, down to 2.5e-06") {
		t.Errorf("one slope is above it: %q, finding %v", got, found)
	}
	o.Rounding = 1e-6
	if got, found := OrderVerdict(o, nil); found != Unmeasured || !strings.Contains(got, "not measured: errors from 2.5e-06 down are those of rounding") {
		t.Errorf("none is: %q, finding %v", got, found)
	}
}

func TestConvergenceChart(t *testing.T) {
	chart := ConvergenceChart("adam on bilinear", &run.Verification{
		LR:     []float64{0.02, 0.01, 0.005},
		Orders: []run.OrderErrors{{Order: 1, Errors: []float64{3, 2, 1}}, {Order: 2, Errors: []float64{3, 2, 0}}},
	})
	svg, err := Render(chart, "svg", PageStyle)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"adam on bilinear", "order 1", "order 2", "slope = order", "0.005", "step size lr"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("no %q is drawn", want)
		}
	}
}

func TestPowerLaw(t *testing.T) {
	for _, c := range []struct {
		name string
		y    []float64
		want []float64
	}{
		{"goes through the last point", []float64{9, 9, 1}, []float64{16, 4, 1}},
		{"goes through the last point with a logarithm", []float64{9, 8, 0}, []float64{32, 8, 2}},
		{"passes over what is infinite", []float64{16, math.NaN(), math.Inf(1)}, []float64{16, 4, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			law := PowerLaw([]float64{4, 2, 1}, c.y, 2)
			for i, want := range c.want {
				if law.Y[i] != want {
					t.Errorf("line %v, want %v", law.Y, c.want)
					break
				}
			}
		})
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	t.Run("the file's name says the format", func(t *testing.T) {
		for name, start := range map[string]string{"a.png": "\x89PNG", "a.SVG": "<?xml", "a.pdf": "%PDF"} {
			file := filepath.Join(dir, name)
			if err := Save(exampleChart(), file, PageStyle); err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(data), start) {
				t.Errorf("%s begins with %q, %v", name, data[:min(len(data), 8)], err)
			}
		}
	})
	for _, c := range []struct{ name, file, want string }{
		{"another ending is refused", filepath.Join(dir, "a.bmp"), "want a file ending in .png, .svg or .pdf"},
		{"a missing folder is named", filepath.Join(dir, "none", "a.png"), "there is no folder " + filepath.Join(dir, "none")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Save(exampleChart(), c.file, PageStyle); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}
