package state

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"shadowflow/internal/fixture"
)

// pointOf returns a rule's fields on a loss, and a state of its parts.
func pointOf(t *testing.T, name string, values map[string]any, loss string, order int, parts ...[]float64) (*Fields, []float64) {
	t.Helper()
	var z []float64
	for _, p := range parts {
		z = append(z, p...)
	}
	var options map[string]any
	if loss == "quadratic" {
		options = map[string]any{"rotation": 0} // of parameters that know nothing of each other
	}
	f, err := CompileFields(fixture.Rule(t, name, values), fixture.Loss(t, loss, options), len(parts[0]), order, 1)
	if err != nil {
		t.Fatal(err)
	}
	if f.Size() != len(z) {
		t.Fatalf("a state of %d numbers, want %d", len(z), f.Size())
	}
	return f, z
}

func TestFieldsThatDoNotExistAreNamedWithTheirCause(t *testing.T) {
	adam := func(inside bool) map[string]any {
		return map[string]any{"beta1": 0.7, "beta2": 0.85, "eps": 0.3, "eps_inside": inside, "bias_correction": false}
	}
	theta, m, v := []float64{1.3, 1.6}, []float64{6.8, 6.2}, []float64{43, 57}
	rest, dead := []float64{0, 1, 2}, []float64{0, 1, 1}
	for _, c := range []struct {
		name, rule string
		values     map[string]any
		loss       string
		state      [][]float64
		fields     int // of 4
		why        string
	}{
		{"v above 0", "adam", adam(false), "bilinear", [][]float64{theta, m, v}, 4, ""},
		{"v = 0 within a root with eps", "adam", adam(true), "bilinear", [][]float64{theta, m, {0, 57}}, 4, ""},
		{"v = 0 under a root", "adam", adam(false), "bilinear", [][]float64{theta, m, {0, 57}}, 1, "v[0], which is 0"},
		{"v = 0 in the other coordinate", "adam", adam(false), "bilinear", [][]float64{theta, m, {43, 0}}, 1, "v[1], which is 0"},
		{"v = 0 and m = 0", "adam", adam(false), "bilinear", [][]float64{theta, {0, 6.2}, {0, 57}}, 2, "v[0], which is 0"},
		{"v = 0 where bias is corrected", "adam", map[string]any{"eps_inside": false}, "bilinear", [][]float64{theta, m, {0, 57}}, 1, "v[0], which is 0"},
		{"a parameter that rests", "adam", adam(false), "quadratic", [][]float64{rest, dead, dead}, 4, ""},
		{"a parameter that leaves its minimum", "adam", adam(false), "quadratic", [][]float64{rest, {1, 1, 1}, dead}, 2, "v[0], which is 0"},
		{"RMSProp, v is the mean's square", "rmsprop", map[string]any{"eps_inside": false, "centered": true}, "bilinear", [][]float64{theta, {4, 4}, {1, 2}}, 1, "v[1], center[1]"},
		{"RMSProp, v is above the mean's square", "rmsprop", map[string]any{"eps_inside": false, "centered": true}, "bilinear", [][]float64{theta, {4, 4}, {1, 1}}, 4, ""},
		{"Adagrad, no gradient yet", "adagrad", nil, "bilinear", [][]float64{theta, {0, 4}}, 1, "v[0], which is 0"},
		{"AMSGrad, v at its maximum", "amsgrad", map[string]any{"eps": 0.3}, "bilinear", [][]float64{theta, m, v, v}, 1, "v[0], top[0]"},
		{"AMSGrad, v below its maximum", "amsgrad", map[string]any{"eps": 0.3}, "bilinear", [][]float64{theta, m, v, {100, 100}}, 4, ""},
		{"the sign of 0", "signum", map[string]any{"eps": 0.0}, "bilinear", [][]float64{theta, {1, 0}}, 0, "m[1]"},
		{"a sign of what is not 0", "signum", map[string]any{"eps": 0.0}, "bilinear", [][]float64{theta, {1, 1}}, 4, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, z := pointOf(t, c.rule, c.values, c.loss, 4, c.state...)
			missing, err := f.Missing(t.Context(), 0.01, 20, z)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case missing == nil && c.fields < 4:
				t.Errorf("all fields are there, want %d", c.fields)
			case missing != nil && (missing.Fields != c.fields || !strings.Contains(missing.Error(), c.why)):
				t.Errorf("%v\nwant %d fields, and the cause %q", missing, c.fields, c.why)
			}
		})
	}
}

// A field that exists at v = 0 is the limit of those at small v, and one that does not grows without bound there: at v > 0 all exist.
func TestFieldsExistWhereTheyAreBoundedNearby(t *testing.T) {
	const order = 4
	theta := []float64{1.3, 1.6}
	for _, inside := range []bool{true, false} {
		for _, m := range []float64{6.8, 0} {
			t.Run(fmt.Sprintf("eps inside %v, m %g", inside, m), func(t *testing.T) {
				fieldsAt := func(v float64) (*Fields, []float64, [][]float64) {
					f, z := pointOf(t, "adam", map[string]any{"beta1": 0.7, "beta2": 0.85, "eps": 0.3, "eps_inside": inside, "bias_correction": false}, "bilinear", order,
						theta, []float64{m, 6.2}, []float64{v, 57})
					out := make([][]float64, order)
					for b := range out {
						out[b] = make([]float64, len(z))
					}
					if err := f.At(t.Context(), 0.01, 0, z, out); err != nil {
						t.Fatal(err)
					}
					return f, z, out
				}
				f, z, at := fieldsAt(0)
				missing, err := f.Missing(t.Context(), 0.01, 0, z)
				if err != nil {
					t.Fatal(err)
				}
				there := order
				if missing != nil {
					there = missing.Fields
				}
				_, _, near := fieldsAt(1e-10)
				_, _, nearer := fieldsAt(1e-14)
				for b := range order {
					if b > there {
						break // the field behind the first that is missing is made of it
					}
					grows := 0.0
					for i := range z {
						grows = math.Max(grows, math.Abs(nearer[b][i]/near[b][i]))
					}
					if b == there {
						if grows < 50 {
							t.Errorf("f%d is said not to exist, and grows %.3g times from v = 1e-10 to 1e-14", b, grows)
						}
						continue
					}
					for i, v := range nearer[b] {
						if math.Abs(at[b][i]-v) > 1e-5*(math.Abs(v)+1e-9) {
							t.Errorf("f%d[%d] = %.12g at v = 0, and tends to %.12g", b, i, at[b][i], v)
						}
					}
				}
			})
		}
	}
}

// With m = 0 and v = 0 the step begins with -g t/(tau eps), whatever the root.
func TestTheSecondFieldFromAnEmptyMemoryHasTheClosedForm(t *testing.T) {
	const lr, eps = 0.01, 0.3
	f, z := pointOf(t, "adam", map[string]any{"beta1": 0.7, "beta2": 0.85, "eps": eps, "eps_inside": false, "bias_correction": false}, "bilinear", 2,
		[]float64{1.6, 1.1}, []float64{0, 0}, []float64{0, 0})
	out := [][]float64{make([]float64, len(z)), make([]float64, len(z))}
	if err := f.At(t.Context(), lr, 0, z, out); err != nil {
		t.Fatal(err)
	}
	if missing, err := f.Missing(t.Context(), lr, 0, z); missing != nil || err != nil {
		t.Fatal(missing, err)
	}
	tau := -lr / math.Log(0.7)
	for i, g := range []float64{4.444, 6.464} {
		if got, want := out[1][i]/(lr*lr), -g/(2*tau*eps); math.Abs(got-want) > 1e-12*math.Abs(want) {
			t.Errorf("f_1[%d] = %.16g, want %.16g", i, got, want)
		}
	}
}
