package formula

import (
	"fmt"
	"math"
	"testing"
)

func mustParse(t testing.TB, s string) Expr {
	t.Helper()
	e, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestFormulasArePrintedAsPeopleWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"m / sqrt(v + eps)":                     "m / sqrt(v + eps)",
		"m/(sqrt(v)+eps)":                       "m / (sqrt(v) + eps)",
		"sqrt(g^2)":                             "|g|",
		"abs(g)*abs(g)":                         "g^2",
		"g^2/abs(g)":                            "|g|",
		"(beta1*m + (1 - beta1)*m) / 2":         "m / 2",
		"g + beta1*m":                           "g + beta1 m",
		"c1/(2*sqrt(x+y)) - c2/(2*sqrt(x + y))": "(c1 - c2) / (2 sqrt(x + y))",
		"x - x":                                 "0",
		"1/x/y":                                 "1 / (x y)",
		"(x+y)^2 - x^2 - y^2":                   "2 x y",
		"a/(x+y)^(3/2)":                         "a / (x + y)^(3/2)",
		"(x+1)/(x+1)":                           "1",
		"sqrt(4*x)":                             "2 sqrt(x)",
		"-x":                                    "-x",
		"-x + y":                                "y - x",
	} {
		if got := mustParse(t, in).String(); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestLaTeXNeedsNoParenthesesAroundAWholeNumerator(t *testing.T) {
	for in, want := range map[string]string{
		"(c1 - c2)/(2*abs(g))":      `\frac{c_1 - c_2}{2\,\left|g\right|}`,
		"g/(abs(g) + eps)":          `\frac{g}{\left|g\right| + \varepsilon}`,
		"x/(2*(y + z))":             `\frac{x}{2\,\left(y + z\right)}`,
		"beta1*x_long/(y+z)^(3/2)":  `\frac{\beta_1\,x_{long}}{\left(y + z\right)^{3/2}}`,
		"momentum + 1/sqrt(lambda)": `\mathrm{momentum} + \frac{1}{\sqrt{\lambda}}`,
	} {
		if got := mustParse(t, in).LaTeX(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestDerivativesMatchCentralDifferences(t *testing.T) {
	at := map[string]float64{"m": -0.7, "v": 0.4, "eps": 0.3, "x": -1.3, "beta1": 0.9, "g": -0.2}
	for _, s := range []string{
		"m / sqrt(v + eps)", "m / (sqrt(v) + eps)", "x^3 - 2*x", "abs(x) * x", "abs(m*x)", "1/(abs(x)+eps)^2", "m/sqrt(m^2+eps)",
		"(beta1 * m + (1 - beta1) * g) / sqrt(v + eps)", "(m+x)^4 / (v+2)^3",
	} {
		e := mustParse(t, s)
		for _, x := range []string{"m", "v", "x", "g"} {
			const d = 1e-6
			shifted := func(by float64) float64 {
				env := map[string]float64{}
				for k, v := range at {
					env[k] = v
				}
				env[x] += by
				return e.Value(env)
			}
			want := (shifted(d) - shifted(-d)) / (2 * d)
			if got := e.Derivative(x).Value(at); math.Abs(got-want) > 1e-7*math.Max(1, math.Abs(want)) {
				t.Errorf("d(%s)/d%s = %s: %g, want %g", s, x, e.Derivative(x), got, want)
			}
		}
	}
}

func TestSubstitutionKeepsTheValue(t *testing.T) {
	e := mustParse(t, "m / (sqrt(v) + eps)")
	f, err := e.Substitute(map[string]Expr{"m": Symbol("g"), "v": mustParse(t, "g^2")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.String(), "g / (|g| + eps)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := f.Value(map[string]float64{"g": -3, "eps": 1}); got != -0.75 {
		t.Errorf("value %g", got)
	}
	if _, err := f.Substitute(map[string]Expr{"g": {}, "eps": {}}); err == nil {
		t.Error("division by zero: no error")
	}
}

func TestMistakesAreFoundWhereTheyAre(t *testing.T) {
	for in, want := range map[string]string{
		"":           `formula "": ends where a number, a name or ( should follow`,
		"m /":        `formula "m /": ends where a number, a name or ( should follow`,
		"m ? 2":      `formula "m ? 2": character 3, "? 2": want an operator or the end`,
		"log(m)":     `formula "log(m)": no function "log": there are sqrt and abs`,
		"m^x":        `formula "m^x": character 3, "x": want a number as exponent`,
		"sqrt(m":     `formula "sqrt(m": ends where ) should follow`,
		"1/(x-x)":    `formula "1/(x-x)": division by zero`,
		"m^99999999": `formula "m^99999999": character 3, "99999999": want an exponent of at most 64`,
	} {
		_, err := Parse(in)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"m / sqrt(v + eps)", "((x+1)^3)^(1/2)", "abs(x*y)/x^2", "-(-1)", "1/(2*x)^(7/3)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			return
		}
		if e.String() == "" || e.LaTeX() == "" {
			t.Errorf("%q prints as nothing", s)
		}
	})
}

func ExampleExpr_Derivative() {
	u, err := Parse("m / sqrt(v + eps)")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.Derivative("v"))
	fmt.Println(u.Derivative("m").LaTeX())
	// Output:
	// -m / (2 (v + eps)^(3/2))
	// \frac{1}{\sqrt{v + \varepsilon}}
}

func TestLeadingTermsForSmallGradients(t *testing.T) {
	for in, want := range map[string]string{
		"g / sqrt(g^2 + eps)":                               "g / sqrt(eps)",
		"c1/(2*sqrt(g^2+eps)) - c2*g^2/(2*(g^2+eps)^(3/2))": "c1 / (2 sqrt(eps))",
		"abs(g)/(abs(g) + eps)^2":                           "|g| / eps^2",
		"g + lambda*theta":                                  "lambda theta",
	} {
		e, err := mustParse(t, in).Leading("g")
		if err != nil || e.String() != want {
			t.Errorf("%s: %q, %v, want %q", in, e, err, want)
		}
	}
}
