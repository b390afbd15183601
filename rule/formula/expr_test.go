package formula

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func mustParse(t testing.TB, s string) *Formula {
	t.Helper()
	f, err := Parse(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return f
}

func mustExpr(t testing.TB, s string) Expr {
	t.Helper()
	e := mustParse(t, s).Expr(nil)
	if e.Err() != nil {
		t.Fatalf("%s: %v", s, e.Err())
	}
	return e
}

func TestExpressionsArePrintedAsPeopleWriteThem(t *testing.T) {
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
		"0.5 * x":                               "x / 2",
		"3.4445 * x + 1e-3":                     "3.4445 x + 0.001",
		"x^-2":                                  "1 / x^2",
		"x / abs(x) * x":                        "|x|",
		"sign(x) * x":                           "|x|",
		"sqrt(2) * sqrt(2) * x":                 "2 x",
		"sqrt(2 * x)":                           "sqrt(x) sqrt(2)",
		"sqrt(0.01) * x":                        "x / 10",
		"abs(x + y)^2":                          "x^2 + 2 x y + y^2",
		"abs(-3 * x / (y + z))":                 "3 |x| / |y + z|",
		"(x + y)^64 / (x + y)^63":               "x + y",
	} {
		t.Run(in, func(t *testing.T) {
			if got := mustExpr(t, in).String(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestAFactorHasParenthesesUnlessItIsAProduct(t *testing.T) {
	for in, want := range map[string][2]string{
		"1 + W*beta1": {"(1 + beta1 W)", `\left(1 + \beta_1\,W\right)`},
		"W * x":       {"W x", `W\,x`},
		"x / y":       {"(x / y)", `\left(\frac{x}{y}\right)`},
		"-x":          {"(-x)", `\left(-x\right)`},
	} {
		t.Run(in, func(t *testing.T) {
			e := mustExpr(t, in)
			if got := [2]string{e.Factor(), e.FactorLaTeX()}; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
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
		t.Run(in, func(t *testing.T) {
			if got := mustExpr(t, in).LaTeX(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestDerivativesMatchCentralDifferences(t *testing.T) {
	at := map[string]float64{"m": -0.7, "v": 0.4, "eps": 0.3, "x": -1.3, "beta1": 0.9, "g": -0.2}
	for _, s := range []string{
		"m / sqrt(v + eps)", "m / (sqrt(v) + eps)", "x^3 - 2*x", "abs(x) * x", "abs(m*x)", "1/(abs(x)+eps)^2", "m/sqrt(m^2+eps)",
		"(beta1 * m + (1 - beta1) * g) / sqrt(v + eps)", "(m+x)^4 / (v+2)^3", "abs(m + x)^3 / abs(v - g)", "sign(x) * x^2", "sqrt(2*v) + 0.25*m",
	} {
		e := mustExpr(t, s)
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
	e := mustExpr(t, "m / (sqrt(v) + eps)")
	f := e.Substitute(map[string]Expr{"m": Symbol("g"), "v": mustExpr(t, "g^2")})
	if got, want := f.String(), "g / (|g| + eps)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := f.Value(map[string]float64{"g": -3, "eps": 1}); got != -0.75 {
		t.Errorf("value %g", got)
	}
	if err := f.Substitute(map[string]Expr{"g": {}, "eps": {}}).Err(); !errors.Is(err, ErrDivision) {
		t.Errorf("division by zero: %v", err)
	}
}

func TestWhatCannotBeMadeSaysWhy(t *testing.T) {
	for in, want := range map[string]string{
		"1/(x-x)":                        "division by zero",
		"x + max(x, y)*2":                "max can be computed, but not written down",
		"sqrt(-2)":                       "a root of the negative number -2",
		"x^p":                            "the exponent p = NaN is not a fraction",
		"x^0.123456":                     "the exponent 0.123456 = 0.123456 is not a fraction",
		"((2^64)^64)^64":                 "too long",
		"2^2^2^2^2":                      "is not a fraction of numbers up to 64",
		"(((x+1)^6+y)^6+z)^6":            "too long",
		"(x^64)^64":                      "exponent 4096/1 is beyond 64",
		"(a+b+c+d)^6*(e+f+g+h)^6":        "too long",
		"sqrt(sqrt(sqrt(x+1)^64)^64)^64": "exponent 1024/1 is beyond 64",
		"sqrt(sqrt(sqrt(x+1)+1)+1)^64":   "",
	} {
		t.Run(in, func(t *testing.T) {
			e := mustParse(t, in).Expr(nil)
			switch {
			case want == "" && e.Err() != nil:
				t.Errorf("error %v", e.Err())
			case want != "" && (e.Err() == nil || !strings.Contains(e.Err().Error(), want)):
				t.Errorf("%s, error %v, want one that says %q", e, e.Err(), want)
			case want != "" && (e.Derivative("x").Err() == nil || e.Mul(Symbol("x")).Err() == nil || e.IsZero()):
				t.Error("what is made of it has no error")
			}
		})
	}
}

func ExampleExpr_Derivative() {
	f, err := Parse("m / sqrt(v + eps)")
	if err != nil {
		fmt.Println(err)
		return
	}
	u := f.Expr(nil)
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
		t.Run(in, func(t *testing.T) {
			if e := mustExpr(t, in).Leading("g"); e.String() != want {
				t.Errorf("%q, want %q", e, want)
			}
		})
	}
}
