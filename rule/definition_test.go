package rule

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/schema"
)

// head begins a definition of six lines that lacks its state and update.
const head = `# one's own
optimizer:
  name: mine
  lr: 1e-3
  let: {beta1: 0.9, beta2: 0.99, eps: 1e-8, nesterov: true}
`

func define(t testing.TB, text string) *Definition {
	t.Helper()
	d, err := ParseDefinition("mine.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ruleOf(t testing.TB, d *Definition, values map[string]any) (*Rule, Config) {
	t.Helper()
	c, err := d.New(values)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Rule()
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

func TestMistakesInADefinitionHaveLineAndColumn(t *testing.T) {
	whole := head + "  state:\n    m: ema(g, beta1)\n    v: ema(g^2, beta2)\n    top: max(top, v)\n  update: if(nesterov, corrected(m) / (sqrt(top) + eps), m)\n"
	if _, err := ParseDefinition("mine.yaml", []byte(whole)); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		replace, by, want string
	}{
		"a name misspelt":             {"(sqrt(top) + eps)", "(sqrt(top) + ep)", `mine.yaml:10:52: optimizer.update: found "ep": no such name; want one of g, hessian, lr, n, theta, beta1, beta2, eps, nesterov, m, v, top (did you mean eps?)`},
		"a function misspelt":         {"sqrt(top)", "sqt(top)", `mine.yaml:10:40: optimizer.update: found "sqt": want one of the functions abs, aspect, average, columns, corrected, ema, every, exp, identity, if, inverse_root, log, matmul, matrix, max, min, norm, orthogonal, orthonormal, plane_columns, plane_rows, polar, rows, sign, sqrt, sum, tanh, total, transpose (did you mean sqrt?)`},
		"a parenthesis missing":       {"ema(g^2, beta2)", "ema(g^2, beta2", "mine.yaml:8:22: optimizer.state.v: it ends where ) should follow"},
		"an operator missing":         {"max(top, v)", "2 top", `mine.yaml:9:12: optimizer.state.top: found "top": want an operator or the end`},
		"within quotes":               {"m: ema(g, beta1)", "m: 'ema(g, beta3)'", `mine.yaml:7:16: optimizer.state.m: found "beta3": no such name; want one of g, hessian, lr, n, theta, beta1, beta2, eps, nesterov, m, v, top (did you mean beta1?)`},
		"over two lines":              {"max(top, v)", "max(top,\n      w)", `mine.yaml:9:10: optimizer.state.top: character 10: found "w": no such name; want one of g, hessian, lr, n, theta, beta1, beta2, eps, nesterov, m, v, top`},
		"a flag for a number":         {"+ eps)", "+ nesterov)", `mine.yaml:10:52: optimizer.update: found "nesterov": it is true or false; want a number, or if(nesterov, a, b)`},
		"a number for a flag":         {"if(nesterov,", "if(eps,", `mine.yaml:10:14: optimizer.update: found "eps": want a hyperparameter that is true or false, or a comparison, like n > 0`},
		"a memory in an update":       {"corrected(m)", "ema(m, beta1)", `mine.yaml:10:24: optimizer.update: found "ema": it remembers, so it is an entry of state by itself; write m: ema(m, beta1) there, and m here`},
		"a memory in a formula":       {"ema(g^2, beta2)", "1 + ema(g^2, beta2)", `mine.yaml:8:12: optimizer.state.v: found "ema": it remembers, so it is an entry of state by itself; write m: ema(g^2, beta2) there, and m here`},
		"a correction of no memory":   {"corrected(m)", "corrected(top)", `mine.yaml:10:34: optimizer.update: found "top": it is max(top, v); want an entry that is ema(...) or sum(...)`},
		"a correction too early":      {"m: ema(g, beta1)", "m: ema(corrected(v), beta1)", `mine.yaml:7:22: optimizer.state.m: found "v": want an entry that is set above`},
		"a correction of a formula":   {"corrected(m)", "corrected(m + v)", `mine.yaml:10:36: optimizer.update: found "+": want the name of an entry of state that is ema(...) or sum(...)`},
		"an exponent of the gradient": {"g^2", "g^m", `mine.yaml:8:13: optimizer.state.v: found "^": the exponent m is not the same for all parameters and steps; want it made of hyperparameters and numbers`},
		"an exponent of the step":     {"g^2", "g^n", `mine.yaml:8:13: optimizer.state.v: found "^": the exponent n is not the same for all parameters and steps; want it made of hyperparameters and numbers`},
		"a decay for each parameter":  {"ema(g^2, beta2)", "ema(g^2, beta2 / (1 + abs(g)))", `mine.yaml:8:8: optimizer.state.v: found "ema": the decay beta2 / (1 + abs(g)) is not the same for all parameters and step sizes; want it made of hyperparameters, numbers and n`},
		"a decay out of range":        {"beta2: 0.99", "beta2: 1", "mine.yaml:5:28: optimizer.let.beta2: 1 is out of range; expected a number at least 0 and below 1, [0,1)"},
		"eps of zero":                 {"eps: 1e-8", "eps: 0", "mine.yaml:5:39: optimizer.let.eps: 0 is out of range; expected a number above 0, (0,inf)"},
		"text for a number":           {"beta2: 0.99", "beta2: much", `mine.yaml:5:28: optimizer.let.beta2: expected a number, got the text "much"`},
		"no default":                  {"beta2: 0.99", "beta2: {doc: x}", "mine.yaml:5:28: optimizer.let.beta2: expected a number, got nothing"},
		"a range that is none":        {"beta2: 0.99", "beta2: {default: 0.5, range: '0 to 1'}", `mine.yaml:5:50: optimizer.let.beta2.range: "0 to 1" is no range of numbers: want one like [0,1) or (0,inf)`},
		"an unknown key of a number":  {"beta2: 0.99", "beta2: {default: 0.5, rnge: '[0,1)'}", "mine.yaml:5:43: optimizer.let.beta2.rnge: unknown key; did you mean range?"},
		"lr of zero":                  {"lr: 1e-3", "lr: 0", "mine.yaml:4:7: optimizer.lr: 0 is out of range; expected a number above 0, (0,inf)"},
		"no update":                   {"update:", "updte:", "mine.yaml:10:3: optimizer.updte: unknown key; did you mean update?\nmine.yaml:3:3: optimizer.update: missing; a definition has name, lr and update, and mostly let and state"},
		"a name that is a path":       {"name: mine", "name: a/b", "mine.yaml:3:9: optimizer.name: expected a name of letters, digits and _ . + -, got a/b"},
		"a name that formulas know":   {"beta2: 0.99", "theta: 1", "mine.yaml:5:21: optimizer.let.theta: theta is the parameters; expected another name"},
		"a name that a function has":  {"beta2: 0.99", "sum: 1", "mine.yaml:5:21: optimizer.let.sum: sum is a function; expected another name"},
		"a name set twice":            {"top: max(top, v)", "beta1: max(g, v)", "mine.yaml:9:5: optimizer.state.beta1: beta1 is set twice; expected another name"},
		"a comma within braces":       {"state:\n    m: ema(g, beta1)\n    v: ema(g^2, beta2)\n    top: max(top, v)\n", "state: {m: ema(g, beta1)}\n", "mine.yaml:6:19: optimizer.state.m: it ends where , and another argument of ema, which takes 2 should follow\nmine.yaml:6:22: optimizer.state.beta1): expected a formula, like m / (sqrt(v) + eps)\nmine.yaml:6:21: optimizer.state.beta1): expected a name of letters, digits and _ (within braces, a formula with a comma wants quotes)"},
		"a hyperparameter of no use":  {"ema(g^2, beta2)", "ema(g^2, beta1)", "mine.yaml:5:21: optimizer.let.beta2: no formula uses it; use it, or leave it out"},
		"an entry of no use":          {"max(top, v)", "max(top, g)", "mine.yaml:8:5: optimizer.state.v: no formula uses it; use it, or leave it out"},
		"another section":             {"# one's own", "steps: 3", "mine.yaml:1:1: steps: expected a section optimizer and nothing else"},
		"a number that is infinite":   {"(sqrt(top) + eps)", "(top + eps + exp(1000 * beta1))", "mine.yaml:10:11: optimizer: with the default hyperparameters: optimizer mine: update: with these hyperparameters a part of it is +Inf: want finite numbers"},
		"a division by zero":          {"(sqrt(top) + eps)", "(top / (beta1 - 0.9) + eps)", "mine.yaml:10:11: optimizer: with the default hyperparameters: optimizer mine: update: with these hyperparameters a part of it is divided by 0"},
		"a root of each parameter": {"max(top, v)", "max(top, v) * inverse_root(v, g)", `mine.yaml:9:24: optimizer.state.top: found "inverse_root": the root g is not the same for all parameters and steps; want it made of hyperparameters and numbers
mine.yaml:9:24: optimizer.state.top: found "inverse_root": its argument is of the weights' shapes; want square matrices, like matmul(g, transpose(g))`},
		"an update of rows by rows": {"if(nesterov, corrected(m) / (sqrt(top) + eps), m)", "matmul(if(nesterov, corrected(m) / (sqrt(top) + eps), m), transpose(m))", `mine.yaml:10:11: optimizer.update: found "matmul": it is of rows by rows; want what is of the weights' shapes`},
		"a product with a number":   {"max(top, v)", "max(top, matmul(v, 2))", `mine.yaml:9:19: optimizer.state.top: found "matmul": its first argument is of the weights' shapes, and its second a number; want as many columns as rows`},
		"elements times a matrix":   {"(sqrt(top) + eps)", "(sqrt(top) + eps) * matmul(g, transpose(g))", `mine.yaml:10:57: optimizer.update: found "*": it is made of what is of the weights' shapes and what is of rows by rows; want one form, or numbers`},
		"every so many parameters":  {"max(top, v)", "max(top, v * every(n, v))", `mine.yaml:9:23: optimizer.state.top: found "every": want a number of steps, and every how many, which is made of hyperparameters and numbers, like every(n, 10)`},
		"no formula at all":         {"max(top, v)", "[1, 2]", "mine.yaml:9:10: optimizer.state.top: expected a formula, like m / (sqrt(v) + eps)"},
		"not YAML":                  {"let: {", "let: [{", "mine.yaml:6:3: not YAML: ',' or ']' must be specified"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Count(whole, tc.replace) != 1 {
				t.Fatalf("%q is %d times in the definition", tc.replace, strings.Count(whole, tc.replace))
			}
			_, err := ParseDefinition("mine.yaml", []byte(strings.Replace(whole, tc.replace, tc.by, 1)))
			if err == nil || err.Error() != tc.want {
				t.Errorf("\n got %v\nwant %s", err, tc.want)
			}
			var place *schema.Error
			if err != nil && !errors.As(err, &place) {
				t.Errorf("a %T, not a *schema.Error", err)
			}
		})
	}
}

func TestAStepThatIsNoMemoryRunsAndSaysWhatItLacks(t *testing.T) {
	d := define(t, `
optimizer:
  name: mine
  lr: 1e-3
  let: {beta1: 0.9, beta2: 0.99, eps: 1e-8}
  state:
    m: ema(g, beta1)
    v: ema(g^2, beta2)
    top: max(top, v)
  update: corrected(m) / (sqrt(top) + eps)
`)
	r, c := ruleOf(t, d, nil)
	if !slices.Equal(r.State, []string{"m", "v", "top"}) || !r.Elementwise || len(r.Scalars) != 1 {
		t.Errorf("state %v with %d scalars", r.State, len(r.Scalars))
	}
	s := mustStepper[float64](t, r, vector(1))
	theta, hand, m, v, top := []float64{1}, 1.0, 0.0, 0.0, 0.0
	for n := range 30 {
		g := math.Exp(-float64(n)/5) * math.Sin(float64(n+1))
		m, v = 0.9*m+(1-0.9)*g, 0.99*v+(1-0.99)*g*g
		top = math.Max(top, v)
		hand -= 1e-3 * m / (1 - math.Pow(0.9, float64(n+1))) / (math.Sqrt(top) + 1e-8)
		if err := s.Step(c.LR, theta, []float64{g}); err != nil {
			t.Fatal(err)
		}
		if !near(theta[0], hand, 1e-14) {
			t.Fatalf("step %d: %.17g, by hand %.17g", n, theta[0], hand)
		}
	}
	_, err := r.MemoryForm()
	var lacks *NoMemoryError
	if !errors.As(err, &lacks) || lacks.Lacks != "top = max(top, v) is no exponential memory of a function of the gradient alone" ||
		!strings.HasPrefix(err.Error(), "optimizer mine takes steps, but has no modified equation that eliminates its memory: top = max(top, v)") {
		t.Errorf("%v", err)
	}
}

func TestWhichStepsAreMemories(t *testing.T) {
	type moment struct {
		name      string
		phi       string
		kernel    Kernel
		corrected bool
	}
	b, b2 := 0.9, 0.99
	for name, tc := range map[string]struct {
		state, update string
		moments       []moment
		lacks         string
		kept          []string
	}{
		"an average": {"m: ema(g, b)", "m", []moment{{"m", "g", EMA(0.9), false}}, "", []string{"m"}},
		"an average and its correction": {"m: ema(g, b)", "m + corrected(m)",
			[]moment{{"m", "g", EMA(0.9), false}, {"corrected(m)", "g", EMA(0.9), true}}, "", []string{"m"}},
		"a recursion written out":            {"m: b * m + (1 - b) * g", "m", []moment{{"m", "g", EMA(0.9), false}}, "", []string{"m"}},
		"a recursion written another way":    {"m: m - (1 - b) * (m - g)", "m", []moment{{"m", "g", Kernel{1 - b, (1 - b) * (1 - (1 - b)), 1 - (1 - b)}, false}}, "", []string{"m"}},
		"phi of a name":                      {"x: abs(g)^b\n    m: sum(x, b)", "m", []moment{{"m", "abs(g)^b", Geometric(0.9), false}}, "", []string{"m"}},
		"the average before and a gradient":  {"c: b * m + (1 - b) * g\n    m: ema(g, b2)", "sign(c)", []moment{{"c", "g", Kernel{1 - b, b * (1 - b2), b2}, false}}, "", []string{"m"}},
		"the average before alone":           {"c: b * m\n    m: ema(g, b2)", "c", []moment{{"c", "g", Kernel{0, b * (1 - b2), b2}, false}}, "", []string{"m"}},
		"the average before, a maximum":      {"c: max(m, g)\n    m: ema(g, b2)", "c", nil, "c = max(m, g) is no exponential memory of a function of the gradient alone", []string{"m"}},
		"the average before, another phi":    {"c: b * m + g^3\n    m: ema(g, b2)", "c", nil, "c = b * m + g^3 is no exponential memory of a function of the gradient alone", []string{"m"}},
		"the gradient before":                {"d: g - p\n    p: g", "d", []moment{{"d", "g", Kernel{1, -1, 0}, false}}, "", []string{"p"}},
		"a sum that never forgets":           {"s: s + g^2", "g / sqrt(s)", nil, "s = s + g^2 is no exponential memory of a function of the gradient alone", []string{"s"}},
		"an average of an average":           {"m: ema(g, b)\n    mm: ema(m, b2)", "mm", nil, "mm = ema(m, b2) is no exponential memory of a function of the gradient alone", []string{"m", "mm"}},
		"a decay that changes":               {"v: ema(g^2, 1 - (n + 1)^(-0.8))", "g / sqrt(v)", nil, "v = ema(g^2, 1 - (n + 1)^-0.8) is no exponential memory of a function of the gradient alone", []string{"v"}},
		"parameters in phi":                  {"m: ema(g + 0.1 * theta, b)", "m", nil, "m = ema(g + 0.1 * theta, b) is no exponential memory of a function of the gradient alone", []string{"m"}},
		"the step in U":                      {"m: ema(g, b)", "m / (n + 1)", nil, "its update m / (n + 1) depends on n, the step", []string{"m"}},
		"the step size in U":                 {"m: ema(g, b)", "m * (1 - lr)", nil, "its update m * (1 - lr) depends on lr, the step size", []string{"m"}},
		"parameters in U":                    {"m: ema(g, b)", "m + b2 * theta", []moment{{"m", "g", EMA(0.9), false}}, "", []string{"m"}},
		"what is read through no branch":     {"m: ema(g, b)\n    top: max(top, m)", "if(flag, m, top)", []moment{{"m", "g", EMA(0.9), false}}, "", []string{"m"}},
		"a flag among the entries":           {"m: if(flag, ema(g, b), sum(g, b))", "corrected(m)", []moment{{"corrected(m)", "g", EMA(0.9), true}}, "", []string{"m"}},
		"a name for numbers of the step":     {"rate: 1 - b^(n + 1)\n    m: ema(g, b)", "m / rate", nil, "its update m / (1 - b^(n + 1)) depends on n, the step", []string{"m"}},
		"no memory, but a gradient's powers": {"x: g^2\n    y: x * x", "y + x", nil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			let := "{"
			for key, value := range map[string]string{"b": "0.9", "b2": "0.99", "flag": "true"} {
				if f := tc.state + tc.update; strings.Contains(f, key) && (key != "b" || strings.Contains(strings.ReplaceAll(strings.ReplaceAll(f, "b2", ""), "abs", ""), "b")) {
					let += key + ": " + value + ", "
				}
			}
			text := "optimizer:\n  name: mine\n  lr: 0.1\n  let: " + strings.TrimSuffix(let, ", ") + "}\n  state:\n    " + tc.state + "\n  update: " + tc.update + "\n"
			r, _ := ruleOf(t, define(t, text), nil)
			if !slices.Equal(r.State, tc.kept) {
				t.Errorf("state %v, want %v", r.State, tc.kept)
			}
			m, err := r.MemoryForm()
			if tc.lacks != "" {
				var lacks *NoMemoryError
				if !errors.As(err, &lacks) || lacks.Lacks != tc.lacks {
					t.Errorf("%v, want %s", err, tc.lacks)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []moment
			for _, mo := range m.Moments {
				got = append(got, moment{mo.Name, mo.Formula.String(), mo.Kernel, mo.Corrected})
				if (mo.Phi == nil) != (mo.Formula.String() == "g") {
					t.Errorf("phi of %s is code: %v", mo.Name, mo.Phi != nil)
				}
			}
			if !reflect.DeepEqual(got, tc.moments) {
				t.Errorf("moments %+v, want %+v", got, tc.moments)
			}
			matchesItsMoments(t, r)
		})
	}
}

// matchesItsMoments compares steps with the update of the moments as sums over all past gradients.
func matchesItsMoments(t *testing.T, r *Rule) {
	t.Helper()
	s := mustStepper[float64](t, r, vector(2))
	theta, want := []float64{1, -2}, []float64{1, -2}
	var past [][]float64
	for n := range 12 {
		g := []float64{math.Sin(float64(n + 1)), 0.1 * (float64(n) - 5.5)}
		past = append(past, g)
		u := byDefinition(t, r, past, want)
		for i := range want {
			want[i] -= 0.1 * u[i]
		}
		if err := s.Step(0.1, theta, g); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if !(math.Abs(theta[i]-want[i]) <= 1e-12*math.Max(1, math.Abs(want[i]))) {
				t.Fatalf("step %d: theta[%d] = %.17g, from its moments %.17g", n, i, theta[i], want[i])
			}
		}
	}
}

func TestStepsMayUseTheStepAndItsSize(t *testing.T) {
	r, _ := ruleOf(t, define(t, `
optimizer:
  name: mine
  lr: 0.1
  let: {b: 0.5}
  state:
    ramp: 1 - b^(n + 1)
    change: g - last
    v: ema(change^2, 1 - 1 / (n + 2))
    last: g
  update: ramp * g / (1 + lr * theta) + v * min(n, 2)
`), nil)
	if !slices.Equal(r.State, []string{"v", "last"}) || len(r.Scalars) != 4 {
		t.Errorf("state %v, %d scalars", r.State, len(r.Scalars))
	}
	s := mustStepper[float64](t, r, vector(1))
	theta, hand, v, last := []float64{1}, 1.0, 0.0, 0.0
	for n := range 9 {
		lr, g, decay := 0.1/float64(n+1), math.Sin(float64(n+1)), 1-1/float64(n+2)
		v = decay*v + (1-decay)*(g-last)*(g-last)
		hand -= lr * ((1-math.Pow(0.5, float64(n+1)))*g/(1+lr*hand) + v*math.Min(float64(n), 2))
		last = g
		if err := s.Step(lr, theta, []float64{g}); err != nil {
			t.Fatal(err)
		}
		if !near(theta[0], hand, 1e-14) {
			t.Fatalf("step %d: %.17g, by hand %.17g", n, theta[0], hand)
		}
	}
}

func TestBuiltInsAreReadFromTheirFilesAndDocumented(t *testing.T) {
	want := []string{
		"adabelief", "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "adan", "ademamix", "adopt", "amsgrad", "gd", "heavy-ball", "lamb", "lion",
		"muon", "nadam", "nesterov", "prodigy", "radam", "rmsprop", "rprop", "schedule-free-adamw", "sgd", "shampoo", "signum",
		"soap", "sophia",
	}
	if !slices.Equal(Names(), want) {
		t.Errorf("%v, want %v", Names(), want)
	}
	steps := []string{"adabelief", "adadelta", "adafactor", "adagrad", "adamax", "adan", "adopt", "amsgrad", "prodigy", "radam", "rprop", "schedule-free-adamw", "shampoo", "soap", "sophia"}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			src, err := Source(name)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseDefinition(name, src)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Find(name)
			if err != nil || !reflect.DeepEqual(again, d) || d.Name != name {
				t.Errorf("%+v, %v, want %+v", again, err, d)
			}
			if d.Title == "" || d.Paper == "" {
				t.Errorf("title %q, paper %q", d.Title, d.Paper)
			}
			// Where implementations disagree, or that they do not, is said at the beginning, of those that people have.
			head, _, _ := strings.Cut(string(src), "optimizer:\n")
			if said := regexp.MustCompile(`PyTorch|torch\.optim|optax|pytorch_optimizer`); !strings.HasPrefix(head, "# ") || !said.MatchString(head) {
				t.Errorf("it begins with %q, and says of no library what differs there", head)
			}
			keys, err := Keys(name)
			if err != nil || keys[0].Name != "lr" {
				t.Fatalf("%+v, %v", keys, err)
			}
			for _, k := range keys {
				if k.Doc == "" || strings.HasPrefix(k.Doc, "hyperparameter of") || k.Type == schema.Number && k.Range == nil {
					t.Errorf("%+v", k)
				}
			}
			if d.Presets[PyTorch] == nil {
				t.Error("no preset pytorch")
			}
			r, _ := ruleOf(t, d, nil)
			if _, err := r.MemoryForm(); (err == nil) == slices.Contains(steps, name) {
				t.Errorf("memory form: %v", err)
			}
		})
	}
	for _, err := range []error{
		func() error { _, err := Find("adem"); return err }(), func() error { _, err := Source("adem"); return err }(), func() error { _, err := Keys("adem"); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), `no optimizer "adem": did you mean adam?`) {
			t.Errorf("%v", err)
		}
	}
}

// TestADefinitionOfOnesOwnTakesTheBuiltInsSteps spells some of the literature's optimizers as a user would.
func TestADefinitionOfOnesOwnTakesTheBuiltInsSteps(t *testing.T) {
	for name, text := range map[string]string{
		"adam":   "let: {beta1: 0.9, beta2: 0.99, eps: 1e-8}\n  state:\n    m: ema(g, beta1)\n    v: ema(g^2, beta2)\n  update: corrected(m) / sqrt(corrected(v) + eps)",
		"adamw":  "let: {b1: 0.9, b2: 0.99, small: 1e-8, w: 0.01}\n  state:\n    m: ema(g, b1)\n    v: ema(g^2, b2)\n  update: corrected(m) / sqrt(corrected(v) + small) + w * theta",
		"nadam":  "let: {b1: 0.9, b2: 0.99, eps: 1e-8}\n  state:\n    v: ema(g^2, b2)\n    m: ema(g, b1)\n  update: (b1 * corrected(m) + (1 - b1) * g) / sqrt(corrected(v) + eps)",
		"signum": "let: {b: 0.9, eps: 1e-8}\n  state: {m: 'b * m + (1 - b) * g'}\n  update: m / sqrt(m^2 + eps)",
		"lion":   "let: {b1: 0.9, b2: 0.99, eps: 1e-8}\n  state:\n    c: b1 * m + (1 - b1) * g\n    m: ema(g, b2)\n  update: c / sqrt(c^2 + eps)",
	} {
		t.Run(name, func(t *testing.T) {
			mine, _ := ruleOf(t, define(t, "optimizer:\n  name: mine\n  lr: 1\n  "+text+"\n"), nil)
			built, c := mustRule(t, name, nil)
			a, b := mustStepper[float32](t, mine, vector(2)), mustStepper[float32](t, built, vector(2))
			x, y := []float32{0.5, -0.25}, []float32{0.5, -0.25}
			for n := range 50 {
				g := []float32{float32(math.Sin(float64(n))), 0.01 * float32(n-20)}
				if err := errors.Join(a.Step(c.LR, x, g), b.Step(c.LR, y, g)); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(x, y) {
				t.Errorf("%v, and the built-in is at %v", x, y)
			}
		})
	}
}

func TestHyperparametersOutOfRangeAreRefusedByName(t *testing.T) {
	for _, tc := range []struct {
		optimizer, key string
		value          any
		want           string
	}{
		{"adam", "beta1", 1, "optimizer adam: beta1: 1 is out of range; expected a number at least 0 and below 1, [0,1)"},
		{"adam", "beta1", math.NaN(), "optimizer adam: beta1: NaN is out of range; expected a number at least 0 and below 1, [0,1)"},
		{"adam", "eps", 0, "optimizer adam: eps: 0 is out of range; expected a number above 0, (0,inf)"},
		{"adam", "eps", math.Inf(1), "optimizer adam: eps: +Inf is out of range; expected a number above 0, (0,inf)"},
		{"adam", "lr", -1e-3, "optimizer adam: lr: -0.001 is out of range; expected a number above 0, (0,inf)"},
		{"adam", "eps_inside", "maybe", `optimizer adam: eps_inside: expected true or false, got the text "maybe"`},
		{"adamw", "weight_decay", -1, "optimizer adamw: weight_decay: -1 is out of range; expected a number at least 0, [0,inf)"},
		{"adam", "beta_1", 0.9, "optimizer adam: beta_1: unknown key; did you mean beta1?"},
		{"gd", "beta1", 0.9, "optimizer gd: beta1: unknown key; expected one of lr"},
		{"nothing like it", "lr", 1, `no optimizer "nothing like it": expected one of ` + strings.Join(Names(), ", ")},
	} {
		t.Run(fmt.Sprint(tc.optimizer, " ", tc.key, "=", tc.value), func(t *testing.T) {
			if _, err := New(tc.optimizer, map[string]any{tc.key: tc.value}); err == nil || err.Error() != tc.want {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

func TestAHyperparameterOfZeroSwitchesItsTermOff(t *testing.T) {
	r, c := mustRule(t, "lion", map[string]any{"weight_decay": 0})
	s := mustStepper[float64](t, r, vector(1))
	theta := []float64{math.Inf(1)} // 0 times that is no number
	if err := s.Step(c.LR, theta, []float64{1}); err != nil {
		t.Fatal(err)
	}
	if !math.IsInf(theta[0], 1) {
		t.Errorf("theta %v", theta[0])
	}
}

func TestWhichNamesAreFiles(t *testing.T) {
	for name, want := range map[string]bool{"adam": false, "mine.yaml": true, "a/mine": true, "mine.yml": true, "heavy-ball": false, "x.y": false} {
		if IsFile(name) != want {
			t.Errorf("%s is a file: %v", name, !want)
		}
	}
}

func TestMoreEntriesThanAnyOptimizerHasAreRefused(t *testing.T) {
	state, sum := "", "g"
	for i := range maxEntries + 1 {
		state += fmt.Sprintf("    m%d: ema(g, 0.9)\n", i)
		sum += fmt.Sprintf(" + m%d", i)
	}
	_, err := ParseDefinition("mine.yaml", []byte("optimizer:\n  name: mine\n  lr: 1\n  state:\n"+state+"  update: "+sum+"\n"))
	if err == nil || !strings.Contains(err.Error(), "optimizer.state: 65 entries; expected at most 64") {
		t.Errorf("%v", err)
	}
}

func FuzzParseDefinition(f *testing.F) {
	for _, name := range Names() {
		src, err := Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Add(head + "  state:\n    m: ema(g, beta1)\n    v: ema(g^2, beta2)\n    top: max(top, v)\n  update: if(nesterov, corrected(m) / (sqrt(top) + eps), m)\n")
	f.Add("optimizer:\n  name: x\n  lr: 1\n  state:\n    a: g + g\n    b: a * a\n    c: b * b\n    d: c * c\n    e: d * d\n    f: e * e\n    h: f * f\n    i: h * h\n    j: i * i\n    k: j * j\n    l: k * k\n  update: l\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDefinition("fuzz.yaml", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz.yaml") {
				t.Errorf("an error without a place: %v", err)
			}
			return
		}
		r, c := ruleOf(t, d, nil)
		if _, err := r.MemoryForm(); err != nil && !errors.As(err, new(*NoMemoryError)) {
			t.Errorf("%q: %v", text, err)
		}
		s, err := NewStepper[float64](r, vector(1), engine.Options{Threads: 1})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		estimate(s.state)
		if err := s.Step(c.LR, []float64{1}, []float64{2}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func ExampleParseDefinition() {
	_, err := ParseDefinition("mine.yaml", []byte(`optimizer:
  name: mine
  lr: 1e-3
  let: {beta1: 0.9, eps: 1e-8}
  state:
    m: ema(g, beta)
  update: corrected(m) / (abs(m) + eps)
`))
	fmt.Println(err)
	// Output:
	// mine.yaml:6:15: optimizer.state.m: found "beta": no such name; want one of g, hessian, lr, n, theta, beta1, eps, m (did you mean beta1?)
}

func ExampleDefinition() {
	d, err := Find("adam")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := d.New(map[string]any{"beta2": 0.999})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := c.Rule()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c)
	fmt.Println(r.State, r.Memory.Formula)
	// Output:
	// adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08, eps_inside=true, bias_correction=true)
	// [m v] corrected(m) / sqrt(corrected(v) + eps)
}

// An optimizer that has no equation without memory says why, and no other has anything to say.
func TestWhatHasNoMemoryFormSaysWhatItRemembers(t *testing.T) {
	for _, name := range Names() {
		d, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := mustRule(t, name, nil)
		_, err = r.MemoryForm()
		lacks := (*NoMemoryError)(nil)
		switch {
		case err == nil && d.Remembers != "":
			t.Errorf("%s has the memory form, and remembers %s", name, d.Remembers)
		case err != nil && (d.Remembers == "" || !errors.As(err, &lacks) || !strings.HasPrefix(lacks.Lacks, "it remembers "+d.Remembers+" (")):
			t.Errorf("%s: %v", name, err)
		}
	}
}
