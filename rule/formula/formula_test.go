package formula

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

func TestFormulasAreWrittenAsTheyWereRead(t *testing.T) {
	for in, want := range map[string][2]string{
		"corrected(m)/(sqrt(top)+eps)": {"corrected(m) / (sqrt(top) + eps)", `\frac{\operatorname{corrected}\left(m\right)}{\sqrt{\mathrm{top}} + \varepsilon}`},
		"a-(b-c)-d":                    {"a - (b - c) - d", `a - \left(b - c\right) - d`},
		"-x^2*-y":                      {"-x^2 * -y", `-x^{2}\,\left(-y\right)`},
		"(-x)^2":                       {"(-x)^2", `\left(-x\right)^{2}`},
		"(a+b)*c/d":                    {"(a + b) * c / d", `\frac{\left(a + b\right)\,c}{d}`},
		"2^3^x":                        {"2^3^x", `2^{3^{x}}`},
		"x^(1/2)":                      {"x^(1 / 2)", `x^{\frac{1}{2}}`},
		"x^-2":                         {"x^-2", `x^{-2}`},
		"1e-8*beta1*2.5e+3":            {"1e-8 * beta1 * 2.5e+3", `10^{-8}\,\beta_1 \cdot 2.5 \cdot 10^{3}`},
		"a*(b*c)":                      {"a * (b * c)", `a\,\left(b\,c\right)`},
		"max(abs(g), exp(-m))":         {"max(abs(g), exp(-m))", `\max\left(\left|g\right|, \exp\left(-m\right)\right)`},
		"ema(g^2,beta2)":               {"ema(g^2, beta2)", `\operatorname{ema}\left(g^{2}, \beta_2\right)`},
		"x1_a + weight_decay*theta":    {"x1_a + weight_decay * theta", `x_1_{a} + \lambda\,\theta`},
		".5*x":                         {".5 * x", `.5\,x`},
	} {
		t.Run(in, func(t *testing.T) {
			f := mustParse(t, in)
			if got := [2]string{f.String(), f.LaTeX()}; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if again := mustParse(t, f.String()); !again.Equal(f) {
				t.Errorf("%s is read back as %s", f, again)
			}
		})
	}
}

func TestMistakesAreFoundWhereTheyAre(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "column 1: it ends where a number, a name or ( should follow",
		"m /":                           "column 4: it ends where a number, a name or ( should follow",
		"m ? 2":                         `column 3: found "?": want an operator or the end`,
		"2 beta":                        `column 3: found "beta": want an operator or the end`,
		"ä + + 2":                       `column 5: found "+": want a number, a name or (`,
		"m * sqr(v)":                    `column 5: found "sqr": want one of the functions abs, aspect, average, columns, corrected, ema, every, exp, identity, if, inverse_root, log, matmul, matrix, max, min, norm, orthogonal, orthonormal, plane_columns, plane_rows, polar, rows, sign, sqrt, sum, tanh, total, transpose (did you mean sqrt?)`,
		"sqrt(m":                        "column 7: it ends where ) should follow",
		"sqrt(m, 2)":                    `column 7: found ",": want ) after the one argument of sqrt`,
		"max(m)":                        `column 6: found ")": want , and another argument of max, which takes 2`,
		"max(m, v, g)":                  `column 9: found ",": want ) after the 2 arguments of max`,
		"1e999":                         `column 1: found "1e999": want a number that float64 can hold`,
		"1 + .":                         `column 5: found ".": want a number, a name or (`,
		"2e":                            `column 2: found "e": want an operator or the end`,
		"x\x00":                         "column 2: found \"\\x00\": want an operator or the end",
		"m 1e-8":                        `column 3: found "1e-8": want an operator or the end`,
		strings.Repeat("(", 50):         `column 42: found "(": want at most 40 levels in one another`,
		strings.Repeat("-", 50):         `column 42: found "-": want at most 40 levels in one another`,
		strings.Repeat("2^", 50):        `column 83: found "2": want at most 40 levels in one another`,
		strings.Repeat("1+", 500) + "1": `column 1001: found "1001 characters": want at most 1000`,
	} {
		t.Run(in, func(t *testing.T) {
			_, err := Parse(in)
			if err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

func TestSignsAndPowersBindAsOnPaper(t *testing.T) {
	for in, want := range map[string]float64{
		"-x^2": -9, "2^-1": 0.5, "2^3^2": 512, "2 - 3 - 4": -5, "24 / 4 / 2": 3, "-2 * -x": 6, "x - -1": 4, "-(-x)": 3, "2 * x^2": 18, "--x": 3,
		"max(x, 4) - min(x, 4)": 1, "sign(-x) + sign(0) + abs(-x)": 2, "exp(log(x)) + tanh(0)": 3, "sqrt(x + 6)": 3,
	} {
		t.Run(in, func(t *testing.T) {
			if got := mustParse(t, in).Value(map[string]float64{"x": 3}); math.Abs(got-want) > 1e-15 {
				t.Errorf("%g, want %g", got, want)
			}
		})
	}
}

// TestTheThreeMeaningsAgree evaluates formulas in float64, as graph code, and in the algebra.
func TestTheThreeMeaningsAgree(t *testing.T) {
	at := map[string]float64{"g": -0.7, "v": 0.4, "eps": 0.3, "beta": 0.9}
	for _, in := range []string{
		"g / sqrt(v + eps)", "g / (sqrt(v) + eps)", "abs(g) * sign(g) - -2", "(g + v)^2 / v^(3/2)", "0.25 * g^-3", "beta * g + (1 - beta) * v",
		"max(g, v) * min(g, eps)", "exp(g) + log(v) - tanh(g * eps)", "v^0.5 + v^beta",
	} {
		t.Run(in, func(t *testing.T) {
			f := mustParse(t, in)
			want := f.Value(at)
			near := func(what string, got float64) {
				if !(math.Abs(got-want) <= 1e-14*math.Max(1, math.Abs(want))) {
					t.Errorf("%s: %g, want %g", what, got, want)
				}
			}
			near("graph code", run(t, f.Fold(map[string]float64{"eps": 0.3, "beta": 0.9}), at))
			if e := f.Expr(at); e.Err() == nil {
				near("algebra", e.Value(at))
			}
		})
	}
}

// run computes a formula of g and v as a program.
func run(t *testing.T, f *Formula, at map[string]float64) float64 {
	t.Helper()
	b := graph.NewBuilder()
	g, v := b.Param("g", graph.Float64, 1), b.Param("v", graph.Float64, 1)
	p, err := engine.Compile([]graph.Value{g, v}, []graph.Value{f.Graph(Layout{}, g, map[string]graph.Value{"g": g, "v": v})}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, 1)
	if err := p.Run([]engine.Buffer{engine.Of([]float64{at["g"]}), engine.Of([]float64{at["v"]})}, []engine.Buffer{engine.Of(out)}); err != nil {
		t.Fatal(err)
	}
	return out[0]
}

func TestFoldComputesWhatNumbersDecide(t *testing.T) {
	numbers := map[string]float64{"beta": 0.75, "decay": 0}
	for in, want := range map[string]string{
		"beta * m + (1 - beta) * g":         "0.75 * m + 0.25 * g",
		"g + decay * theta":                 "g + 0",
		"v^(2 * beta)":                      "v^1.5",
		"corrected(m) / (1 - beta^(n + 1))": "corrected(m) / (1 - 0.75^(n + 1))",
	} {
		t.Run(in, func(t *testing.T) {
			if got := mustParse(t, in).Fold(numbers).String(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestGraphCodeOfWhatHasNoMeaningIsInvalid(t *testing.T) {
	b := graph.NewBuilder()
	g := b.Param("g", graph.Float64, 2)
	for _, in := range []string{"x", "ema(g, 1)", "g + corrected(g)"} {
		if mustParse(t, in).Graph(Layout{}, g, map[string]graph.Value{"g": g}).Valid() {
			t.Errorf("%s has valid code", in)
		}
	}
}

// FuzzParse reads what comes, writes and computes it, and does all that a derivation does. It ends soon, whatever it is.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"m / sqrt(v + eps)", "((x+1)^3)^(1/2)", "abs(x*y)/x^2", "-(-1)", "1/(2*x)^(7/3)", "2^2^2^2^2^2", "0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0", "x^-x^-x^-x^-x^-x^-x^-x^-x^-x^-x^-x^-x^-x^-x^-m", "((((x+1)^6+1)^6+1)^6)^6",
		"(x+1)^64*(x+1)^64", "sqrt(sqrt(sqrt(x+m)+m)+m)/(sqrt(x+m)+m)^5", "abs(abs(x+m)-abs(x-m))*sign(x)", "(2^64)^(1/64)/3^63*1e-300",
		"max(ema(g, 0.9), if(a, b, c))", "((x+m)^(1/2)+(x-m)^(1/2))^6", "(x+1)^64*(x+1)",
	} {
		f.Add(s)
	}
	for _, s := range nests() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { work(t, s) })
}

// nests are formulas as deep, and as long, as they may be. Some beginnings are two levels each: a sign or an exponent, and its parentheses.
func nests() map[string]string {
	out := map[string]string{}
	for _, begin := range []string{"sqrt(1+", "abs(m+", "1/(1+", "tanh(", "sign(x-", "-(", "m^(", "(1+x)^(", "max(x,", "exp(-", "log(2+", "sqrt(x*", "if(x>0,m,", "norm(", "every(", "(m-"} {
		end := ")"
		if begin == "every(" {
			end = ",2)"
		}
		depth := min(maxDepth-1, (maxLength-1)/(len(begin)+len(end)))
		if slices.Contains([]string{"-(", "m^(", "(1+x)^(", "exp(-"}, begin) {
			depth = (maxDepth - 1) / 2
		}
		out[begin] = strings.Repeat(begin, depth) + "m" + strings.Repeat(end, depth)
	}
	for _, part := range []string{"(m+x)^6*", "(1+x)/", "sqrt(m+x)+", "1e300*", "2^64*", "abs(m-x)/(x+m)^3+", "(x+1)^64*", "x^(1/63)/", "1/(x+0.123456789012345678)+"} {
		out[part] = strings.Repeat(part, (maxLength-1)/len(part)) + "m"
	}
	return out
}

func TestFormulasAsDeepAndLongAsMayBeAreWorkedOn(t *testing.T) {
	for name, s := range nests() {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(s); err != nil {
				t.Fatal(err)
			}
			work(t, s)
		})
	}
}

// work does with a formula all that a derivation does.
func work(t *testing.T, s string) {
	x, err := Parse(s)
	if err != nil {
		return
	}
	again, err := Parse(x.String())
	if len(x.String()) <= maxLength && (err != nil || !again.Equal(x)) {
		t.Errorf("%q is written as %q, and read back as %v, %v", s, x, again, err)
	}
	x.Value(map[string]float64{"x": 0.5, "m": 2})
	folded := x.Fold(map[string]float64{"m": 2})
	u := x.Expr(nil)
	at := map[string]Expr{"x": Symbol("g").Mul(Symbol("W")), "m": Symbol("g").Pow(2, 1)}
	for _, e := range []Expr{u, u.Derivative("x"), u.Substitute(at), u.Derivative("m").Substitute(at), u.Leading("x")} {
		if e.String() == "" || e.LaTeX() == "" || e.Factor() == "" || folded.LaTeX() == "" || x.LaTeX() == "" {
			t.Errorf("%q prints as nothing", s)
		}
	}
}

func ExampleParse() {
	f, err := Parse("m/(sqrt(v)+eps)")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f)
	fmt.Println(f.LaTeX())
	fmt.Println(f.Value(map[string]float64{"m": 1, "v": 4, "eps": 0}))
	_, err = Parse("m/(sqrt(v)+eps")
	fmt.Println(err)
	// Output:
	// m / (sqrt(v) + eps)
	// \frac{m}{\sqrt{v} + \varepsilon}
	// 0.5
	// column 15: it ends where ) should follow
}
