package diagnose

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestRoundingIsThatOfNumbersDrawnAtRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	exact, rounded := make([]float64, 1<<17), make([]float32, 1<<17)
	for i := range exact {
		exact[i] = math.Exp(rnd.NormFloat64())
		rounded[i] = float32(exact[i])
	}
	if got, want := Rounding(rounded), Distance(rounded, exact); math.Abs(got/want-1) > 0.05 {
		t.Errorf("rounding to float32 is %g, want %g", got, want)
	}
	if got := Rounding(exact); !(math.Abs(got/Rounding(rounded)*(1<<29)-1) < 1e-2) {
		t.Errorf("in float64 it is %g of that in float32, want 2^-29", got/Rounding(rounded))
	}
	if got := Rounding([]float64{0, 0}); got != 0 {
		t.Errorf("zeros are rounded by %g", got)
	}
}

func TestADifferenceThatRoundingMayMakeIsNone(t *testing.T) {
	const ulp = 0x1p-52
	for name, c := range map[string]struct{ u, f, want float64 }{
		"equal":                     {1, 1, 0},
		"three units apart":         {1 + 3*ulp, 1, 0},
		"five units apart":          {1 + 5*ulp, 1, 5 * ulp},
		"five units apart, below 0": {-1 - 5*ulp, -1, -5 * ulp},
		"of opposite signs":         {ulp, -ulp, 2 * ulp},
		"beside nothing":            {0, 1e-300, -1e-300},
		"nothing":                   {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			u := []float64{c.u}
			if Subtract(u, []float64{c.f}, nil); u[0] != c.want {
				t.Errorf("%g less %g is %g, want %g", c.u, c.f, u[0], c.want)
			}
		})
	}
	cancelled := []float64{5 * ulp, 5000 * ulp}
	if Subtract(cancelled, []float64{0, 0}, []float64{1e3, 1e3}); cancelled[0] != 0 || cancelled[1] != 5000*ulp {
		t.Errorf("beside terms of a thousand that cancel: %v", cancelled)
	}
	u := []float32{1 + 3*0x1p-23, 1 + 5*0x1p-23}
	if Subtract(u, []float32{1, 1}, nil); u[0] != 0 || u[1] != 5*0x1p-23 {
		t.Errorf("in float32: %v", u)
	}
}

func TestTheDriveOfNoBiasHasNoSign(t *testing.T) {
	b := BiasOf(1, []float64{1, 2}, []float64{0, 0}, []float64{-3, 4})
	if math.Signbit(b.Drive) || b.Drive != 0 || b.PenalizedCoordinates != 0 || b.HinderedCoordinates != 0 {
		t.Errorf("%+v", b)
	}
}
