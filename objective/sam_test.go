package objective_test

import (
	"math"
	"strings"
	"testing"

	"shadowflow/graph"
	"shadowflow/internal/fixture"
	"shadowflow/objective"
)

const samRho = 0.3

func sam(t *testing.T) (*objective.SAM[float64], objective.Objective[float64]) {
	t.Helper()
	o := fixture.Objective(t, "bilinear", map[string]any{"pairs": [][2]float64{{2, 1.5}, {1, 2}, {1.5, 0.3}}})
	s, err := objective.NewSAM[float64](o, samRho, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

func want(t *testing.T, o objective.Objective[float64], theta []float64, batch int, w objective.Want[float64]) objective.Evaluation {
	t.Helper()
	e, err := o.Evaluate(t.Context(), theta, batch, w)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func gradientOf(t *testing.T, o objective.Objective[float64], theta []float64, batch int) []float64 {
	t.Helper()
	g := make([]float64, len(theta))
	want(t, o, theta, batch, objective.Want[float64]{Gradient: g})
	return g
}

func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*(1+math.Abs(want[i]))) {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

func TestSAMTakesTheGradientAtTheWorstPointOfABall(t *testing.T) {
	s, plain := sam(t)
	theta := []float64{0.9, 0.6}
	for _, batch := range []int{objective.Full, 0, 2} {
		g := gradientOf(t, plain, theta, batch)
		norm := math.Hypot(g[0], g[1])
		up := []float64{theta[0] + samRho*g[0]/norm, theta[1] + samRho*g[1]/norm}
		near(t, "gradient", gradientOf(t, s, theta, batch), gradientOf(t, plain, up, batch), 1e-14)
		e, direct := want(t, s, theta, batch, objective.Want[float64]{Gradient: g}), want(t, plain, theta, batch, objective.Want[float64]{})
		if e.Loss != direct.Loss || e.Examples != direct.Examples {
			t.Errorf("batch %d: %+v, the loss itself %+v", batch, e, direct)
		}
		code := graph.NewBuilder()
		p := code.Param("theta", graph.Float64, 2)
		field, err := s.Gradient(p, batch)
		if err != nil {
			t.Fatal(err)
		}
		asCode, err := objective.CompileDirection[float64](&objective.Direction{Make: func(_, theta graph.Value) graph.Value {
			field, err = s.Gradient(theta, batch)
			return field
		}}, 2, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, 2)
		if err := asCode(g, theta, got); err != nil {
			t.Fatal(err)
		}
		near(t, "graph code", got, gradientOf(t, s, theta, batch), 1e-13)
	}
}

func TestProductsOfSAMAreTheDerivativeOfItsGradient(t *testing.T) {
	s, _ := sam(t)
	theta, v, w := []float64{0.9, 0.6}, []float64{0.3, -1.1}, []float64{1.2, 0.4}
	along := func(v []float64) []float64 {
		const d = 1e-5
		up := gradientOf(t, s, []float64{theta[0] + d*v[0], theta[1] + d*v[1]}, objective.Full)
		down := gradientOf(t, s, []float64{theta[0] - d*v[0], theta[1] - d*v[1]}, objective.Full)
		return []float64{(up[0] - down[0]) / (2 * d), (up[1] - down[1]) / (2 * d)}
	}
	jv, jw, back := make([]float64, 2), make([]float64, 2), make([]float64, 2)
	want(t, s, theta, objective.Full, objective.Want[float64]{Vectors: [][]float64{v, w}, Products: [][]float64{jv, jw}})
	near(t, "product", jv, along(v), 1e-8)
	near(t, "second product", jw, along(w), 1e-8)
	if err := objective.TransposedProduct(t.Context(), objective.Objective[float64](s), theta, objective.Full, w, back); err != nil {
		t.Fatal(err)
	}
	near(t, "w'Jv and v'J'w", []float64{back[0]*v[0] + back[1]*v[1]}, []float64{jv[0]*w[0] + jv[1]*w[1]}, 1e-13)
	if math.Abs(back[0]-jw[0]) < 1e-3 {
		t.Error("the derivative is symmetric: the example shows nothing")
	}

	square := &objective.Direction{Make: func(g, theta graph.Value) graph.Value { return g.Square().Add(theta) }}
	f, hf := make([]float64, 2), make([]float64, 2)
	want(t, s, theta, objective.Full, objective.Want[float64]{Direction: square, Field: f, HField: hf})
	g := gradientOf(t, s, theta, objective.Full)
	near(t, "direction", f, []float64{g[0]*g[0] + theta[0], g[1]*g[1] + theta[1]}, 1e-13)
	near(t, "its product", hf, along(f), 1e-7)
}

func TestSAMStaysWhereThereIsNoGradient(t *testing.T) {
	s, _ := sam(t)
	g, hv := make([]float64, 2), make([]float64, 2)
	want(t, s, []float64{0, 0}, objective.Full, objective.Want[float64]{Gradient: g, Vectors: [][]float64{{1, 0}}, Products: [][]float64{hv}})
	if g[0] != 0 || g[1] != 0 || math.IsNaN(hv[0]+hv[1]) {
		t.Errorf("gradient %v, product %v", g, hv)
	}
}

func TestSAMRefusesWhatItHasNot(t *testing.T) {
	s, plain := sam(t)
	v := make([]float64, 2)
	_, err := s.Evaluate(t.Context(), v, objective.Full, objective.Want[float64]{Lines: [][]float64{v}, Bends: [][]float64{v}})
	if err == nil || !strings.Contains(err.Error(), "third derivatives") {
		t.Errorf("third derivatives: %v", err)
	}
	if _, err := objective.NewSAM(plain, -1, 1); err == nil || !strings.Contains(err.Error(), "rho -1: want a number above 0") {
		t.Errorf("a negative radius: %v", err)
	}
}
