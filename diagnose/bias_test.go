package diagnose

import (
	"math"
	"testing"

	"shadowflow/internal/fixture"
	"shadowflow/modeq"
)

func TestBiasOfAdamIsPenalizedWhereItsBracketIsPositive(t *testing.T) {
	const h, beta1, beta2, eps = 1e-3, 0.9, 0.99, 1e-4
	r := fixture.Rule(t, "adam", map[string]any{"beta1": 0.9, "beta2": 0.99, "eps": 1e-4})
	g := []float64{1e-4, -1e-3, 3e-3, -0.02, 0.5, 0}
	q := []float64{0.3, 0.2, -0.7, 0.9, -0.1, 0.4}
	zero := make([]float64, len(g))
	f, c := make([]float64, len(g)), make([]float64, len(g))
	terms, err := modeq.NewTerms[float64](r, len(g), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := terms.Field(modeq.FullMemory, g, zero, f); err != nil {
		t.Fatal(err)
	}
	if err := terms.SecondOrder(modeq.FullMemory, g, zero, f, q, c); err != nil {
		t.Fatal(err)
	}
	c1, c2 := (1+beta1)/(1-beta1), (1+beta2)/(1-beta2)
	var want Bias
	cc, ff, weight := 0.0, 0.0, 0.0
	for j := range g {
		square := g[j]*g[j] + eps
		bracket := c1 - c2 + c2*eps/square
		cj, fj := bracket/2*q[j]/math.Sqrt(square), g[j]/math.Sqrt(square)
		cc, ff, weight = cc+cj*cj, ff+fj*fj, weight+math.Abs(q[j])
		want.MainDrive -= q[j] * fj
		want.Drive -= h * q[j] * cj
		if bracket > 0 {
			want.PenalizedCoordinates += 1. / float64(len(g))
			want.PenalizedWeight += math.Abs(q[j])
		} else {
			want.HinderedCoordinates += 1. / float64(len(g))
			want.HinderedWeight += math.Abs(q[j])
		}
	}
	got := BiasOf(h, f, c, q)
	close(t, "share", got.Share, h*math.Sqrt(cc/ff), 1e-12)
	close(t, "penalized", got.PenalizedCoordinates, want.PenalizedCoordinates, 1e-12)
	close(t, "hindered", got.HinderedCoordinates, want.HinderedCoordinates, 1e-12)
	close(t, "penalized weight", got.PenalizedWeight, want.PenalizedWeight/weight, 1e-12)
	close(t, "hindered weight", got.HinderedWeight, want.HinderedWeight/weight, 1e-12)
	close(t, "main drive", got.MainDrive, want.MainDrive, 1e-12)
	close(t, "bias drive", got.Drive, want.Drive, 1e-12)
	if got.PenalizedCoordinates == 0 || got.HinderedCoordinates == 0 {
		t.Error("the example has one sign only")
	}
}

func TestNoBiasIsNeitherPenalizedNorHindered(t *testing.T) {
	zero := make([]float64, 3)
	if got := BiasOf(1, zero, zero, zero); got != (Bias{}) {
		t.Errorf("the bias of nothing is %+v", got)
	}
}

func TestDefectsAreWhatThePredictedStepsLeave(t *testing.T) {
	const h = 0.1
	before, f, c, ff := []float64{1, 2}, []float64{0.5, -0.25}, []float64{3, 4}, []float64{2, 0}
	after := make([]float64, 2)
	for j := range after {
		after[j] = before[j] - h*f[j] + h*h/2*ff[j] - h*h*c[j]
	}
	d := DefectsOf(h, 1, before, after, f, c, ff)
	close(t, "defect of order 1", d.First, h*h*5, 1e-12)
	if d.Second > 1e-15 {
		t.Errorf("defect of order 2 is %v, want 0", d.Second)
	}
	close(t, "defect of order 2 with the bias taken away", DefectsOf(h, 0, before, after, f, c, ff).Second, h*h*5, 1e-12)
}

func TestAccelerationOfAdamMatchesDifferences(t *testing.T) {
	// E = sum_j a_j theta_j^2 / 2: g = a theta, H F = a F.
	r := fixture.Rule(t, "adamw", map[string]any{"eps": 0.1, "weight_decay": 0.3})
	a, theta := []float64{1, 2, -0.5}, []float64{0.4, -0.3, 0.9}
	terms, err := modeq.NewTerms[float64](r, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	field := func(theta []float64) []float64 {
		g, f := make([]float64, 3), make([]float64, 3)
		for j := range g {
			g[j] = a[j] * theta[j]
		}
		if err := terms.Field(modeq.FullMemory, g, theta, f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := field(theta)
	up, down := make([]float64, 3), make([]float64, 3)
	g, hf, ff := make([]float64, 3), make([]float64, 3), make([]float64, 3)
	const d = 1e-5
	for j := range theta {
		up[j], down[j] = theta[j]+d*f[j], theta[j]-d*f[j]
		g[j], hf[j] = a[j]*theta[j], a[j]*f[j]
	}
	up, down = field(up), field(down)
	memory, err := r.MemoryForm()
	if err != nil {
		t.Fatal(err)
	}
	acceleration, err := NewAcceleration[float64](modeq.MemorylessDirection(memory), 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := acceleration.At(theta, g, f, hf, ff); err != nil {
		t.Fatal(err)
	}
	for j := range ff {
		close(t, "acceleration", ff[j], (up[j]-down[j])/(2*d), 1e-6)
	}
}

func TestDriveIsThatOfTheBias(t *testing.T) {
	f, c, q := []float64{1, 2, 3}, []float64{-0.5, 2, 0.25}, []float64{4, -1, 3}
	close(t, "drive", Drive(0.1, q, c), BiasOf(0.1, f, c, q).Drive, 1e-15)
}

func TestLikenessIsCosineAndProjection(t *testing.T) {
	for _, c := range []struct {
		name              string
		a                 float64
		p, what           []float64
		cosine, explained float64
	}{
		{"predicted in full", 0.5, []float64{2, 4}, []float64{1, 2}, 1, 1},
		{"a third of what is predicted, and across it", 1, []float64{3, 0}, []float64{1, 1}, math.Sqrt(0.5), 1. / 3},
		{"the other way", 1, []float64{1, 1}, []float64{-2, -2}, -1, -2},
		{"the other way by the factor", -1, []float64{1, 1}, []float64{2, 2}, -1, -2},
		{"nothing predicted", 1, []float64{0, 0}, []float64{0, 0}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := LikenessOf(c.a, c.p, c.what)
			close(t, "cosine", got.Cosine, c.cosine, 1e-14)
			close(t, "explained", got.Explained, c.explained, 1e-14)
		})
	}
}
