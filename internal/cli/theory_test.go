package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shadowflow runs a command line.
func shadowflow(args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = Main(context.Background(), args, &out, &errs)
	return out.String(), errs.String(), code
}

// printed runs a command line that must succeed and returns what it printed.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := shadowflow(args...)
	if code != 0 {
		t.Fatalf("shadowflow %s: %s", strings.Join(args, " "), stderr)
	}
	return stdout
}

func decode[T any](t *testing.T, s string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	return v
}

var reference = strings.Fields("--objective bilinear --optimizer adam --set beta1=0.3,beta2=0.5,eps=1 --theta 1.6,1.1 --json")

func TestFieldPrintsTheReferenceFields(t *testing.T) {
	out := decode[struct{ Fields [][]float64 }](t, printed(t, append([]string{"field", "--order", "5"}, reference...)...))
	want := [][]float64{
		{-0.9756050543917824, -0.9882440952305909},
		{1.7172542507941349, 1.7162520163095953},
		{9.253603282616142, 6.513175610824666},
		{-65.97338206532311, -62.88167437792313},
		{-2.4991550046850364, 159.89701377795205},
	}
	if len(out.Fields) != len(want) {
		t.Fatalf("%d fields", len(out.Fields))
	}
	for b := range want {
		for i, w := range want[b] {
			if math.Abs(out.Fields[b][i]-w) > 1e-10*math.Abs(w) {
				t.Errorf("f%d[%d] = %.16g, want %.16g", b, i, out.Fields[b][i], w)
			}
		}
	}
}

func TestVerifyPrintsTheReferenceTable(t *testing.T) {
	args := append([]string{"verify", "--orders", "1,2,3,4,5", "--lr", "0.02,0.01,0.005,0.0025", "--time", "0.2"}, reference...)
	out := decode[struct {
		Orders []struct {
			Order          int
			Errors, Slopes []float64
		}
	}](t, printed(t, args...))
	for i, want := range []float64{9.15e-4, 1.84e-5, 3.72e-7, 2.92e-9, 2.91e-10} {
		o := out.Orders[i]
		if o.Order != i+1 || len(o.Errors) != 4 || len(o.Slopes) != 3 || math.Abs(o.Errors[3]-want) > 6e-3*want {
			t.Errorf("%+v, want a last error of %g", o, want)
		}
	}
}

func TestIteratePrintsTheReferenceRow(t *testing.T) {
	args := strings.Fields("iterate --objective cubic --optimizer adam --set lr=0.1,beta2=0.999,eps=1e5 --theta 6.8,6.73 --steps 5 --json --flow 1,2")
	out := decode[struct {
		Theta [][]float64
		Loss  []float64
		Flow  []struct {
			Order int
			Theta [][]float64
		}
	}](t, printed(t, args...))
	if len(out.Theta) != 6 || len(out.Loss) != 6 || len(out.Flow) != 2 || len(out.Flow[1].Theta) != 6 {
		t.Fatalf("%+v", out)
	}
	for i, want := range []float64{6.306753009890437, 6.23673961805188} {
		if got := out.Theta[5][i]; math.Abs(got-want) > 1e-14*want {
			t.Errorf("theta[%d] = %.16g, want %.16g", i, got, want)
		}
		first, second := math.Abs(out.Flow[0].Theta[5][i]-want), math.Abs(out.Flow[1].Theta[5][i]-want)
		if second > 0.5*first {
			t.Errorf("theta[%d]: order 2 is %.2g away, order 1 %.2g", i, second, first)
		}
	}
}

func TestIterateKeepsTheOtherFlowsWhenOneCannotBeFollowed(t *testing.T) {
	args := strings.Fields("iterate --objective cubic --set lr=0.1,beta2=0.999,eps=1e5 --theta 6.8,6.73 --steps 3 --flow 2,3")
	stdout, stderr, code := shadowflow(args...)
	if code != 0 || !strings.Contains(stdout, "order 2") || !strings.Contains(stderr, "order 3 ends after step") {
		t.Errorf("code %d, %q, %q", code, stdout, stderr)
	}
}

func TestVerifySaysInWordsWhatItFound(t *testing.T) {
	for args, want := range map[string]string{
		"verify --set beta1=0.3,beta2=0.5,eps=1 --orders 2":                                                                         "order 2: holds: the error falls like lr^1.97",
		"verify --set beta1=0.3,beta2=0.5,eps=1 --orders 1 --bias-scale -1":                                                         "order 1: holds, and better: the error falls like lr^1.9",
		"verify --pairs 2:1.5,1:2,1.5:0.3 --batches cyclic --set beta1=0.6,beta2=0.8,eps=0.5 --lr 0.001,0.0005,0.00025 --time 0.05": "order 2: holds",
	} {
		t.Run(args, func(t *testing.T) {
			if got := printed(t, strings.Fields(args)...); !strings.Contains(got, want) {
				t.Errorf("%s: want %q in\n%s", args, want, got)
			}
		})
	}
}

func TestVerifyOfOneStepSizeMeasuresNoOrder(t *testing.T) {
	stdout, stderr, code := shadowflow(strings.Fields("verify --set beta1=0.3,beta2=0.5,eps=1 --orders 2 --lr 0.01")...)
	if code != 1 || !strings.Contains(stdout, "order 2: not measured: one step size has no slope; give several") || !strings.Contains(stderr, "orders that were not measured: [2]") {
		t.Errorf("code %d: %s%s", code, stdout, stderr)
	}
}

func TestVerifyDrawsItsFigure(t *testing.T) {
	dir := t.TempDir()
	for _, ext := range []string{".png", ".svg", ".pdf"} {
		t.Run(ext, func(t *testing.T) {
			file := filepath.Join(dir, "order"+ext)
			printed(t, "verify", "--set", "beta1=0.3,beta2=0.5,eps=1", "--plot", file)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			switch ext {
			case ".svg":
				for _, want := range []string{"order 3", "lr", "slope = order"} {
					if !bytes.Contains(data, []byte(want)) {
						t.Errorf("no %q in the figure", want)
					}
				}
			case ".png":
				if img, err := png.Decode(bytes.NewReader(data)); err != nil || img.Bounds().Dx() < 500 {
					t.Error(err)
				}
			}
		})
	}
}

func TestDerivePrintsInEachFormat(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"as text", nil, "F = g / sqrt(g^2 + eps)"},
		{"as LaTeX", []string{"--latex"}, `\kappa &= \frac{`},
		{"as JSON", []string{"--json"}, `"field":"g / sqrt(g^2 + eps)"`},
		{"with other numbers", []string{"--set", "beta1=0.99,beta2=0.9"}, "all coordinates would be penalized"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out := printed(t, append([]string{"derive", "adam"}, c.args...)...); !strings.Contains(out, c.want) {
				t.Errorf("no %q in\n%s", c.want, out)
			}
		})
	}
}

func TestDeriveSaysTheConventionsOfAnOptimizerThatItCannotDerive(t *testing.T) {
	stdout, stderr, code := shadowflow("derive", "radam")
	if code != 1 || !strings.Contains(stdout, "threshold is 4, there 5") || !strings.Contains(stderr, "has no modified equation that eliminates its memory") {
		t.Errorf("exit %d, printed %q, said %q", code, stdout, stderr)
	}
}

func TestCheckPrintsTheAgreementOfDerivations(t *testing.T) {
	out := printed(t, "check")
	for _, want := range []string{"bilinear", "rosenbrock", "central differences", "closed form"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
	result := decode[struct {
		Checks []struct {
			Objective   string
			CrossChecks []struct{ Difference float64 } `json:"cross_checks"`
		}
	}](t, printed(t, "check", "--objective", "logistic", "--set", "samples=20,objective.seed=4", "--json"))
	if len(result.Checks) != 1 || len(result.Checks[0].CrossChecks) != 4 {
		t.Errorf("%+v", result)
	}
}

func TestCheckOfBatchesPrintsExpectationAndMean(t *testing.T) {
	for args, want := range map[string]string{
		"check --batches --orders 400 --set beta1=0.6,beta2=0.8":                                                   "they agree",
		"check --batches --orders 50 --pairs 2:1.5,1:2,1.5:0.3,2.1:1.4 --set batch.mode=sampled":                   "variances being up to 0.41 of g^2 + eps",
		"check --batches --orders 3 --objective network --set data.subset=60,batch.size=15 --set model.hidden=[3]": "is too large to expand in",
		"check --batches --orders 60 --objective network --set batch.size=430,eps=1e-2,model.hidden=[16]":          ": they agree",
		"check --batches --orders 20 --set beta1=0,beta2=0.8":                                                      "they agree",
		"check --batches --orders 20 --optimizer nadam --objective logistic --set samples=400,batches=20":          "logistic, 20 batches shuffled",
	} {
		t.Run(args, func(t *testing.T) {
			if out := printed(t, strings.Fields(args)...); !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		})
	}
	out := decode[struct {
		Agrees bool
		Result struct {
			Batches, Orders int
			Drive           struct {
				Terms          []float64
				Expected, Mean float64
				Error          float64 `json:"standard_error"`
			}
		}
	}](t, printed(t, strings.Fields("check --batches --orders 400 --json")...))
	drive := out.Result.Drive
	if far := math.Abs(drive.Mean-drive.Expected) / drive.Error; !out.Agrees || out.Result.Orders != 400 || out.Result.Batches != 100 || len(drive.Terms) != 6 || !(far < 3) {
		t.Errorf("%+v", out)
	}
}

// At decay 0 a moment is no memory: what --moments says of it counts for nothing, and that is said.
func TestAMomentWithoutMemoryIsSaidToDropOut(t *testing.T) {
	const said = ": of decay 0, and so no memory."
	field := func(settings string, more ...string) string {
		return printed(t, append([]string{"field", "--memory", "state", "--set", settings}, more...)...)
	}
	one, other := field("beta1=0", "--moments", "m=1,1;v=30,40"), field("beta1=0", "--moments", "m=-7,3;v=30,40")
	if one != other || !strings.Contains(one, "(m"+said) {
		t.Errorf("with two values of m it prints\n%s\n%s", one, other)
	}
	if out := field("beta1=0,beta2=0"); !strings.Contains(out, "(m, v"+said) {
		t.Errorf("it prints\n%s", out)
	}
	if out := field("beta1=0.5"); strings.Contains(out, said) {
		t.Errorf("m is said to drop out of\n%s", out)
	}
	decode[struct{ Fields [][]float64 }](t, field("beta1=0", "--json"))
}

func TestMistakesAreExplainedAndNothingIsPrinted(t *testing.T) {
	for args, want := range map[string]string{
		"field --objective bilinaer":                         `--objective bilinaer: objective.name: unknown value "bilinaer"; did you mean bilinear?`,
		"field --objective network --set batch.shuffle=true": "another loss of each step",
		"field --optimizer adem":                             `--optimizer adem: optimizer.name: unknown value "adem"; did you mean adam?`,
		"field --set bata1=0.9":                              "--set bata1=0.9: bata1: unknown key; did you mean optimizer.beta1?",
		"field --set beta1":                                  "expected key=value",
		"field --set beta2=1.5":                              "optimizer.beta2: 1.5 is out of range; expected a number at least 0 and below 1, [0,1)",
		"field --set name=adam":                              "name: several sections have it; say which: objective.name, data.name, model.name, optimizer.name",
		"field --set model.dim=3":                            "model.dim: of no use with objective.name: bilinear; it is for network",
		"field --set lr=1,optimizer.lr=2":                    "optimizer.lr: given twice",
		"field --theta 1,2,3":                                "objective.theta: 3 numbers; the objective bilinear has 2 parameters",
		"field --theta 1,x":                                  `--theta 1,x: objective.theta: item 2: expected a number, got the text "x"`,
		"field --order 0":                                    "want an order from 1 to",
		"field --objective quadratic --pairs 1:2":            "objective.pairs: of no use with objective.name: quadratic; it is for bilinear, cubic",
		"field --pairs 1:2:3":                                "objective.pairs: item 1: expected two numbers, got 3",
		"field --objective logistic --set objective.n=3":     "objective.n: unknown key; expected one of batches, columns",
		"field --set eps=1e-400":                             "1e-400 is below the smallest number above 0",
		"field surplus.yaml":                                 "surplus.yaml",
		"field a.yaml b.yaml":                                "accepts at most 1 arg",
		"verify --lr 0":                                      "lr 0: want a number above 0",
		"verify --start warm":                                `start "warm"`,
		"verify --batches some":                              `batch.mode: unknown value "some"; expected one of full`,
		"verify --batches cyclic --start manifold":           "mini-batches have no slow manifold",
		"verify --orders 1,9x":                               "invalid",
		"verify --orders 1 --plot nowhere/figure.png":        "there is no folder nowhere",
		"verify --orders 1 --plot figure.bmp":                "want a file ending in .png, .svg or .pdf",
		"verify --set beta1=0.99,beta2=0.999 --orders 2":     "running the equation backwards",
		"iterate --steps -1":                                 "steps: -1 is out of range",
		"iterate --optimizer gd --set lr=50 --steps 1000":    "the iterates diverge",
		"iterate --flow 0":                                   "order 0",
		"derive":                                             "want one optimizer, one of adabelief",
		"derive sdg":                                         `optimizer.name: unknown value "sdg"; did you mean sgd?`,
		"check --objective cubic --theta 1":                  "objective.theta: 1 number",
		"check --batches --objective rosenbrock":             "which has no order",
		"check --batches --optimizer gd":                     "gd remembers no gradient before the present one as it is set",
		"check --batches --set beta1=0,beta2=0":              "there is nothing to compare: want an optimizer with memory",
		"check --batches --orders 1":                         "want at least 2",
		"check --batches --set batch.mode=full":              "--set batch.mode=shuffled,batch.size=100",
	} {
		t.Run(args, func(t *testing.T) {
			stdout, stderr, code := shadowflow(strings.Fields(args)...)
			if code == 0 || stdout != "" || !strings.Contains(stderr, want) {
				t.Errorf("%s: code %d, %q, want an error that says %q", args, code, stdout+stderr, want)
			}
		})
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"1,2", "", "1e400", "nan", "1,,2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := floats("--lr", s); err == nil {
			for _, x := range v {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Errorf("%q read as %v", s, v)
				}
			}
		}
	})
}

func TestDeriveSaysWhichGroupsThereAreAndDerivesEach(t *testing.T) {
	config := filepath.Join(t.TempDir(), "groups.yaml")
	text := "model: {hidden: [5]}\noptimizer: {name: adamw, groups: [{dims: 1, weight_decay: 0}, {match: 2.*, name: muon}]}\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out := printed(t, "derive", config)
	for _, want := range []string{
		"all other weights (1 weight, 320 parameters): adamw(", "dims 1 (2 weights, 15 parameters): adamw(lr=0.001, beta1=0.9, beta2=0.99, eps=1e-08, weight_decay=0, ",
		"2.* (1 weight, 50 parameters): muon(", "\nGroup: dims 1\nadamw(", "F = g / sqrt(g^2 + eps)", "\nGroup: 2.*\nrule muon, U = ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s\nlacks %q", out, want)
		}
	}
	groups := decode[struct {
		Groups []struct {
			Holds      string
			Parameters int
			Derivation *struct{ Field string }
			Problem    string
		}
	}](t, printed(t, "derive", config, "--json")).Groups
	if len(groups) != 3 || groups[1].Holds != "dims 1" || groups[1].Parameters != 15 || groups[1].Derivation.Field == "" || groups[2].Derivation != nil || groups[2].Problem == "" {
		t.Errorf("%+v", groups)
	}
	if out := printed(t, "derive", config, "--latex"); !strings.Contains(out, "% Group: dims 1\n\\begin{align*}") {
		t.Error(out)
	}
	for _, form := range []string{"", "--json", "--latex"} {
		stdout, stderr, code := shadowflow(strings.Fields("derive radam --set optimizer.groups=[{match:2.*,lr_scale:2}] " + form)...)
		if code != exitFailed || !strings.Contains(stderr, "nothing can be derived of any group's optimizer") || !strings.Contains(stdout, "2.*") {
			t.Errorf("none of them, %s: %d, %q, %q", form, code, stdout, stderr)
		}
	}
	if _, stderr, code := shadowflow("check", "--optimizer", "adam", "--objective", "bilinear", "--set", "optimizer.groups=[{match: x*}]"); code == 0 || !strings.Contains(stderr, "group 1: match: x* holds no weight; the weights are ") {
		t.Errorf("%d %s", code, stderr)
	}
}
