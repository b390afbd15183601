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
