package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// floatsOf are the bytes of little-endian float64 numbers.
func floatsOf(x ...float64) []byte {
	var out bytes.Buffer
	for _, v := range x {
		_ = binary.Write(&out, binary.LittleEndian, v) // a Buffer takes everything
	}
	return out.Bytes()
}

// archive writes an npz file.
func archive(t *testing.T, members map[string][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.npz")
	writeFile(t, path, zipOf(t, members))
	return path
}

func TestFloatsInAnArchiveAreTargets(t *testing.T) {
	path := archive(t, map[string][]byte{
		"X.npy": npyOf("|u1", "(4, 2)", []byte{1, 10, 2, 20, 3, 30, 4, 40}),
		"y.npy": npyOf("<f8", "(4, 2)", floatsOf(1, 5, 3, 5, 5, 5, 7, 5)),
	})
	d, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path, Standardize: true, StandardizeTarget: true})
	if err != nil {
		t.Fatal(err)
	}
	if d.Classes != 0 || d.Train.N() != 4 || len(d.Train.Labels) != 0 || !slices.Equal(d.TargetNames, []string{"0", "1"}) {
		t.Fatalf("%d classes, %d examples, labels %v, targets %v", d.Classes, d.Train.N(), d.Train.Labels, d.TargetNames)
	}
	if want := []float64{4, 5}; !slices.Equal(d.TargetMean, want) {
		t.Errorf("means of the targets %v, want %v", d.TargetMean, want)
	}
	for i, y := range d.Train.Targets.Values {
		back := d.TargetMean[i%2] + d.TargetStd[i%2]*y
		if want := []float64{1, 5, 3, 5, 5, 5, 7, 5}[i]; math.Abs(back-want) > 1e-15*want {
			t.Errorf("target %d: mean + deviation * %v = %v, want %v", i, y, back, want)
		}
	}
	// A table is standardized column by column: both are the same line.
	x := Inputs[float64](d.Train)
	for i := 0; i < len(x); i += 2 {
		if want := (float64(i/2) - 1.5) / math.Sqrt(1.25); math.Abs(x[i]-want) > 1e-15 || math.Abs(x[i+1]-want) > 1e-15 {
			t.Errorf("row %d: %v, want %v twice", i/2, x[i:i+2], want)
		}
	}
}

func TestTheTaskDecidesWhatNumbersAre(t *testing.T) {
	of := func(descr string, y []byte) map[string][]byte {
		return map[string][]byte{"X.npy": npyOf("|u1", "(3, 1)", []byte{1, 2, 3}), "y.npy": npyOf(descr, "(3,)", y)}
	}
	whole, bytes := archive(t, of("<f8", floatsOf(0, 2, 1))), archive(t, of("|u1", []byte{0, 2, 1}))
	for _, c := range []struct {
		path, task string
		classes    int
	}{
		{whole, "", 0}, {whole, TaskAuto, 0}, {whole, TaskRegression, 0}, {whole, TaskClassification, 3},
		{bytes, "", 3}, {bytes, TaskAuto, 3}, {bytes, TaskClassification, 3}, {bytes, TaskRegression, 0},
	} {
		d, err := Load(t.Context(), Spec{Name: NameNPZ, Path: c.path, Task: c.task})
		if err != nil {
			t.Fatal(err)
		}
		if d.Classes != c.classes {
			t.Errorf("task %q: %d classes, want %d", c.task, d.Classes, c.classes)
		}
		if c.classes > 0 && !slices.Equal(d.Train.Labels, []int32{0, 2, 1}) || c.classes == 0 && !slices.Equal(d.Train.Targets.Values, []float64{0, 2, 1}) {
			t.Errorf("task %q: labels %v, targets %v", c.task, d.Train.Labels, d.Train.Targets)
		}
	}
}

func TestTargetsThatDoNotFitAreRefused(t *testing.T) {
	x := npyOf("|u1", "(2, 1)", []byte{1, 2})
	for name, c := range map[string]struct {
		y, test []byte
		spec    Spec
		want    string
	}{
		"not finite":           {npyOf("<f8", "(2,)", floatsOf(1, math.NaN())), nil, Spec{}, "NaN in example 1; expected finite"},
		"too many":             {npyOf("<f8", "(3,)", floatsOf(1, 2, 3)), nil, Spec{}, "targets of 2 examples"},
		"a cube":               {npyOf("<f8", "(2, 1, 1)", floatsOf(1, 2)), nil, Spec{}, "expected [N] or [N, K]"},
		"half a class":         {npyOf("<f8", "(2,)", floatsOf(1, 0.5)), nil, Spec{Task: TaskClassification}, "label 0.5 of example 1; expected whole numbers"},
		"classes given":        {npyOf("<f8", "(2,)", floatsOf(1, 2)), nil, Spec{Classes: 3}, "classes: 3;"},
		"classes have no mean": {npyOf("|u1", "(2,)", []byte{0, 1}), nil, Spec{StandardizeTarget: true}, "standardize_target: "},
		"other columns in the test part": {npyOf("<f8", "(2,)", floatsOf(1, 2)), npyOf("<f8", "(2, 2)", floatsOf(1, 2, 3, 4)), Spec{},
			"2 columns; expected 1 as in y"},
	} {
		members := map[string][]byte{"X.npy": x, "y.npy": c.y}
		if c.test != nil {
			members["X_test.npy"], members["y_test.npy"] = x, c.test
		}
		c.spec.Name, c.spec.Path = NameNPZ, archive(t, members)
		if _, err := Load(t.Context(), c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestSubsetsAndSplitsKeepTargetsWithTheirExamples(t *testing.T) {
	p, err := NewRegression([]int{1}, countUp(40), Targets{Columns: 1, Values: countUp(40)})
	if err != nil {
		t.Fatal(err)
	}
	train, test, err := p.split(0, 0.25)
	if err != nil {
		t.Fatal(err)
	}
	few, err := train.Balanced(7, 0, 3)
	if err != nil || train.N() != 30 || test.N() != 10 || few.N() != 7 {
		t.Fatalf("%d, %d and %d examples, error %v", train.N(), test.N(), few.N(), err)
	}
	for _, part := range []Part{train, test, few} {
		if !slices.Equal(Inputs[float64](part), part.Targets.Values) {
			t.Errorf("inputs %v, targets %v", Inputs[float64](part), part.Targets.Values)
		}
	}
}

func TestNewRegressionRefusesWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		targets Targets
		want    string
	}{
		{Targets{}, "0 targets in 0 columns"},
		{Targets{Columns: 2, Values: countUp(3)}, "3 targets in 2 columns"},
		{Targets{Columns: 1, Values: []float64{1, math.Inf(1)}}, "target +Inf of example 1"},
		{Targets{Columns: 1, Values: countUp(3)}, "expected 1 value"},
	} {
		if _, err := NewRegression([]int{1}, countUp(2), c.targets); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.targets, err, c.want)
		}
	}
}

func TestLabelsThatLeaveClassesOutAreNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		labels []byte
		want   string
	}{
		"all there":     {[]byte{0, 1, 2, 0}, ""},
		"from 1":        {[]byte{1, 2, 3, 1}, "labels start at 1, not at 0"},
		"from 5":        {[]byte{5, 6, 5, 6}, "subtract 5 from the labels"},
		"one left out":  {[]byte{0, 1, 3, 0}, "no training example has label 2, of 0 to 3"},
		"many left out": {[]byte{0, 20, 3, 0}, "no training example has label 1, 2, 4, 5, 6, 7, 8, 9 and 10 more, of 0 to 20"},
	} {
		d, err := Load(t.Context(), Spec{Name: NameNPZ, Path: archive(t, map[string][]byte{
			"X.npy": npyOf("|u1", "(4, 1)", make([]byte, 4)), "y.npy": npyOf("|u1", "(4,)", c.labels)})})
		if err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(d.Notes, "\n"); (all == "") != (c.want == "") || !strings.Contains(all, c.want) {
			t.Errorf("%s: %q, want %q", name, all, c.want)
		}
	}
}

func TestTheLayoutDecidesWhereChannelsAre(t *testing.T) {
	for _, c := range []struct {
		shape, layout string
		want          []int
		note          string
	}{
		{"(1, 3, 6, 5)", "", []int{6, 5, 3}, ""},
		{"(1, 6, 5, 3)", LayoutNHWC, []int{6, 5, 3}, ""},
		{"(1, 6, 5, 3)", LayoutNCHW, []int{5, 3, 6}, "read as images of 5 by 3 pixels with 6 channels: if it is those of 6 by 5 pixels with 3 channels, say data.layout: nhwc"},
		{"(1, 3, 6, 5)", LayoutNHWC, []int{3, 6, 5}, "say data.layout: nchw"},
		{"(1, 10, 3, 3)", LayoutNCHW, []int{3, 3, 10}, "nhwc"},
		{"(1, 2, 15, 3)", LayoutNCHW, []int{15, 3, 2}, ""},
		{"(1, 9, 10, 1)", LayoutNCHW, []int{10, 1, 9}, "if it is those of 9 by 10 pixels with 1 channel, say data.layout: nhwc"},
		{"(1, 1, 9, 10)", LayoutNHWC, []int{1, 9, 10}, "if it is those of 9 by 10 pixels with 1 channel, say data.layout: nchw"},
		{"(1, 1, 9, 10)", LayoutNCHW, []int{9, 10, 1}, ""},
	} {
		x := make([]byte, 90)
		for i := range x {
			x[i] = byte(i)
		}
		d, err := Load(t.Context(), Spec{Name: NameNPZ, Layout: c.layout, Path: archive(t, map[string][]byte{
			"X.npy": npyOf("|u1", c.shape, x), "y.npy": npyOf("|u1", "(1,)", []byte{0})})})
		if err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(d.Notes, ""); !slices.Equal(d.Shape, c.want) || (notes == "") != (c.note == "") || !strings.Contains(notes, c.note) {
			t.Errorf("%s as %s: shape %v, want %v; notes %q", c.shape, c.layout, d.Shape, c.want, notes)
		}
		got := Inputs[float64](d.Train)
		if c.layout != LayoutNHWC {
			got = channelsFirst[float64](d.Train)
		}
		if !slices.Equal(got, countUp(90)) {
			t.Errorf("%s as %s: the inputs are not in the order of the file", c.shape, c.layout)
		}
	}
}

// Of many channels on either side the squares among the readings decide.
func TestManyChannelsOnTheOtherSideAreNoticedBySquareImages(t *testing.T) {
	for _, c := range []struct {
		shape  []int
		layout string
		want   string
	}{
		{[]int{10, 28, 28, 16}, LayoutNCHW, "X has shape [10 28 28 16], read as images of 28 by 16 pixels with 28 channels: if it is those of 28 by 28 pixels with 16 channels, say data.layout: nhwc"},
		{[]int{10, 28, 28, 16}, LayoutNHWC, ""},
		{[]int{10, 16, 28, 28}, LayoutNCHW, ""},
		{[]int{10, 16, 28, 28}, LayoutNHWC, "say data.layout: nchw"},
		{[]int{10, 512, 7, 7}, LayoutNCHW, ""},
		{[]int{10, 8, 8, 8}, LayoutNCHW, ""},
		{[]int{10, 30, 40, 16}, LayoutNCHW, ""},
		{[]int{10, 16, 30, 40}, LayoutNCHW, ""},
		{[]int{10, 16}, LayoutNCHW, ""},
	} {
		if got := strings.Join(layoutNotes(c.shape, c.layout), "\n"); (got == "") != (c.want == "") || !strings.HasSuffix(got, c.want) {
			t.Errorf("%v as %s: %q, want %q", c.shape, c.layout, got, c.want)
		}
	}
}

func TestKeysOfTargetsAreRefusedWhereTheySayNothing(t *testing.T) {
	for field, s := range map[string]Spec{
		"target":             {Name: NameCSV, Path: "x"},
		"features":           {Name: NameNPZ, Path: "x", Features: []string{"a"}},
		"task":               {Name: NameDigits, Task: TaskRegression},
		"layout":             {Name: NameCSV, Path: "x", Target: []string{"a"}, Layout: LayoutNHWC},
		"colors":             {Name: NameDigits, Colors: ColorsGrey},
		"standardize_target": {Name: NameDigits, StandardizeTarget: true},
	} {
		var wrong *FieldError
		if err := s.Validate(); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: error %v", field, err)
		}
	}
}
