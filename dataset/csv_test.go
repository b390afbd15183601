package dataset

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func tableOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.csv")
	writeFile(t, path, []byte(text))
	return path
}

// whole is a Spec of a table without a test part.
func whole(path string, target ...string) Spec {
	none := 0.
	return Spec{Name: NameCSV, Path: path, Target: target, TestFraction: &none}
}

func TestTablesOfNumbersAreRead(t *testing.T) {
	for name, text := range map[string]string{
		"commas":                  "a,b,y\n1,-2,3.5\n4,5e1,-6\n",
		"semicolons":              "a;b;y\n1;-2;3.5\n4;5e1;-6\n",
		"tabs":                    "a\tb\ty\n1\t-2\t3.5\n4\t5e1\t-6\n",
		"quotes and spaces":       "\"a\", b ,y\n\"1\", -2 ,3.5\n 4,5e1, -6\n",
		"Excel's mark and ends":   "\xef\xbb\xbfa,b,y\r\n1,-2,3.5\r\n4,5e1,-6",
		"an empty line":           "a,b,y\n1,-2,3.5\n\n4,5e1,-6\n",
		"columns in other places": "y,b,a\n3.5,-2,1\n-6,50,4\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := whole(tableOf(t, text), "y")
			s.Features = []string{"a", "b"}
			d, err := Load(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(Inputs[float64](d.Train), []float64{1, -2, 4, 50}) || !slices.Equal(d.Train.Targets.Values, []float64{3.5, -6}) {
				t.Errorf("inputs %v, targets %v", Inputs[float64](d.Train), d.Train.Targets)
			}
			if !slices.Equal(d.Shape, []int{2}) || !slices.Equal(d.FeatureNames, []string{"a", "b"}) || !slices.Equal(d.TargetNames, []string{"y"}) {
				t.Errorf("shape %v, features %v, targets %v", d.Shape, d.FeatureNames, d.TargetNames)
			}
		})
	}
}

func TestAllColumnsThatAreNotTargetsAreFeatures(t *testing.T) {
	d, err := Load(t.Context(), whole(tableOf(t, "a,y,b,z\n1,2,3,4\n5,6,7,8\n"), "z", "y"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.FeatureNames, []string{"a", "b"}) || !slices.Equal(d.Train.Targets.Values, []float64{4, 2, 8, 6}) {
		t.Errorf("features %v, targets %v", d.FeatureNames, d.Train.Targets)
	}
}

func TestAFifthOfATableIsItsTestPart(t *testing.T) {
	var text strings.Builder
	text.WriteString("x,y\n")
	for range 50 {
		text.WriteString("1,2\n")
	}
	s := whole(tableOf(t, text.String()), "y")
	s.TestFraction = nil
	d, err := Load(t.Context(), s)
	if err != nil || d.Train.N() != 40 || d.Test.N() != 10 {
		t.Errorf("%d and %d examples, error %v", d.Train.N(), d.Test.N(), err)
	}
}

func TestWordsAndClassesThatAreSaidToBeAreClasses(t *testing.T) {
	for name, c := range map[string]struct {
		text, task string
		names      []string
		labels     []int32
	}{
		"words":                  {"x,y\n1,rose\n2,iris\n3,rose\n", "", []string{"iris", "rose"}, []int32{1, 0, 1}},
		"numbers in their order": {"x,y\n1,10\n2,9\n3,10.0\n", TaskClassification, []string{"9", "10"}, []int32{1, 0, 1}},
		"words and numbers":      {"x,y\n1,b\n2,9\n3,b\n", TaskClassification, []string{"9", "b"}, []int32{1, 0, 1}},
	} {
		s := whole(tableOf(t, c.text), "y")
		s.Task = c.task
		d, err := Load(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if d.Classes != 2 || !slices.Equal(d.ClassNames, c.names) || !slices.Equal(d.Train.Labels, c.labels) {
			t.Errorf("%s: %d classes %v, labels %v", name, d.Classes, d.ClassNames, d.Train.Labels)
		}
	}
}

func TestNumbersTooLargeToStandardizeAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"of an input":  {"x,y\n0,1\n1e300,2\n5e300,3\n", `standardize: column "x" of `},
		"of a target":  {"x,y\n0,1e300\n1,2e301\n2,1\n", `standardize_target: column "y" of `},
		"whose sum is": {"x,y\n0,1\n1.7e308,2\n1.6e308,3\n", `standardize: column "x" of `},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole(tableOf(t, c.text), "y")
			s.Task, s.Standardize, s.StandardizeTarget = TaskRegression, true, true
			if _, err := Load(t.Context(), s); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

func TestNumbersWhoseSquaresAreTooSmallAreStandardizedToo(t *testing.T) {
	load := func(scale string) *Dataset {
		s := whole(tableOf(t, strings.ReplaceAll("x,y\n1E,2E\n-3E,2.5E\n4E,-1E\n7E,6E\n", "E", scale)), "y")
		s.Task, s.Standardize, s.StandardizeTarget = TaskRegression, true, true
		d, err := Load(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := load("e0")
	for scale, unit := range map[string]float64{"e-170": 1e-170, "e-300": 1e-300, "e-160": 1e-160} {
		d := load(scale)
		for what, c := range map[string][2]float64{"input": {d.Std[0], want.Std[0]}, "target": {d.TargetStd[0], want.TargetStd[0]}, "mean": {d.Mean[0], want.Mean[0]}} {
			if math.Abs(c[0]/unit-c[1]) > 1e-14*c[1] {
				t.Errorf("%s, %s: %g, want %g times it", scale, what, c[0], c[1])
			}
		}
	}
}

func TestWrongCellsAreRefusedByLineAndColumn(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		task string
		want string
	}{
		"a word among the inputs":  {"x,y\n1,2\nred,3\n", "", `line 3, column "x": "red"; expected a finite number`},
		"a missing input":          {"x,y\n1,2\n,3\n", "", `line 3, column "x": an empty cell; expected`},
		"a missing target":         {"x,y\n1,2\n2, \n", "", `line 3, column "y": an empty cell; expected`},
		"a missing class":          {"x,y\n1,a\n2,\n", TaskClassification, `line 3, column "y": an empty cell`},
		"a word among the targets": {"x,y\n1,2\n3,4\n2,NA\n", "", `line 4, column "y": "NA"; expected a number, as 2 other rows`},
		"a word to predict":        {"x,y\n1,a\n2,b\n", TaskRegression, `line 2, column "y": "a"; expected a finite number to predict`},
		"a number below float64":   {"x,y\n1,2\n2e-400,2\n", "", `"2e-400"; expected a finite number, or the columns of numbers alone to be named in data.features: 2e-400 is below the smallest number above 0, 4.9e-324; write 0`},
		"a number beyond float64":  {"x,y\n1,2\n2e400,2\n", "", `data.features: 2e400 is beyond the largest number, 1.8e308`},
		"no number to predict":     {"x,y\n1,2\n2,nan\n", "", `line 3, column "y": "nan"; expected a finite number to predict`},
		"a decimal comma":          {"x;y\n1;2\n2;0,5\n", "", `"0,5"; expected a finite number to predict`},
		"infinity":                 {"x,y\n1,2\ninf,2\n", "", `"inf"; expected a finite number`},
		"a quoted line break":      {"x,y\n\"1\n\",2\nred,3\n", "", `line 4, column "x"`},
		"a short row":              {"x,y\n1,2\n3\n", "", "line 3: 1 cell; expected 2"},
		"an open quote":            {"x,y\n1,2\n\"3,4\n", "", "line 3: at character "},
		"no rows":                  {"x,y\n", "", "line 2: the file ends"},
		"nothing":                  {"", "", "line 1: the file ends; expected a line of column names"},
		"no header":                {"1,2\n3,4\n", "", `line 1: only numbers, "1,2"; expected a line of column names`},
		"a name twice":             {"x,x,y\n1,2,3\n", "", `line 1, column "x": the name "x" of column 2`},
		"UTF-16":                   {"\xff\xfex\x00,\x00y\x00\n\x00", "", "line 1: text in UTF-16; expected UTF-8"},
		"no line feeds":            {"x,y\r1,2\r3,4\r", "", "line 1: a carriage return within the line; expected lines"},
		"a nameless column":        {"x,,y\n1,2,3\n", "", "different names"},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole(tableOf(t, c.text), "y")
			s.Task = c.task
			_, err := Load(t.Context(), s)
			var format *FormatError
			if !errors.As(err, &format) || format.Line == 0 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), s.Path) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestATableThatIsTooLargeIsRefused(t *testing.T) {
	for _, text := range []string{"x,y\n" + strings.Repeat("1,2\n", 100), "x,y\n\"" + strings.Repeat("a", 400)} {
		_, err := parseCSV(&cursor{file: "f", r: strings.NewReader(text)}, Spec{Target: []string{"y"}, Features: []string{"x"}}, 300)
		if err == nil || !strings.Contains(err.Error(), "expected a table of less than 300") {
			t.Errorf("error %v", err)
		}
	}
}

func TestColumnsThatATableLacksAreRefusedByField(t *testing.T) {
	path := tableOf(t, "a,b,y\n1,2,3\n")
	for name, c := range map[string]struct {
		target, features []string
		field, want      string
	}{
		"an unknown target":    {[]string{"z"}, nil, "target", `"z" is no column of ` + path + "; expected some of a, b, y"},
		"an unknown feature":   {[]string{"y"}, []string{"a", "c"}, "features", `"c" is no column`},
		"a target for feature": {[]string{"y"}, []string{"y"}, "features", `"y" is a target, too`},
		"nothing else":         {[]string{"a", "b", "y"}, nil, "target", "are all columns"},
	} {
		s := whole(path, c.target...)
		s.Features = c.features
		_, err := Load(t.Context(), s)
		var field *FieldError
		if !errors.As(err, &field) || field.Field != c.field || !strings.Contains(field.Problem, c.want) {
			t.Errorf("%s: error %v, want %s: %q", name, err, c.field, c.want)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("a,b,y\n1,2,3\n4,5,6\n")
	f.Add("a;y\n1;x\n\"2\";\"z\"\n")
	f.Add("\xef\xbb\xbfy\tb\r\n1\t2\r\n")
	f.Add("y,\"b\n\"\n1,2")
	f.Fuzz(func(t *testing.T, text string) {
		for _, task := range []string{TaskAuto, TaskClassification, TaskRegression} {
			c := &cursor{file: "f", r: strings.NewReader(text)}
			table, err := parseCSV(c, Spec{Target: []string{"y"}, Task: task}, 1<<20)
			if err != nil {
				var format *FormatError
				var field *FieldError
				if !errors.As(err, &format) && !errors.As(err, &field) {
					t.Errorf("error %v, want a FormatError or a FieldError", err)
				}
				continue
			}
			n := len(table.x) / len(table.features)
			if len(table.target.numbers) != n || len(table.x) != n*len(table.features) {
				t.Errorf("%d inputs of %d features, %d targets", len(table.x), len(table.features), len(table.target.numbers))
			}
			if table.target.classes(task) {
				if names, labels := table.target.labels(); len(labels) != n || int(slices.Max(labels)) != len(names)-1 {
					t.Errorf("%d labels of %d rows, classes %q", len(labels), n, names)
				}
			}
		}
	})
}
