package diagnose

import (
	"fmt"
	"math"
	"math/big"
	"runtime"
	"testing"
)

func close(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*(1e-300+math.Abs(want))) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestGradientNormsOfThreeElements(t *testing.T) {
	n := GradientNorms([]float64{3, -4, 0}, 9)
	close(t, "perturbed", n.Perturbed, math.Sqrt(18)+5+3, 1e-15)
	close(t, "excess", n.Excess, math.Sqrt(18)+5+3-9, 1e-14)
	close(t, "one-norm", n.One, 7, 0)
	close(t, "two-norm", n.Two, 5, 1e-15)
	close(t, "max-norm", n.Max, 4, 0)
	close(t, "mean", n.Mean, 7./3, 1e-15)
	close(t, "deviation", n.Deviation, math.Sqrt(25./3-49./9), 1e-14)
}

func TestExcessDoesNotCancelForTinyGradients(t *testing.T) {
	const g, eps = 1e-9, 1e-2
	root := func(x *big.Float) *big.Float { return new(big.Float).SetPrec(300).Sqrt(x) }
	e := new(big.Float).SetPrec(300).SetFloat64(eps)
	square := new(big.Float).SetPrec(300).SetFloat64(g)
	square.Mul(square, square)
	want, _ := new(big.Float).Sub(root(new(big.Float).SetPrec(300).Add(e, square)), root(e)).Float64()
	close(t, "excess", GradientNorms([]float64{g}, eps).Excess, want, 1e-14)
}

func TestSumsOverMillionsOfSinglesAreAccurate(t *testing.T) {
	g := make([]float32, 3_000_001)
	for i := range g {
		g[i] = 0.1
	}
	v, n := float64(float32(0.1)), float64(len(g))
	norms := GradientNorms(g, 0)
	close(t, "one-norm", norms.One, n*v, 1e-12)
	close(t, "excess", norms.Excess, n*v, 1e-12)
	close(t, "two-norm", norms.Two, v*math.Sqrt(n), 1e-12)
	close(t, "dot", Dot(g, g), n*v*v, 1e-12)
	close(t, "distance", Distance(g, make([]float64, len(g))), v*math.Sqrt(n), 1e-12)
}

func TestThreadsDoNotChangeSums(t *testing.T) {
	g := make([]float64, 10*blockSize+7)
	for i := range g {
		g[i] = math.Sin(float64(i))
	}
	many := GradientNorms(g, 1e-8)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if one := GradientNorms(g, 1e-8); one != many {
		t.Errorf("one thread gives %+v, many %+v", one, many)
	}
}

func TestNormsOfGradientsThatAreNotFiniteSaySo(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		t.Run(fmt.Sprintf("an element is %v", bad), func(t *testing.T) {
			n := GradientNorms([]float64{1, bad, 2}, 1e-8)
			for name, v := range map[string]float64{"perturbed": n.Perturbed, "excess": n.Excess, "one": n.One, "two": n.Two, "max": n.Max} {
				if finite(v) {
					t.Errorf("its %s norm is %v", name, v)
				}
			}
		})
	}
}
